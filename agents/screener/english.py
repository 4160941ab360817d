"""Which words are ordinary English ones, so that a capital at the start of a line can be told from a name.

`english.txt` lists the small-letter words that SmolLM2's tokenizer (Apache-2.0) has as one token and merges earlier
than their capitalised form: words met more often small than with a capital. `names.txt` lists those met more often
with one. `benchmarks/english_words.py` writes both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files

SHARE = 0.6
"""Share of a text's words that must be ordinary English ones for capitals to be read by this list."""
_ENDINGS = ("'s", "s", "es", "ed", "d", "ing", "ly", "er", "ers", "r", "rs", "est", "st", "ness")
_DOUBLING = frozenset(("ed", "ing", "er", "ers", "est"))


@lru_cache(maxsize=1)
def _listed() -> frozenset[str]:
    return frozenset(files("agents.screener").joinpath("english.txt").read_text(encoding="utf-8").split())


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    return frozenset(files("agents.screener").joinpath("names.txt").read_text(encoding="utf-8").split())


@lru_cache(maxsize=8192)
def ordinary(word: str) -> bool:
    """Whether a word, or what it was formed of by an ending, is on the list. Words of up to two letters are."""
    word = word.casefold().replace("’", "'")
    if len(word) <= 2 or word in _listed():
        return True
    return any(len(base) >= 3 and base in _listed() for base in bases(word))


def bases(word: str) -> Iterator[str]:
    """What a word may have been formed of: 'browning' -> 'brown', 'browne'."""
    for ending in _ENDINGS:
        if word.endswith(ending):
            base = word[: -len(ending)]
            yield base
            if ending in _DOUBLING:
                yield f"{base}e"
                if base[-2:-1] == base[-1:]:
                    yield base[:-1]
    for ending in ("ies", "ied", "ily", "ier", "iest"):
        if word.endswith(ending):
            yield f"{word[: -len(ending)]}y"


def is_english(text: str) -> bool:
    """Whether most of a text's words are ordinary English ones, small ones first: names are nobody's language."""
    small = re.findall(r"(?<!\w)[^\W\d_A-Z][^\W\d_]{2,}", text)
    words = small if len(small) >= 2 else re.findall(r"[^\W\d_]{3,}", text)
    return len(words) >= 2 and sum(map(ordinary, words)) >= SHARE * len(words)


def is_name(word: str) -> bool:
    """Whether a word is on the list of those met more often with a capital ("Jones", "Texas")."""
    return word in _names()


def plural(word: str) -> bool:
    """Whether a word may be the plural of an ordinary one that is too rare for the list ("Spades")."""
    return len(word) > 4 and word.endswith("s") and not word.endswith(("ss", "us", "is", "as")) and not is_name(word)
