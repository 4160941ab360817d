"""Which candidate is better: the lower confidence bound where there is a calibration, else the expected percentile.

The lower bound is the low end of the calibrated interval. Of an ensemble it holds the members' disagreement as well:
the mean of the members' low ends less one standard deviation of their expected percentiles
(`lcbm_model.simulator.ensemble`). A draft that the simulator is unsure of, or that its members quarrel over, so ranks
below one of the same mean. Equal bounds are told apart by the expected percentile. Over several objectives it is the
weighted mean of the bounds.
"""

from __future__ import annotations

from collections.abc import Iterable

from agents.selector import By, Scored, pareto, rank, select
from optimizer.brief import Brief
from optimizer.result import Candidate


def best_first(
    candidates: Iterable[Candidate],
    brief: Brief,
    calibrated: bool,
    *,
    different: int | None = None,
    refused: bool = False,
) -> list[Candidate]:
    """Candidates that may be chosen, best first.

    Args:
        calibrated: Rank by the lower bound; else by the expected percentile.
        different: Only this many, near-copies of better ones left out.
        refused: Also those that were scored and may not be chosen.
    """
    by: By = "low" if calibrated else "expected"
    usable = {c.id: c for c in candidates if c.eligible or refused}
    scored = [s for c in usable.values() if (s := _scored(c, brief)) is not None]
    ordered = rank(scored, by=by) if different is None else select(scored, different, by=by)
    return [usable[s.id] for s in ordered]


def slate(
    candidates: Iterable[Candidate], best: Candidate | None, brief: Brief, calibrated: bool, *, losing: bool = False
) -> list[Candidate]:
    """Good and different drafts, `best` first, the rest as ranked; near-copies of a better one are left out.

    Args:
        losing: Also drafts that the original beats as surely as a gain would have to be.
    """
    from agents.selector import diverse

    def good(candidate: Candidate) -> bool:
        win = candidate.win_over_original
        return losing or win is None or win >= 1 - brief.reliable_gain

    ranked = [c for c in best_first(candidates, brief, calibrated) if (best is None or c.id != best.id) and good(c)]
    first = [best] if best is not None and best.score is not None else []
    usable = {c.id: c for c in [*first, *ranked]}
    scored = [s for c in usable.values() if (s := _scored(c, brief)) is not None]
    return [usable[s.id] for s in diverse(scored, brief.slate)]


def front(candidates: Iterable[Candidate], brief: Brief, calibrated: bool) -> list[Candidate]:
    """The Pareto front over the brief's metric and its objectives; empty where the brief has a single aim."""
    if not brief.objectives:
        return []
    labels = [objective.label for objective in brief.objectives]
    points: dict[str, tuple[float, ...]] = {}
    usable = {c.id: c for c in candidates if c.eligible}
    for candidate in usable.values():
        own = candidate.bounds()
        others = [candidate.predictions.get(label) for label in labels]
        if own is None or any(p is None or p.expected is None for p in others):
            continue
        values = [p.low if calibrated and p.low is not None else p.expected for p in others if p is not None]
        points[candidate.id] = (own[1] if calibrated else own[0], *(float(v) for v in values if v is not None))
    ids = list(points)
    found = [usable[ids[i]] for i in pareto(list(points.values()))]
    return best_first(found, brief, calibrated)


def _scored(candidate: Candidate, brief: Brief) -> Scored | None:
    bounds = candidate.bounds({objective.label: objective.weight for objective in brief.objectives})
    return None if bounds is None else Scored(candidate.id, candidate.text, *bounds)
