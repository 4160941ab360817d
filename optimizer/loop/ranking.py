"""Which candidate is better: the lower end of a calibrated interval, else the expected percentile."""

from __future__ import annotations

from collections.abc import Iterable

from optimizer.result import Candidate


def value(candidate: Candidate, calibrated: bool) -> float | None:
    """What is selected on, percentile 0..100; None where the candidate has no score."""
    if candidate.prediction is None or not candidate.prediction.ok:
        return None
    return candidate.prediction.low if calibrated else candidate.prediction.expected


def best_first(candidates: Iterable[Candidate], calibrated: bool, *, different: int | None = None) -> list[Candidate]:
    """Candidates that passed the screen and have a score, best first.

    Args:
        calibrated: Rank by the lower end of the interval; else by the expected percentile.
        different: Only this many, near-copies of better ones left out.
    """
    from agents.selector import By, Scored, rank, select

    usable = {c.id: c for c in candidates if not c.rejected and value(c, calibrated) is not None}
    scored = []
    for candidate in usable.values():
        prediction = candidate.prediction
        assert prediction is not None  # `value` is set, so both are
        assert prediction.expected is not None
        low = prediction.expected if prediction.low is None else prediction.low
        scored.append(Scored(candidate.id, candidate.text, prediction.expected, low))
    by: By = "low" if calibrated else "expected"
    ordered = rank(scored, by=by) if different is None else select(scored, different, by=by)
    return [usable[s.id] for s in ordered]
