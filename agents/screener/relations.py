"""Who did it to whom, and what costs how much: two known names or numbers of a brief that changed places in a draft.

Every name and number of such a draft stands in the brief, so looking for invented facts finds nothing. Read by order:
a pair of names keeps its order, or turns it with a passive ("was beaten by"); a number stays with the words that set
it apart from the brief's other numbers of its kind. Where the order turned and nothing shows why, the draft is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations, pairwise

from agents.screener.english import ordinary
from agents.screener.names import proper_names
from agents.screener.quantities import Quantity, extract_quantities, stem

_SENTENCE = re.compile(r"[^.!?…\n]+(?:\.(?=\w)[^.!?…\n]+)*")
_CLAUSE = re.compile(r"[.!?…\n;:–—]|,(?!\d)|\b(?:and|but|while|whereas|instead of|not|than)\b", re.IGNORECASE)
_EQUALS = re.compile(
    r"^[\s,&/+–-]*(?:(?:and|or|with|both|meets?|met|versus|vs\.?|v\.|to meet|alike|as well as)[\s,]*)*$", re.I
)
_ATTRIBUTE = re.compile(r"\b(?:in|at|near|on|of|inside|outside|around)\s+(?:the\s+)?$", re.IGNORECASE)
_PASSIVE = re.compile(
    r"(?:\bby|\b(?:lost|loses|fell|falls|went) to|\bbehind"
    r"|\b(?:gets?|got|receives?|received|inherit\w*|learn\w*|buys|bought|takes?|took)\b[^,;]*\bfrom)\s+(?:the\s+)?$",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_][\w’'-]*")
_CONTENT = re.compile(r"[^\W\d_]{3,}")
_TITLES_WORDS = (
    "mr mrs ms miss sir lady lord dame king queen prince princess saint st dr doctor prof professor mayor president "
    "minister chancellor senator judge captain major general nurse sister brother father mother uncle aunt chef coach"
)
_TITLES = frozenset(_TITLES_WORDS.split())
_LITTLE_WORDS = (
    "the and for with from that this are was were has have had its our your their his her you they she him who what "
    "how only just costs cost pay pays paid price prices euro euros dollar dollars pound pounds takes take gets get "
    "one now per each both buy buys less more off"
)
_LITTLE = frozenset(_LITTLE_WORDS.split())


@dataclass(frozen=True)
class _Pair:
    """Two names in one sentence, in the order in which one acts on the other."""

    first: str
    second: str


class Relations:
    """The brief's pairs of names and its groups of numbers, read once.

    Args:
        sources: What the brief states.
        apart: Names that stand in no relation, such as the sender's own.
    """

    def __init__(self, sources: Iterable[str], *, apart: Iterable[str] = ()) -> None:
        sources = [source for source in sources if source]
        self._apart = {name for name in apart if name}
        self.entities = self._entities(sources)
        self._pairs = {pair for source in sources for pair in self._pairs_of(source)}
        self._joined = {run for source in sources for run in _runs(source)}
        self._groups = _number_groups(sources)

    def reasons(self, text: str) -> list[str]:
        """What changed places in `text`."""
        reasons = [
            f"swaps the roles of {pair.second!r} and {pair.first!r}"
            for pair in self._pairs_of(text)
            if _Pair(pair.second, pair.first) in self._pairs and pair not in self._pairs
        ]
        return list(dict.fromkeys([*reasons, *self._mixed_names(text), *self._moved_numbers(text)]))

    def _entities(self, sources: Sequence[str]) -> list[str]:
        """Names of one or several words, longest first."""
        found: dict[str, None] = {}
        for source in sources:
            known = set(proper_names(source))
            for run in _runs(source):
                words = run.split()
                while words and re.sub(r"['’]s?$", "", words[0]) not in known:
                    if len(words) > 1 and re.sub(r"['’]s?$", "", words[1]) in known and _first_name(words[0]):
                        break
                    words = words[1:]
                name = re.sub(r"['’]s?$", "", " ".join(words))
                if name and name not in self._apart:
                    found.setdefault(name)
        return sorted(found, key=len, reverse=True)

    def _pairs_of(self, text: str) -> set[_Pair]:
        made = set()
        for sentence in _SENTENCE.findall(text):
            places = self._places(sentence)
            for (start, end, a), (begin, _, b) in combinations(places, 2):
                between, ahead = sentence[end:begin], sentence[:start]
                attribute = _ATTRIBUTE.search(ahead) or _ATTRIBUTE.search(between)
                clause = re.search(r",(?!\d)", between) and not re.match(r"\s*,\s*(?:who|which)\b", between)
                travels = re.search(r"\b(?:from|to)\s*$", ahead, re.I) or re.search(r"\bto\s*$", between, re.I)
                if a == b or attribute or _EQUALS.match(between) or (clause and not travels):
                    continue
                made.add(_Pair(b, a) if _PASSIVE.search(between) else _Pair(a, b))
        return made

    def _places(self, sentence: str) -> list[tuple[int, int, str]]:
        """(start, end, name) of every entity, in the order of the sentence, longer names before their parts."""
        taken: list[tuple[int, int, str]] = []
        for name in self.entities:
            for match in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", sentence):
                if all(match.end() <= start or match.start() >= end for start, end, _ in taken):
                    taken.append((match.start(), match.end(), name))
        return sorted(taken)

    def _mixed_names(self, text: str) -> list[str]:
        """Words of two names joined into one that the brief does not have: 'Anna Holm' of Anna Berg and Lena Holm."""
        words = {word for name in self.entities for word in name.split() if word.casefold() not in _TITLES}
        reasons = []
        for run in _runs(text):
            parts = re.sub(r"['’]s?$", "", run).split()
            for a, b in pairwise(parts):
                if a in words and b in words and not any(f"{a} {b}" in known for known in self._joined):
                    reasons.append(f"joins parts of two names to {f'{a} {b}'!r}")
        return reasons

    def _moved_numbers(self, text: str) -> list[str]:
        reasons = []
        for clause in _clauses(text):
            words = _content(clause)
            for quantity in extract_quantities(clause):
                for group in self._groups:
                    own = [g for g in group if quantity.same_amount(g.quantity)]
                    others = [g for g in group if not quantity.values & g.quantity.values]
                    if own and not any(g.words & words for g in own) and (w := [g for g in others if g.words & words]):
                        reasons.append(f"says {quantity.raw!r} where the brief says {w[0].quantity.raw!r}")
        return reasons


@dataclass(frozen=True)
class _Anchored:
    """A number and the words that only its own clause has, of all the clauses with numbers of its kind."""

    quantity: Quantity
    words: frozenset[str]


def _number_groups(sources: Sequence[str]) -> list[list[_Anchored]]:
    """Numbers of one unit that differ, each with its own words; groups of one are no groups."""
    found: dict[tuple[str | None, frozenset[Decimal]], set[str]] = {}
    numbers: dict[tuple[str | None, frozenset[Decimal]], Quantity] = {}
    for source in sources:
        for clause in _clauses(source):
            for quantity in extract_quantities(clause):
                key = (quantity.unit, frozenset(quantity.values))
                found.setdefault(key, set()).update(_content(clause))
                numbers.setdefault(key, quantity)
    groups: dict[str | None, list[_Anchored]] = {}
    for key, words in found.items():
        rivals = [other for k, other in found.items() if k != key and k[0] == key[0]]
        if rivals:
            own = frozenset(words - set().union(*rivals))
            groups.setdefault(key[0], []).append(_Anchored(numbers[key], own))
    return [group for group in groups.values() if len(group) > 1]


def _clauses(text: str) -> list[str]:
    """Clauses; a mark inside a number is none."""
    shielded = re.sub(r"(?<=\d)[.:](?=\d)", lambda m: "\ue000" if m.group() == "." else "\ue001", text)
    parts = _CLAUSE.split(shielded)
    return [part.replace("\ue000", ".").replace("\ue001", ":") for part in parts if part and part.strip()]


def _content(text: str) -> set[str]:
    return {stem(word) for word in _CONTENT.findall(text) if word.casefold() not in _LITTLE}


def _runs(text: str) -> list[str]:
    """Stretches of words with capitals, one space between them."""
    found: list[str] = []
    end = -1
    for match in _WORD.finditer(text):
        if not match.group()[0].isupper():
            continue
        if found and match.start() == end + 1 and text[end] == " ":
            found[-1] += f" {match.group()}"
        else:
            found.append(match.group())
        end = match.end()
    return found


def _first_name(word: str) -> bool:
    """Whether a word at a sentence's start may be a first name: no ordinary word."""
    return not ordinary(word)
