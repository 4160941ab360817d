"""Scores without what only follows length and format: what drafts of one run are ranked on."""

from __future__ import annotations

from collections.abc import Sequence

from optimizer.brief import Brief
from optimizer.result import Candidate


def without_surface(candidates: Sequence[Candidate], brief: Brief) -> list[Candidate]:
    """The candidates with `adjusted` and `adjusted_low`: what they are ranked on without what only follows length and
    format.

    Fitted anew on all scored drafts of the run; where there are too few, or nothing is found, scores stay as they are.
    Low ends have a fit of their own: they move less than expected percentiles do, and a part that was measured on
    those would outweigh them.
    """
    scored = [c for c in candidates if c.score is not None]
    if not brief.debias or len(scored) < 2:
        return list(candidates)
    texts = [c.text for c in scored]
    expected = _adjusted(texts, [c.score for c in scored])
    low = _adjusted(texts, [c.prediction.low if c.prediction else None for c in scored])
    ids = [c.id for c in scored]
    found, lows = dict(zip(ids, expected, strict=True)), dict(zip(ids, low, strict=True))
    return [c.model_copy(update={"adjusted": found.get(c.id), "adjusted_low": lows.get(c.id)}) for c in candidates]


def _adjusted(texts: Sequence[str], values: Sequence[float | None]) -> list[float] | list[None]:
    """Values 0..100 without their surface part; None throughout where one is missing or nothing is found."""
    from agents.guard import LengthDebias

    known = [value for value in values if value is not None]
    if len(known) < len(texts):
        return [None] * len(texts)
    fitted = LengthDebias().fit(texts, known)
    return fitted.adjust(texts, known) if fitted.explained > 0 else [None] * len(texts)
