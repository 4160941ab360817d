"""The best so far, and what it takes to take its place: a reliable gain, not a higher number.

The simulator's win probability of a pair is calibrated and compares both texts at once; it is what a gain is measured
by. Of the drafts that rank above the best so far, the first whose chance to beat it reaches `Brief.reliable_gain`
takes its place. With several objectives it is the mean chance by weight: what is won on one may be lost on another.
"""

from __future__ import annotations

from collections.abc import Sequence

from optimizer.brief import Brief
from optimizer.loop.ranking import best_first
from optimizer.loop.scoring import Scorer
from optimizer.result import Candidate


def choose(
    candidates: Sequence[Candidate], before: str | None, brief: Brief, scorer: Scorer
) -> tuple[Candidate | None, bool]:
    """The best so far, and whether it was reached by a reliable gain.

    Where there was none before, or it was vetoed, the original stands in; without one the first of the ranking.

    Args:
        before: Id of the best so far.
    """
    ranked = best_first(candidates, brief, scorer.calibrated)
    if not ranked:
        return None, False
    known = {c.id: c for c in ranked}
    champion = known.get(before or "") or next((c for c in ranked if c.round == 0), None)
    if champion is None:
        return ranked[0], before is None
    for challenger in ranked:
        if challenger.id == champion.id:
            break
        if beats(challenger, champion, brief, scorer):
            return challenger, True
    return champion, False


def beats(challenger: Candidate, champion: Candidate, brief: Brief, scorer: Scorer) -> bool:
    """Whether the gain is reliable. Equals never beat each other."""
    assert challenger.prediction is not None
    assert champion.prediction is not None
    total, weights = scorer.win(challenger.prediction, champion.prediction, channel=brief.channel), 1.0
    for objective in brief.objectives:
        if objective.weight == 0:
            continue
        mine, other = challenger.predictions.get(objective.label), champion.predictions.get(objective.label)
        if mine is None or other is None or not (mine.ok and other.ok):
            return False
        win = scorer.win(mine, other, channel=objective.channel or brief.channel)
        total, weights = total + objective.weight * win, weights + objective.weight
    return total / weights >= max(brief.reliable_gain, 0.5 + 1e-9)
