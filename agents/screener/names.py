"""Proper names, found by capitals where capitals tell them, and by a word list where they do not.

Inside sentences a capital makes a name. At the start of a sentence, in title case and in shouted texts it does not:
there a word is a name when the text is English and the word is no ordinary English one (`english.py`), or when it
says, agrees or recommends something.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agents.screener.english import is_english, ordinary, plural

_SENTENCE_END = re.compile(r"[.!?:;…\"“„«(\[\n–—|-]\s*$")
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*(?:-[^\W\d_]+)*")
_EVERYDAY = (
    "i i'm i'd i'll i've ok tv diy faq pdf usb ceo mr mrs ms dr am pm usd eur gbp chf "
    "monday tuesday wednesday thursday friday saturday sunday "
    "mondays tuesdays wednesdays thursdays fridays saturdays sundays "
    "january february march april may june july august september october november december "
    "christmas easter halloween thanksgiving hanukkah ramadan diwali"
)
_PLAIN = frozenset(_EVERYDAY.split())
_SMALL_IN_TITLES = frozenset(("from", "with", "that", "than", "into", "over", "when", "your", "this", "upon", "onto"))
_SHOUTED_WORDS = (
    "new now free buy sale only not all big best top hot wow yes no live win save stop go you your the and today"
)
_SHOUTED = frozenset(_SHOUTED_WORDS.split())
# A language that writes every noun with a capital: there capitals tell nothing about names.
_GERMAN_WORDS = "und der das den dem ein eine einen mit für von ist sind nicht auf wir unsere unser"
_GERMAN = frozenset(_GERMAN_WORDS.split())


_SAYS = re.compile(
    r"(?:^|(?<=[.!?:;…\"“„\n])|(?<=[.!?:;…]\s))\s*([^\W\d_]+(?:[’'-][^\W\d_]+)*)\s+(?:also\s+|always\s+|even\s+)?"
    r"(?:says|said|agrees|agreed|swears|recommends|recommended|endorses|promises|insists|confirms|warns|told|tells us"
    r"|wrote|writes|explains|adds|admits|believes)\b",
    re.MULTILINE,
)
_WHO_WORDS = "who he she it they that this what which nobody somebody everybody everyone someone"
_WHO = frozenset(_WHO_WORDS.split())


def proper_names(text: str) -> list[str]:
    """Names of a text, possessive endings dropped. German nouns all have capitals: nothing is claimed about German."""
    tokens = list(_TOKEN.finditer(text))
    if len({t.group().casefold() for t in tokens} & _GERMAN) >= 2:
        return []
    inner = [t for t in tokens if t.start() > 0 and not _SENTENCE_END.search(text[: t.start()])]
    long = [t for t in inner if len(t.group()) >= 4 and t.group().casefold() not in _SMALL_IN_TITLES]
    capital = [t for t in long if t.group()[0].isupper()]
    title_case = text.isupper() or (len(long) >= 2 and len(capital) > 0.85 * len(long))
    found = [] if title_case else [t.group() for t in inner if t.group()[0].isupper() and not _plain(_bare(t.group()))]
    if is_english(text):
        found += _unusual(tokens if title_case else [t for t in tokens if t not in inner or t.group().isupper()])
    found += [m[1] for m in _SAYS.finditer(text) if m[1].casefold() not in _WHO and not m[1].casefold().endswith("s")]
    return list(dict.fromkeys(n for n in map(_bare, found) if len(n) > 1))


def _unusual(tokens: list[re.Match[str]]) -> Iterator[str]:
    """Capitalised words that are no ordinary English ones, in no part."""
    for token in tokens:
        word = _bare(token.group())
        plain = word.replace("’", "'").casefold() in _PLAIN or "'" in word.replace("’", "'")
        if (
            len(word) > 2
            and word[0].isupper()
            and not plain
            and not all(ordinary(w) or plural(w) for w in word.split("-"))
        ):
            yield word


def _bare(word: str) -> str:
    return re.sub(r"['’]s?$", "", word)


def _plain(word: str) -> bool:
    """Calendar words and the like, and words that are only shouted; short words in capitals may be acronyms."""
    word = word.replace("’", "'")
    shouted = word.isupper() and (len(word) > 5 or word.casefold() in _SHOUTED)
    return shouted or word.casefold() in _PLAIN
