"""Fractions, multiples, vague multitudes and frequencies in words: "half", "twice", "thousands", "every day"."""

from __future__ import annotations

import re

_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (key, re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])", re.IGNORECASE))
    for key, pattern in (
        ("half", r"half|halves|halved?|halving"),
        ("third", r"(?:a|one|two) thirds?|thirds"),
        ("quarter", r"(?:a|one|three) quarters?|quarters"),
        ("tenth", r"(?:a|one|nine) tenths?|tenths"),
        ("fifth", r"(?:a|one|two|three|four) fifths?|fifths"),
        ("2x", r"twice|doubled?|doubles|doubling|two-?fold"),
        ("3x", r"thrice|tripled?|triples|tripling|three-?fold|trebled?"),
        ("4x", r"quadrupled?|quadruples|four-?fold"),
        ("10x", r"ten-?fold"),
        ("100x", r"(?:a )?hundred-?fold"),
        ("dozens", r"dozens"),
        ("hundreds", r"hundreds"),
        ("thousands", r"thousands|tens of thousands"),
        ("millions", r"millions|billions|trillions|zillions"),
        ("majority", r"(?:the|a) majority|most (?:people|customers|buyers|users|readers|of (?:us|them|you|our))"),
        ("per hour", r"hourly|(?:every|each|an|per) hour"),
        ("per day", r"daily|(?:every|each|per) day"),
        ("per night", r"nightly|(?:every|each|per) night"),
        ("per week", r"weekly|(?:every|each|per) week"),
        ("per month", r"monthly|(?:every|each|per) month"),
        ("per year", r"yearly|annual(?:ly)?|(?:every|each|per) year"),
    )
)
_FOLD = re.compile(r"(?<!\w)\d+-?fold(?!\w)", re.IGNORECASE)


def multiples(text: str) -> list[tuple[str, str]]:
    """(key, as written) of each; what spellings of the same share is the key."""
    found = [(key, m.group()) for key, pattern in _PATTERNS for m in pattern.finditer(text)]
    return [*found, *((m.group().casefold().replace("-", ""), m.group()) for m in _FOLD.finditer(text))]
