"""Texts without one of their parts: a sentence, a phrase at a sentence's end, a measure before a noun."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agents.occlusion import Cut, cuts
from agents.screener.conditions import limits, offers
from agents.writers.sentences import sentences, starts_back

FEWEST_WORDS = 5
"""That must remain: "Retinning service" says too little to be a draft."""
FEWEST_OF_SENTENCE = 4
"""Words of every sentence that remains: what is left of a cut one may be a torso."""
_OPEN_END = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|the|a|an|and|or|but|of|to|in|on|at|for|with|than|that|as|by|from)[.!?]*$",
    re.IGNORECASE,
)
_PASSIVE = re.compile(
    r"\b(?:is|are|was|were|be|been|being)\s+(?:\w+ly\s+)?"
    r"(?:\w{2,}(?:ed|en|ught)|born|bound|built|cut|done|drawn|found|grown|held|hung|kept|known|laid|left|lost|made|meant|paid|put|"
    r"read|said|sent|set|shot|shown|sold|spent|spun|told|won|worn)\s*$",
    re.IGNORECASE,
)
"""What hangs on a passive verb stays: "is made in Erfurt" without Erfurt says nothing, "is closed on Mondays" without
Mondays is false."""


def shorter(text: str) -> Iterator[str]:
    """What can be left out so that the rest reads well; what then would open by pointing back is left as it is."""
    for cut in cuts(text):
        opens_back = starts_back(cut.rest) and not starts_back(text)
        part = text[cut.start : cut.end]
        hangs = _PASSIVE.search(text[: cut.start]) or (cut.kind == "phrase" and _limited(text, part))
        if _whole(text, cut) and _reads_well(cut.rest) and not (opens_back or hangs):
            yield cut.rest.rstrip(".") if len(sentences(cut.rest)) == 1 else cut.rest


def _limited(text: str, part: str) -> bool:
    """Whether a part says for whom, when or from what price on: without it the rest promises more."""
    if part in sentences(text):
        return False
    return limits(part) or any(part in said and offers(said) for said in sentences(text))


def _reads_well(rest: str) -> bool:
    said = sentences(rest)
    full = all(len(s.split()) >= FEWEST_OF_SENTENCE and not _OPEN_END.search(s) for s in said)
    return full and len(rest.split()) >= FEWEST_WORDS


def _whole(text: str, cut: Cut) -> bool:
    """Whether the cut ends where a sentence ends, or is a measure: in mid-sentence what follows may belong to it."""
    behind = text[cut.end :].lstrip()
    ends = not behind or behind[0] in ".!?…" or text[cut.end - 1] in ".!?…"
    return ends or text[cut.start].isdigit()
