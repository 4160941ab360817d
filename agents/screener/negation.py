"""What the brief denies stays denied, and what it says is not denied: "no nuts" never becomes "nuts".

Read by words, not by grammar. A negator reaches over the content words behind it up to the next mark or conjunction.
A denial is lost when a draft repeats most of those words (for "no added sugar" the last of them, the noun) in a
sentence where nothing denies them before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from agents.screener.quantities import stem

_NEGATOR = re.compile(
    r"\b(?:(?P<noun>no|without|zero|free (?:of(?! charge)|from)|lacks?|neither|nor)"
    r"|(?P<verb>not|never|cannot|can['’]?t|[a-z]+n['’]t|may not|must not|hardly))\b",
    re.IGNORECASE,
)
_IDIOM = re.compile(
    r"\b(?:no longer|no more than|no (?:less|fewer) than|no\.? ?\d+|not (?:only|just|merely|more|less"
    r"|least|fewer|yet)|why not|if not"
    r"|whether or not|no (?:one|matter|wonder|doubt|need|time)|don['’]?t (?:miss|wait|worry|forget|bin|throw"
    r"|lose|let|look|think|believe)"
    r"|never (?:again|mind|miss|forget|wait|stop)|can['’]?t (?:wait|stop|believe|miss)|cannot wait|wouldn['’]?t)\b",
    re.IGNORECASE,
)
_FREE = re.compile(r"\b([a-z]+)-free\b", re.IGNORECASE)
_BREAK = re.compile(
    r"[.!?…,;:\n–—()]|\b(?:and|but|because|so|when|while|until|than|then|or|yet|which|who|that)\b", re.I
)
_SENTENCE = re.compile(r"[^.!?…\n;]+(?:\.(?=\d)[^.!?…\n;]+)*")
_WORD = re.compile(r"[^\W\d_]{3,}")
_LITTLE_WORDS = (
    "the and for with from that this are was were has have had can could will would may might must should does did "
    "its our your their his her any all been being there here you they she him them who what how into onto out off "
    "get gets got not never nothing only just even also very too too one some such more most own"
)
_LITTLE = frozenset(_LITTLE_WORDS.split())
_DENIED_AFTER = re.compile(
    r"[^.!\n]{0,20}?(?:\b(?:none|zero|at home|prohibited|forbidden|are out)\b|\bstays? (?:at home|out)\b)",
    re.IGNORECASE,
)
REACH = 4
"""Content words behind a negator that it denies."""
BEFORE = 6
"""Words before a denied one among which the draft's own negator may stand."""


@dataclass(frozen=True)
class Denial:
    """Words that a negator denies, as stems in their order."""

    stems: tuple[str, ...]
    words: str
    noun: bool


def denials(text: str) -> list[Denial]:
    """Every denial of a text."""
    plain = _IDIOM.sub(lambda m: "_" * len(m.group()), text)
    found = []
    for match in _NEGATOR.finditer(plain):
        behind = _BREAK.split(plain[match.end() :], maxsplit=1)[0]
        words = [w for w in _WORD.findall(behind) if w.casefold() not in _LITTLE][:REACH]
        if words:
            found.append(Denial(tuple(map(stem, words)), " ".join(words), match["noun"] is not None))
    return [*found, *(Denial((stem(m[1]),), m[1], True) for m in _FREE.finditer(plain))]


class Denials:
    """What a brief denies and what it says, read once."""

    def __init__(self, sources: Iterable[str]) -> None:
        sources = [source for source in sources if source]
        self._denied = [denial for source in sources for denial in denials(source)]
        denied_once = {s for d in self._denied for s in d.stems}
        self._said = {s for source in sources for s in _undenied(source) if s not in denied_once}

    def reasons(self, text: str) -> list[str]:
        """Denials of the brief that `text` drops, and statements of the brief that it denies."""
        reasons = [f"no longer denies {d.words!r}, as the brief does" for d in self._denied if self._dropped(d, text)]
        for own in denials(text):
            known = any(set(own.stems) & set(d.stems) for d in self._denied)
            said = [s for s in own.stems if s in self._said]
            if not known and 2 * len(said) > len(own.stems) and not _rhetorical(text):
                reasons.append(f"denies {own.words!r}, which the brief says")
        return list(dict.fromkeys(reasons))

    def _dropped(self, denial: Denial, text: str) -> bool:
        for sentence in _SENTENCE.findall(text):
            said = _undenied(sentence)
            hit = [s for s in dict.fromkeys(denial.stems) if s in said]
            head = denial.stems[-1] in said and denial.noun
            if head or 2 * len(hit) > len(set(denial.stems)):
                return True
        return False


def _undenied(text: str) -> set[str]:
    """Stems of a text's content words that no negator stands close before."""
    plain = _IDIOM.sub(lambda m: "_" * len(m.group()), text)
    words = list(re.finditer(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", plain))
    marks = {i for i, w in enumerate(words) if _NEGATOR.fullmatch(w.group()) or w.group().casefold() == "nobody"}
    found = set()
    for i, word in enumerate(words):
        free = word.group().casefold().endswith("-free") or _followed_by_denial(plain, word.end())
        if free or any(m in marks for m in range(max(i - BEFORE, 0), i)):
            continue
        found |= {stem(w) for w in _WORD.findall(word.group()) if w.casefold() not in _LITTLE}
    return found


def _followed_by_denial(text: str, end: int) -> bool:
    """ "Sugar? None.", "dogs stay at home", "nuts: zero"."""
    return _DENIED_AFTER.match(text[end:]) is not None


def _rhetorical(text: str) -> bool:
    """A question that begins by denying: "Don't you brown onions in 9 minutes?"."""
    return re.match(r"\W*(?:[a-z]+n['’]t|why|who)\b[^.!]*\?", text, re.IGNORECASE) is not None
