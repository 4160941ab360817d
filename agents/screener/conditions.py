"""What limits an offer stays with it: "free for children under 6" never becomes "free".

Read by words, not by grammar. The conditions of an offer are the phrases of its own sentence that a limiting word
opens ("unless", "until", "from 50 euros", "with every order"). A draft that makes the same offer has to say each of
them: its numbers, or half of its longer words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from agents.screener.claims import priced
from agents.screener.quantities import WORDS, extract_quantities, stem

_OFFER = re.compile(
    r"(?<![\w-])(?:(?P<free>free(?![\w-])|gratis|complimentary|no charge|pays? nothing)"
    r"|(?P<less>discount\w*|half[- ]price|(?:(?<=[\d%€$£])|(?<=[\d%€$£]\s)|(?<=percent )|(?<=euros )|(?<=dollars )"
    r"|(?<=pounds ))off|save(?=\s(?:up to\s)?[€$£]?\s?\d))"
    r"|(?P<win>(?:^|(?<=[.!?:]\s)|(?<=can )|(?<=could )|(?<=to ))win|vouchers?|bonus\w*)"
    r"|(?P<back>refund\w*|money[- ]back|cash ?back|guarante\w+|warrant\w+)"
    r"|(?P<safe>(?<=is )safe|(?<=are )safe|(?:dishwasher|oven|microwave|freezer|machine|hand)[- ]safe))(?!\w)",
    re.IGNORECASE,
)
_NUMBER = rf"(?:just |only |the age of )?[€$£]?\s?(?:\d|(?:{'|'.join(WORDS)})\b)"
_PEOPLE = (
    "children|kids|adults|students|pupils|seniors|members|families|subscribers|customers|newcomers|teachers|nurses"
    "|pensioners|residents|guests|visitors|women|men|girls|boys|under|over"
)
_DEAL = "purchases?|orders?|subscriptions?|tickets?|memberships?|cards?|codes?|coupons?|bookings?|receipts?"
_DAYS = r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?|weekdays|weekends"
_WHEN = (
    r"(?<!even )if|unless|except|excluding|(?<!even )without|provided|as long as|while stocks? lasts?"
    # Not "when it opened": a condition lies ahead.
    r"|(?<!even )when(?:ever)?(?!\s(?:\w+\s){1,3}(?:was|were|had|did|won|came|went|fell|\w{2,}ed)\b)"
    r"|only(?=\s(?:for|with|on|in|at|to|until|if|when)\b)"
)
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

    def beside(self, about: frozenset[str]) -> Condition:
        """The same without words that the offer itself says: they are no sign that a draft says the condition."""
        return replace(self, stems=(self.stems - about) or self.stems)

    def stands_in(self, numbers: Sequence[frozenset[Decimal]], stems: frozenset[str], text: str) -> bool:
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


@dataclass(frozen=True)
class _Draft:
    text: str
    numbers: tuple[frozenset[Decimal], ...]
    stems: frozenset[str]

    def says(self, condition: Condition) -> bool:
        return condition.stands_in(self.numbers, self.stems, self.text)


@dataclass(frozen=True)
class Offer:
    """One sentence of the brief that offers something: what limits it, and the stems of what else it says."""

    limits: tuple[Limit, ...]
    about: frozenset[str]

    def missed(self, draft: _Draft) -> list[str]:
        """Its limits that a draft leaves out."""
        return [limit.text for limit in self.limits if not any(draft.says(way) for way in limit.ways)]


class Conditions:
    """The offers of a brief with what limits them, read once."""

    def __init__(self, sources: Iterable[str]) -> None:
        self._told: dict[str, list[Offer]] = {}
        for source in sources:
            for sentence in _SENTENCE.split(source):
                found = conditions(sentence)
                about = _rest(sentence, found)
                own = [replace(limit, ways=tuple(way.beside(about) for way in limit.ways)) for limit in found]
                for offer in _offers(sentence):
                    # What is safe for children is not unsafe for others.
                    kept = tuple(limit for limit in own if offer != "safe" or not limit.for_whom)
                    self._told.setdefault(offer, []).append(Offer(kept, about))

    def reasons(self, text: str) -> list[str]:
        """Conditions that a draft leaves out of an offer it makes; none where the brief makes the same without any."""
        draft = _Draft(text, tuple(q.values for q in extract_quantities(text)), frozenset(_stems(text)))
        found: list[str] = []
        for offer in _offers(text):
            all_told = self._told.get(offer, [])
            told = [t for t in all_told if t.about & draft.stems] or all_told
            kept = [t for t in told if not t.missed(draft)]
            for one in told:
                if (parts := one.missed(draft)) and not any(one.about & draft.stems <= other.about for other in kept):
                    found += [f"leaves out what limits the offer: {part!r}" for part in parts]
        return list(dict.fromkeys(found))


def limits(text: str) -> bool:
    """Whether a text holds a phrase that limits what stands before it."""
    return _LIMIT.search(text) is not None


def offers(text: str) -> bool:
    """Whether a text offers something: free, cheaper, to be won, safe."""
    return bool(_offers(text))


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
    edges = [*(match.start() for match in starts), len(sentence)]
    for match, following in zip(starts, edges[1:], strict=True):
        part = sentence[match.start() : following]
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


def _rest(sentence: str, found: Sequence[Limit]) -> frozenset[str]:
    """Stems of a sentence outside its limits and its word of offer."""
    for limit in found:
        sentence = sentence.replace(limit.text, " ", 1)
    return frozenset(_stems(_OFFER.sub(" ", priced(sentence))))


def _offers(text: str) -> set[str]:
    return {m.lastgroup for m in _OFFER.finditer(priced(text)) if m.lastgroup}


def _stems(text: str) -> set[str]:
    return {stem(word) for word in _WORD.findall(text) if word.casefold() not in _LITTLE}
