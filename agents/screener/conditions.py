"""What limits an offer stays with it: "free for children under 6" never becomes "free".

Read by words, not by grammar. The conditions of an offer are the phrases of its own sentence that a limiting word
opens ("unless", "until", "from 50 euros", "with every order"). A draft that makes the same offer has to say each of
them: its numbers, or half of its longer words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from agents.screener.quantities import WORDS, extract_quantities, stem

_OFFER = re.compile(
    r"\b(?:(?P<free>free(?!\w|-)|gratis|complimentary|no charge|pays? nothing)|(?P<less>discount\w*|half[- ]price"
    r"|(?<=[\d%€$£])\s?off|(?<=percent )off|(?<=euros )off|(?<=dollars )off|saves?|cheaper)"
    r"|(?P<win>wins?|prizes?|gifts?|vouchers?|bonus\w*)"
    r"|(?P<back>refund\w*|money[- ]back|cash ?back|guarante\w+|warrant\w+)"
    r"|(?P<safe>safe))\b",
    re.IGNORECASE,
)
_NUMBER = rf"(?:just |only |the age of )?[€$£]?\s?(?:\d|(?:{'|'.join(WORDS)})\b)"
_PEOPLE = (
    "children|kids|adults|students|pupils|seniors|members|families|subscribers|customers|newcomers|teachers|nurses"
    "|pensioners|residents|guests|visitors|women|men|girls|boys|under|over"
)
_DEAL = "purchases?|orders?|subscriptions?|tickets?|memberships?|cards?|codes?|coupons?|bookings?|receipts?"
_DAYS = r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?|weekdays|weekends"
_WHEN = r"if|unless|except|excluding|without|provided|as long as|when|whenever|while stocks? lasts?|only"
_BOUND = rf"(?:from|over|above|under|below|at least|within|beyond|then)(?=\s{_NUMBER})"
_FOR = (
    r"for(?=\s(?:(?:the|your|its)\s)?(?:first|next|last)\b)"
    rf"|(?:with|on|for|to)(?=\s(?:[\w'’-]+\s){{0,2}}(?:{_DEAL}|{_DAYS}|{_PEOPLE})\b)"
)
_STRICTLY = re.compile(rf"\b(?:(?P<when>{_WHEN})|(?P<bound>{_BOUND})|(?P<whom>{_FOR}))\b", re.IGNORECASE)
_LIMIT = re.compile(rf"\b(?:{_WHEN}|{_BOUND}|{_FOR}|until|till|before|after)\b", re.IGNORECASE)
"""Strict ones, and an end that an offer may leave to the page behind it."""
_OR = re.compile(r"\s+(?:and|or)(?:\s+(?:for|on|to|with))?\s+", re.IGNORECASE)
_SUBJECT = re.compile(r"\s(?:you|we|they|it|he|she)\b", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n")
_END = re.compile(r"[,;:()–—]\s|[.!?…](?!\d)")
_WORD = re.compile(r"[^\W\d_]{3,}")
_LITTLE_WORDS = (
    "the and with from that this are was you your our its for all any each every only when whenever until till unless "
    "except excluding without provided before after over above under below least within beyond long"
)
_LITTLE = frozenset(_LITTLE_WORDS.split())


@dataclass(frozen=True)
class Condition:
    """A phrase that limits an offer: the values of its numbers and the stems of its longer words."""

    text: str
    numbers: tuple[frozenset[Decimal], ...]
    stems: frozenset[str]

    def stands_in(self, numbers: list[frozenset[Decimal]], stems: set[str], text: str) -> bool:
        """Whether a draft with these numbers and stems says it."""
        if self.numbers:
            return all(any(own & other for other in numbers) for own in self.numbers)
        if not self.stems:
            return self.text.casefold() in text.casefold()
        return 2 * len(self.stems & stems) >= len(self.stems)


@dataclass(frozen=True)
class Limit:
    """A limiting phrase; of "for members and for children under 12" a draft may say either."""

    text: str
    ways: tuple[Condition, ...]
    for_whom: bool


class Conditions:
    """The offers of a brief with what limits them, read once."""

    def __init__(self, sources: Iterable[str]) -> None:
        self._told: dict[str, list[list[Limit]]] = {}
        for source in sources:
            for sentence in _SENTENCE.split(source):
                found = conditions(sentence)
                for offer in _offers(sentence):
                    # What is safe for children is not unsafe for others.
                    own = [limit for limit in found if offer != "safe" or not limit.for_whom]
                    self._told.setdefault(offer, []).append(own)

    def reasons(self, text: str) -> list[str]:
        """Conditions that a draft leaves out of an offer it makes; none where the brief also makes it without any."""
        numbers = [q.values for q in extract_quantities(text)]
        stems = _stems(text)
        found: list[str] = []
        for offer in _offers(text):
            missed = [
                [limit.text for limit in limited if not any(c.stands_in(numbers, stems, text) for c in limit.ways)]
                for limited in self._told.get(offer, [])
            ]
            if missed and all(missed):
                found += [f"leaves out what limits the offer: {part!r}" for part in min(missed, key=len)]
        return list(dict.fromkeys(found))


def limits(text: str) -> bool:
    """Whether a text holds a phrase that limits what stands before it."""
    return _LIMIT.search(text) is not None


def offers(text: str) -> bool:
    """Whether a text offers something: free, cheaper, to be won, safe."""
    return _OFFER.search(text) is not None


def conditions(sentence: str) -> list[Limit]:
    """The strictly limiting phrases of a sentence, each up to the next one or the next mark."""
    starts: list[re.Match[str]] = []
    for match in _STRICTLY.finditer(sentence):
        between = sentence[starts[-1].end() : match.start()] if starts else ""
        # "for people under 27" is one phrase, and "for members and for children" too.
        joined = bool(starts) and starts[-1]["whom"] is not None and not _END.search(between)
        if joined and (match["bound"] or (match["whom"] and re.search(r"\b(?:and|or)\s+$", between, re.IGNORECASE))):
            continue
        starts.append(match)
    found = []
    for match, following in pairwise([*starts, None]):
        assert match is not None
        part = sentence[match.start() : following.start() if following else len(sentence)]
        part = part[: end.start()] if (end := _END.search(part)) else part
        for_whom = match["whom"] is not None
        if for_whom and (subject := _SUBJECT.search(part)):
            part = part[: subject.start()]  # "With our card you get ...": the offer itself begins
        part = part.strip()
        ways = _OR.split(part) if for_whom else [part]
        found.append(Limit(part, tuple(_condition(way) for way in ways), for_whom))
    return found


def _condition(text: str) -> Condition:
    return Condition(text, tuple(q.values for q in extract_quantities(text)), frozenset(_stems(text)))


def _offers(text: str) -> set[str]:
    return {m.lastgroup for m in _OFFER.finditer(text) if m.lastgroup}


def _stems(text: str) -> set[str]:
    return {stem(word) for word in _WORD.findall(text) if word.casefold() not in _LITTLE}
