"""The best so far: the highest ranked draft of those that beat the original reliably; and whether a round gained.

The simulator's win probability of a pair is calibrated and compares both texts at once; it is what a gain is measured
by. Whatever stands in the original's place has a chance to beat it of at least `Brief.reliable_gain`. Among such drafts
the rank decides: to hold on to the first of two near equals would protect nobody, and costs clicks (docs/replay.md).
A round has gained where its best beats the one before as reliably. With several objectives it is the mean chance by
weight: what is won on one may be lost on another.
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

    Without an original (none was given, or it was vetoed) it is the first of the ranking.

    Args:
        before: Id of the best so far.
    """
    ranked = best_first(candidates, brief, scorer.calibrated)
    if not ranked:
        return None, False
    original = next((c for c in ranked if c.round == 0), None)
    best = ranked[0] if original is None else _first_above(ranked, original, brief, scorer)
    champion = next((c for c in ranked if c.id == before), original)
    if champion is None:  # an original that may not be published is still what a gain is measured by
        measure = next((c for c in candidates if c.round == 0 and c.score is not None), None)
        return best, before is None and (measure is None or beats(best, measure, brief, scorer))
    return best, best.id != champion.id and beats(best, champion, brief, scorer)


def _first_above(ranked: Sequence[Candidate], original: Candidate, brief: Brief, scorer: Scorer) -> Candidate:
    for candidate in ranked:
        if candidate.id == original.id or beats(candidate, original, brief, scorer):
            return candidate
    return original


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
