"""Which candidate is better: the lower end of a calibrated interval, else the expected percentile."""

from __future__ import annotations

from collections.abc import Iterable

from optimizer.result import Candidate


def value(candidate: Candidate, calibrated: bool) -> float | None:
    """What is selected on, percentile 0..100; None where the candidate has no score."""
    if candidate.prediction is None or not candidate.prediction.ok:
        return None
    return candidate.prediction.low if calibrated else candidate.prediction.expected


def best_first(candidates: Iterable[Candidate], calibrated: bool) -> list[Candidate]:
    """Candidates that passed the screen and have a score, best first; of equals the earlier one leads."""
    usable = [c for c in candidates if not c.rejected and value(c, calibrated) is not None]
    return sorted(usable, key=lambda c: (-(value(c, calibrated) or 0.0), -(c.score or 0.0)))
