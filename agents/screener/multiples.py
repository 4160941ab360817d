"""Fractions, multiples, vague multitudes and frequencies in words: "half", "twice", "thousands", "every day"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agents.screener.folding import collapse
from agents.screener.quantities import stem

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
_LIMITED = re.compile(
    r"(?<!\w)(?:most|many|some|few|several|half|up to"
    r"|(?:\d+|[a-z]+) (?:out of|of|in)(?: every)? (?:\d+|ten|five|four|three))(?!\w)",
    re.IGNORECASE,
)
_ALL = re.compile(
    r"(?<!\w)(?P<word>all|every|each|everyone|everybody|everything|always|nobody|no one)"
    r"(?:\s+(?:of\s+)?(?:the\s+|our\s+|your\s+|its\s+)?(?P<whom>[^\W\d_]+))?",
    re.IGNORECASE,
)
_FOLD = re.compile(r"(?<!\w)\d+-?fold(?!\w)", re.IGNORECASE)


def multiples(text: str) -> list[tuple[str, str]]:
    """(key, as written) of each; what spellings of the same share is the key."""
    found = [(key, m.group()) for key, pattern in _PATTERNS for m in pattern.finditer(text)]
    return [*found, *((m.group().casefold().replace("-", ""), m.group()) for m in _FOLD.finditer(text))]


def widened(text: str, sources: Sequence[str]) -> list[str]:
    """Reasons where a text says "all" of what the brief says "most", "7 out of 10" or "up to" of.

    A word for all is not asked of the brief everywhere: drafts say "all you need" of anything.
    """
    limited = {
        stem(word)
        for source in sources
        for match in _LIMITED.finditer(source)
        for word in re.findall(r"[^\W\d_]{3,}", re.split(r"[.!?;:\n]", source[match.end() :])[0])[:4]
    }
    said = {collapse(m.group()).casefold() for source in sources for m in _ALL.finditer(source)}
    return [
        f"says {collapse(m.group())!r}, where the brief says it of a part"
        for m in _ALL.finditer(text)
        if m["whom"] and stem(m["whom"]) in limited and collapse(m.group()).casefold() not in said
    ]
