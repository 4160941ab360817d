"""What a text states that can be checked to the letter: links, dates, times, prices, numbers, names, claims."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from agents.screener.claims import claim_key, claims
from agents.screener.dates import DATE_PATTERNS, TIME_PATTERN, date_key, loose_dates, same_date, same_time, time_key
from agents.screener.folding import collapse
from agents.screener.multiples import multiples
from agents.screener.names import proper_names
from agents.screener.quantities import Quantity, extract_quantities

Kind = Literal[
    "link", "email", "handle", "date", "time", "price", "percent", "number", "share", "code", "name", "quoted", "claim"
]

_TLDS = (
    "com|org|net|io|ai|app|dev|co|info|biz|shop|store|eu|de|at|ch|fr|uk|us|es|it|nl|se|no|dk|pl|in|jp|cn|br|ca|au|me|tv"
)
PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("email", re.compile(r"(?<![\w.+-])[\w.+-]{1,80}@[\w-]+(?:\.[\w-]+)+")),
    (
        "link",
        re.compile(
            rf"(?:h[tx]{{2}}ps?|ftp)://[^\s<>\"'`]+|www\.[^\s<>\"'`]+"
            rf"|(?<![\w@.])(?:[\w-]+\.)+(?:{_TLDS})\b(?:/[^\s<>\"'`]*)?"
            # Any ending at all, where nothing but an address is written so: "word.word/word", "pans.haus".
            rf"|(?<![\w@.])(?:[a-z0-9-]{{2,}}\.)+[a-z]{{2,24}}(?:/[^\s<>\"'`]*|(?![\w.]))"
            # A host of one letter only with its path: "t.ly/x" is a link, "e.g." is not.
            rf"|(?<![\w@.])(?:[a-z0-9-]+\.)+[a-z]{{2,24}}/[^\s<>\"'`]+",
            re.I,
        ),
    ),
    (
        "link",
        re.compile(
            rf"(?<![\w-])[\w-]{{1,80}}\s?(?:[\[({{]\s?(?:dot|\.)\s?[\])}}]|\sdot\s)\s?(?:{_TLDS}|\w{{2,12}}(?=/))\b\S*",
            re.I,
        ),
    ),
    ("handle", re.compile(r"(?<![\w@/])@\w[\w.]+")),
    *(("date", pattern) for pattern in DATE_PATTERNS),
    ("time", TIME_PATTERN),
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
        if self.kind in ("date", "time"):
            same = same_date if self.kind == "date" else same_time
            return any(same(self.key, f.key) for f in known if f.kind == self.kind)
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
    facts += [Fact("date", found, key) for key, found in loose_dates(rest)]
    facts += [Fact("share", found, key) for key, found in multiples(rest)]
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
        # Host names know no case, paths do.
        bare = re.sub(r"^(?:https?://)?(?:www\.)?", "", collapse(found), flags=re.IGNORECASE)
        host, slash, path = bare.partition("/")
        return f"{host.casefold()}{slash}{path}".rstrip("/")
    if kind == "date":
        return date_key(found)
    if kind == "time":
        return time_key(found)
    return key
