"""What a text states that can be checked to the letter: links, dates, times, prices, numbers, names, claims."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from agents.screener.claims import claim_key, claims
from agents.screener.folding import collapse
from agents.screener.names import proper_names
from agents.screener.quantities import Quantity, extract_quantities

Kind = Literal[
    "link", "email", "handle", "date", "time", "price", "percent", "number", "code", "name", "quoted", "claim"
]

_MONTH_NAMES = "january february march april may june july august september october november december"
_MONTHS = _MONTH_NAMES.split()
_MONTH = "|".join([*_MONTHS, *(m[:3] for m in _MONTHS), "sept"])
_TLDS = (
    "com|org|net|io|ai|app|dev|co|info|biz|shop|store|eu|de|at|ch|fr|uk|us|es|it|nl|se|no|dk|pl|in|jp|cn|br|ca|au|me|tv"
)
PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("email", re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    (
        "link",
        re.compile(
            rf"(?:https?|ftp)://[^\s<>\"'`]+|www\.[^\s<>\"'`]+|(?<![\w@.])(?:[\w-]+\.)+(?:{_TLDS})\b(?:/[^\s<>\"'`]*)?",
            re.I,
        ),
    ),
    ("handle", re.compile(r"(?<![\w@/])@\w[\w.]+")),
    ("date", re.compile(r"\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}[./]\d{1,2}[./](?:\d{4}|\d{2})\b")),
    (
        "date",
        re.compile(
            rf"\b\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?(?:{_MONTH})\b\.?(?:,?\s+\d{{4}})?"
            rf"|\b(?:{_MONTH})\b\.?\s+\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s+\d{{4}})?",
            re.I,
        ),
    ),
    ("time", re.compile(r"\b\d{1,2}:\d{2}\b")),
)
_CODE = re.compile(r"(?<![\w.,])(?=\w*\d)(?=\w*[^\W\d_])\w+(?!\w)")
_QUOTED = re.compile(r"[\"“„«]([^\"“”„«»]{1,80})[\"”“»]")


@dataclass(frozen=True)
class Fact:
    """One checkable statement. `key` is what two spellings of the same fact share; `quantity` is set for numbers."""

    kind: Kind
    text: str
    key: str
    quantity: Quantity | None = None

    def stands_in(self, known: list[Fact]) -> bool:
        """Whether the same fact is among `known`."""
        if self.quantity is not None:
            return self.quantity.stands_in([f.quantity for f in known if f.quantity is not None])
        return any(self.key == f.key and self.kind == f.kind for f in known)


def extract_facts(text: str) -> list[Fact]:
    """Every fact of a text, each stretch of it read once: a date's digits are not numbers as well."""
    facts: list[Fact] = []
    rest = text
    for kind, pattern in PATTERNS:
        for match in pattern.finditer(rest):
            found = match.group().rstrip(".,;:!?)")
            facts.append(Fact(kind, found, _key(kind, found)))
        rest = pattern.sub(lambda m: " " * len(m.group()), rest)
    quantities = extract_quantities(rest)
    facts += [Fact(_number_kind(q), q.raw, q.raw.casefold(), q) for q in quantities]
    covered = {collapse(q.raw).casefold() for q in quantities}
    facts += [
        Fact("code", m.group(), m.group().casefold())
        for m in _CODE.finditer(rest)
        if m.group().casefold() not in covered
    ]
    facts += [Fact("quoted", m[1], collapse(m[1]).casefold()) for m in _QUOTED.finditer(text)]
    facts += [Fact("name", name, name.casefold()) for name in proper_names(text)]
    facts += [Fact("claim", claim, claim_key(claim)) for claim in claims(text)]
    return facts


def _number_kind(quantity: Quantity) -> Kind:
    if quantity.is_price:
        return "price"
    return "percent" if quantity.unit == "%" else "number"


def _key(kind: Kind, found: str) -> str:
    key = collapse(found).casefold()
    if kind == "link":
        return re.sub(r"^(?:https?://)?(?:www\.)?", "", key).rstrip("/")
    if kind == "date" and any(c.isalpha() for c in key):
        month = next(m for m in re.findall(r"[a-z]+", key) if m[:3] in {name[:3] for name in _MONTHS})
        numbers = [int(n) for n in re.findall(r"\d+", key)]
        return f"{month[:3]} {' '.join(map(str, numbers))}"
    return key
