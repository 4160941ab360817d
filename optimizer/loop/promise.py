"""Which draft is worth the next simulator call: what a first look promises, against what a call costs.

A first look foretells a draft's score, roughly. How roughly is learned in the run: a Bayesian regression of scores on
looks, which begins at what was measured on other texts and moves with every call. Whom to ask about next, and when to
stop, is Weitzman's rule ("Optimal search for the best alternative", 1979): every draft has a reservation value, the
score in hand at which asking about it would gain just what the call costs; ask in falling order, stop where the best in
hand is above all that are left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

SLOPE, SLOPE_SPREAD = 1.4, 0.5
"""Points of score for a point of first look, before any call of the run, and its standard deviation between briefs."""
NOISE = 1.5
"""Standard deviation of scores around what a first look foretells, points; between texts of one brief. All three were
measured on the development half of benchmarks/peers_briefs.yaml (train_recipes/LOG.md)."""
LEVEL_SPREAD = 25.0
"""Standard deviation of a brief's level around 50, points: next to nothing is known of it before the first call."""
_STANDARD = NormalDist()


@dataclass(frozen=True)
class Promise:
    """A draft's score before it is asked for: normal, percentile points."""

    mean: float
    spread: float

    def expected_gain(self, best: float) -> float:
        """E[max(score - best, 0)], points."""
        z = (self.mean - best) / self.spread
        return self.spread * (_STANDARD.pdf(z) + z * _STANDARD.cdf(z))

    def reservation(self, price: float) -> float:
        """The best in hand at which one more call gains its price; infinite where calls cost nothing.

        Args:
            price: Points that a call must be expected to gain.
        """
        from scipy.optimize import brentq

        if price <= 0:
            return math.inf
        low, high = self.mean - price - 8 * self.spread, self.mean + 40 * self.spread
        return float(brentq(lambda best: self.expected_gain(best) - price, low, high))


def promises(known: Sequence[tuple[float, float]], looks: Sequence[float]) -> list[Promise]:
    """One promise for each look.

    Args:
        known: (look, score) of the texts scored so far, points.
        looks: Of the drafts not scored yet.
    """
    if not looks:
        return []
    centre = known[0][0] if known else float(np.mean(looks))
    x = np.asarray([(1.0, look - centre) for look, _ in known]).reshape(-1, 2)  # (N, 2)
    y = np.asarray([score for _, score in known])  # (N,)
    prior, before = np.diag([LEVEL_SPREAD**-2, SLOPE_SPREAD**-2]), np.asarray([50.0, SLOPE])
    covariance = np.linalg.inv(prior + x.T @ x / NOISE**2)  # (2, 2)
    weights = covariance @ (prior @ before + x.T @ y / NOISE**2)  # (2,)
    due = np.asarray([(1.0, look - centre) for look in looks])  # (M, 2)
    spreads = np.sqrt(NOISE**2 + np.einsum("mi,ij,mj->m", due, covariance, due))
    return [Promise(float(m), float(s)) for m, s in zip(due @ weights, spreads, strict=True)]


def most_promising(
    known: Sequence[tuple[float, float]], looks: Sequence[float], best: float | None, price: float, n: int
) -> list[int]:
    """Places in `looks` of the up to `n` drafts to ask about next, the most promising first; empty: stop.

    Args:
        best: Score in hand; None where there is none yet.
    """
    values = [promise.reservation(price) for promise in promises(known, looks)]
    worth = [i for i, value in enumerate(values) if best is None or value > best]
    return sorted(worth, key=lambda i: (-values[i], -looks[i], i))[:n]
