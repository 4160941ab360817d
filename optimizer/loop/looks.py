"""A first look at drafts over all the aims of a brief: what the simulator foretells of each for no call."""

from __future__ import annotations

import math
from collections.abc import Sequence

from optimizer.brief import Brief
from optimizer.loop.context import LoopContext
from optimizer.result import Candidate


def looks_at(texts: Sequence[str], context: LoopContext) -> list[float] | None:
    """The weighted mean of a first look for each aim, percentile points; None where one of them has none.

    Only differences between the texts of one brief mean something.
    """
    brief = context.brief
    found = [context.scorer.first_look([brief.content(text) for text in texts])]
    aims = [objective for objective in brief.objectives if objective.weight > 0]
    for aim in aims:
        found.append(context.scorer.first_look([brief.content(text, aim) for text in texts], aim.metric))
    known = [look for look in found if look is not None and all(map(_told, look))]
    if len(known) < len(found):
        return None
    weights = [1.0, *(aim.weight for aim in aims)]
    return [_mean(values, weights) for values in zip(*known, strict=True)]


def value_of(candidate: Candidate, brief: Brief) -> float | None:
    """What a first look is to foretell: the weighted mean of the expected percentiles; None where one is missing."""
    aims = [objective for objective in brief.objectives if objective.weight > 0]
    others = [candidate.predictions.get(aim.label) for aim in aims]
    values = [candidate.score, *(other.expected if other is not None and other.ok else None for other in others)]
    known = [value for value in values if value is not None]
    return _mean(known, [1.0, *(aim.weight for aim in aims)]) if len(known) == len(values) else None


def _told(look: float | None) -> bool:
    """A simulator of somebody else's may leave one open, or answer with no number."""
    return look is not None and math.isfinite(look)


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    return sum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)
