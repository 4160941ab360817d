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
_STRICT = (
    r"if|unless|except|excluding|without|provided|as long as|when|whenever|while stocks? lasts?|only"
    rf"|(?:from|over|above|under|below|at least|within|beyond|then)(?=\s{_NUMBER})"
    r"|for(?=\s(?:(?:the|your|its)\s)?(?:first|next|last)\b)"
    rf"|(?:with|on|for|to)(?=\s(?:[\w'’-]+\s){{0,2}}(?:{_DEAL}|{_DAYS}|{_PEOPLE})\b)"
)
_STRICTLY = re.compile(rf"\b(?:{_STRICT})\b", re.IGNORECASE)
_LIMIT = re.compile(rf"\b(?:{_STRICT}|until|till|before|after)\b", re.IGNORECASE)
"""Strict ones, and an end that an offer may leave to the page behind it."""
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


class Conditions:
    """The offers of a brief with what limits them, read once."""

    def __init__(self, sources: Iterable[str]) -> None:
        self._told: dict[str, list[list[Condition]]] = {}
        for source in sources:
            for sentence in _SENTENCE.split(source):
                limited = conditions(sentence)
                for offer in _offers(sentence):
                    self._told.setdefault(offer, []).append(limited)

    def reasons(self, text: str) -> list[str]:
        """Conditions that a draft leaves out of an offer it makes; none where the brief also makes it without any."""
        numbers = [q.values for q in extract_quantities(text)]
        stems = _stems(text)
        found: list[str] = []
        for offer in _offers(text):
            missed = [
                [c.text for c in limited if not c.stands_in(numbers, stems, text)]
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


def conditions(sentence: str) -> list[Condition]:
    """The strictly limiting phrases of a sentence, each up to the next one or the next mark."""
    starts = [m.start() for m in _STRICTLY.finditer(sentence)]
    found: list[Condition] = []
    opened = None
    for start, following in pairwise([*starts, len(sentence)]):
        start = start if opened is None else opened
        part = sentence[start:following]
        closed = _END.search(part)
        part = part[: closed.start()] if closed else part
        numbers, words = tuple(q.values for q in extract_quantities(part)), frozenset(_stems(part))
        if not numbers and len(words) < 2 and not closed and following < len(sentence):
            opened = start  # "for people" says nothing without the "under 27" behind it
            continue
        opened = None
        found.append(Condition(part.strip(), numbers, words))
    return found


def _offers(text: str) -> set[str]:
    return {m.lastgroup for m in _OFFER.finditer(text) if m.lastgroup}


def _stems(text: str) -> set[str]:
    return {stem(word) for word in _WORD.findall(text) if word.casefold() not in _LITTLE}
