"""Words compared as a reader sees them: case, accents, invisible characters, look-alike letters and spacing aside."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Letters of other alphabets that look like Latin ones in common fonts (after case folding and decomposition).
_LOOKALIKES = str.maketrans(
    "аеорсухіјѕһԁԛԝьɡɑαβεηικνορτυχϲℓıɩ",
    "aeopcyxijshdqwbgaabenikvoptuxclii",
)
_SWAPS = {"a": "a4@", "b": "b8", "e": "e3", "i": "i1!|", "l": "l1|", "o": "o0", "s": "s5$", "t": "t7"}
_MARKS = re.compile(r"([\W_]{4})[\W_]*([\W_]{4})")
"""Runs of marks. Some marks stand for letters too: in a long run of them the search would try every way to read it."""
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR")


def collapse(text: str) -> str:
    """White space of any kind (no-break spaces too) as single spaces, ends trimmed."""
    return " ".join(text.split())


def text_key(text: str) -> str:
    """What texts share that are the same but for case and white space."""
    return collapse(text).casefold()


def fold(text: str) -> str:
    """Compatibility form, case folded, without accents and invisible characters; look-alike letters become Latin."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    # Only general combining marks go: vowel signs of Indic scripts make other words, not other spellings.
    kept = (c for c in plain if not ("\u0300" <= c <= "\u036f") and unicodedata.category(c) != "Cf")
    return "".join(kept).translate(_LOOKALIKES)


def contains_word(text: str, word: str) -> bool:
    """Whether `word` (or phrase) stands in `text` as a whole word, case and white space aside, accents observed."""
    text, word = (collapse(unicodedata.normalize("NFKC", t)).casefold() for t in (text, word))
    return bool(word) and re.search(_bounded(re.escape(word), word), text) is not None


def contains_evasively(text: str, word: str) -> bool:
    """Whether a reader would see `word` in `text`: also in other accents, look-alikes, digits or spaced letters."""
    pattern = _evasion_pattern(word)
    if pattern is None:
        return False
    for match in pattern.finditer(_MARKS.sub(r"\1\2", fold(text))):
        found = [c for c in match.group() if not c.isspace()]
        # "50" is not the banned word "so": digits may stand for some letters, not for most.
        if 2 * sum(c.isalpha() for c in found) > sum(c.isalnum() or c in "@$!|" for c in found):
            return True
        if fold(word) in match.group():
            return True
    return False


@lru_cache(maxsize=1024)
def _evasion_pattern(word: str) -> re.Pattern[str] | None:
    parts = [part for part in collapse(fold(word)).split(" ") if part]
    if not parts:
        return None
    tight = r"[\W_]+".join(_joined(part, r"(?:[^\w\s]|_)*") for part in parts)
    forms = [tight]
    letters = "".join(parts)
    if len(letters) >= 4 and letters.isalpha():
        forms.append(_joined(letters, r"[\W_]+"))  # "g u a r a n t e e d": every letter apart
    return re.compile("|".join(_bounded(form, letters) for form in forms))


def _joined(part: str, between: str) -> str:
    """The characters of a part with `between` among its letters and digits; among marks, which `between` matches too,
    it would make the search run for ever."""
    made = ""
    for i, c in enumerate(part):
        if i and c.isalnum() and part[i - 1].isalnum():
            made += between
        made += f"[{re.escape(_SWAPS[c])}]" if c in _SWAPS else re.escape(c)
    return made


def _bounded(pattern: str, word: str) -> str:
    """Whole words only, where the script puts spaces between words."""
    left = r"(?<!\w)" if _spaced(word[0]) else ""
    right = r"(?!\w)" if _spaced(word[-1]) else ""
    return f"{left}(?:{pattern}){right}"


def _spaced(character: str) -> bool:
    return (character.isalnum() or character == "_") and not unicodedata.name(character, "").startswith(_UNSPACED)
