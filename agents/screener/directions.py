"""Which way a number or a date points: "rose by 4 percent" never becomes "fell by 4 percent", "until" never "from"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from agents.screener.facts import extract_facts

Way = Literal["up", "down", "until", "from"]

_TREND: tuple[tuple[Way, re.Pattern[str]], ...] = (
    (
        "up",
        re.compile(
            r"\b(?:ris(?:e|es|en|ing)|rose|gr[eo]ws?|grown|growing|increas\w*|climb\w*|gain\w*|soar\w*|jump\w*"
            r"|more|higher"
            r"|up by|dearer|longer|rais(?:e|es|ed|ing)|add(?:s|ed)?)\b",
            re.I,
        ),
    ),
    (
        "down",
        re.compile(
            r"\b(?:falls?|fell|fallen|falling|drop\w*|decreas\w*|declin\w*|shr[aiu]nk\w*|sank|sinks?|cuts?"
            r"|reduc\w*|lower\w*|less"
            r"|fewer|down by|cheaper|shorter|los(?:e|es|t|ing)|slash\w*)\b",
            re.I,
        ),
    ),
)
_TIME: tuple[tuple[Way, re.Pattern[str]], ...] = (
    (
        "until",
        re.compile(
            r"\b(?:before|by|until|till|up to|ends?(?: on)?|closes?(?: on)?|deadline(?: is)?:?)\s+(?:the\s+)?$", re.I
        ),
    ),
    (
        "from",
        re.compile(
            r"\b(?:after|from|since|starting(?: on)?|starts?(?: on)?|begins?(?: on)?|opens?(?: on)?|as of)"
            r"\s+(?:the\s+)?$",
            re.I,
        ),
    ),
)
_CLAUSE = re.compile(r"[!?…\n;:]|[.,](?!\d)|\b(?:and|but|while|whereas)\b", re.I)


class Directions:
    """The ways in which a brief's numbers and dates point, read once."""

    def __init__(self, sources: Iterable[str]) -> None:
        self._told: dict[tuple[str, str], set[Way]] = {}
        for source in sources:
            for key, way, _ in _pointing(source):
                self._told.setdefault(key, set()).add(way)

    def reasons(self, text: str) -> list[str]:
        """Numbers and dates that point the other way."""
        other: dict[Way, Way] = {"up": "down", "down": "up", "until": "from", "from": "until"}
        found = [
            f"turns {shown!r} from {other[way]!r} to {way!r}"
            for key, way, shown in _pointing(text)
            if way not in (told := self._told.get(key, set())) and other[way] in told
        ]
        return list(dict.fromkeys(found))


def _pointing(text: str) -> list[tuple[tuple[str, str], Way, str]]:
    """(key of the fact, way, as written) of each number with a trend in its clause, each date with its preposition."""
    found: list[tuple[tuple[str, str], Way, str]] = []
    shielded = re.sub(r"(?<=\d)[.,:](?=\d)", lambda m: {".": "\ue000", ",": "\ue001", ":": "\ue002"}[m.group()], text)
    for part in _CLAUSE.split(shielded):
        clause = part.replace("\ue000", ".").replace("\ue001", ",").replace("\ue002", ":")
        ways = [way for way, pattern in _TREND if pattern.search(clause)]
        for fact in extract_facts(clause) if clause.strip() else []:
            if fact.quantity is not None and len(ways) == 1:
                key = ",".join(sorted(str(v.normalize()) for v in fact.quantity.values))
                found.append((("number", key), ways[0], fact.text))
            if fact.kind in ("date", "time"):
                ahead = clause[: clause.find(fact.text)]
                found += [
                    (("date", " ".join(fact.key.split())), way, fact.text)
                    for way, pattern in _TIME
                    if pattern.search(ahead)
                ]
    return found
