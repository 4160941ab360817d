"""What part of the drafts' scores only follows their length and format, and the scores without it.

A simulator that likes long texts, digits or capitals can be won by them alone. A ridge regression of the scores on
such surface features finds how much of them those features predict, with the penalty chosen by leaving out each draft
in turn. The best of several penalties foretells something of any scores; so the part is taken away only where it
foretells more than it does of the same scores in another order (a permutation test).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FEATURES = ("log length", "capitals", "digits", "punctuation", "lines and sentences")
FEWEST = 8
"""Scored drafts below which nothing is fitted."""
SHUFFLES = 199
LEVEL = 0.05
"""Share of shuffled scores of which the surface may foretell as much."""
_PENALTIES = tuple(10.0**power for power in np.arange(-1, 3.01, 0.5))


class LengthDebias:
    """Fitted on the drafts of one run; unfitted, or with nothing to find, it leaves scores as they are.

    Attributes:
        explained: Share of the scores' variance that the surface predicts on left-out drafts, 0..1.
    """

    def __init__(self) -> None:
        self.explained = 0.0
        self._mean = np.zeros(len(FEATURES))
        self._spread = np.ones(len(FEATURES))
        self._weights = np.zeros(len(FEATURES))

    def fit(self, texts: Sequence[str], expected: Sequence[float]) -> LengthDebias:
        """Learn the surface part from scored drafts.

        Args:
            expected: (N,) expected percentiles 0..100, one for each text.

        Raises:
            ValueError: Not as many scores as texts, or scores that are not finite.
        """
        scores = np.asarray(expected, dtype=np.float64)
        if scores.shape != (len(texts),) or not np.isfinite(scores).all():
            raise ValueError(f"expected {len(texts)} finite scores, got {list(expected)!r}")
        self.__init__()  # type: ignore[misc]
        if len(texts) < FEWEST or float(np.ptp(scores)) < 1e-9:
            return self
        raw = np.array([surface(text) for text in texts])  # (N, F)
        self._mean = raw.mean(axis=0)
        spread = raw.std(axis=0)
        self._spread = np.where(spread > 1e-9, spread, np.inf)  # what never varies explains nothing
        self.explained, self._weights = _beyond_chance((raw - self._mean) / self._spread, scores - scores.mean())
        return self

    def surface_part(self, texts: Sequence[str]) -> list[float]:
        """(N,) percentile points by which length and format alone move each score off the drafts' mean."""
        if not texts:
            return []
        raw = np.array([surface(text) for text in texts])
        return [float(part) for part in ((raw - self._mean) / self._spread) @ self._weights]

    def adjust(self, texts: Sequence[str], expected: Sequence[float]) -> list[float]:
        """The scores without their surface part, in 0..100.

        Raises:
            ValueError: Not as many scores as texts.
        """
        parts = self.surface_part(texts)
        return [float(np.clip(score - part, 0.0, 100.0)) for score, part in zip(expected, parts, strict=True)]


def surface(text: str) -> list[float]:
    """(F,) features in the order of `FEATURES`; shares are of the visible characters."""
    visible = [c for c in text if not c.isspace()]
    n = max(len(visible), 1)
    return [
        float(np.log1p(len(text.strip()))),
        sum(c.isupper() for c in visible) / n,
        sum(c.isdigit() for c in visible) / n,
        sum(not c.isalnum() for c in visible) / n,
        float(len(re.findall(r"[.!?…]+(?=\s|$)|\n+", text.strip()))),
    ]


def _beyond_chance(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Share of variance explained on left-out rows, and weights, (N, F) and (N,) -> (F,); zeros where it is no more
    than chance finds."""
    order = np.random.default_rng(0)
    columns = np.column_stack([y, *(order.permutation(y) for _ in range(SHUFFLES))])  # (N, 1 + SHUFFLES)
    explained, weights = _best_ridge(x, columns)
    by_chance = (1 + int((explained[1:] >= explained[0]).sum())) / (1 + SHUFFLES)
    if explained[0] <= 0 or by_chance > LEVEL:
        return 0.0, np.zeros(x.shape[1])
    return float(explained[0]), weights[:, 0]


def _best_ridge(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each column of centred scores (N, C): variance explained on left-out rows (C,) by the penalty that explains
    most, and its weights (F, C)."""
    n = len(y)
    left, values, right = np.linalg.svd(x, full_matrices=False)
    alone = ((y * n / (n - 1)) ** 2).sum(axis=0)  # error of predicting each row by the mean of the others
    turned = left.T @ y
    best, weights = np.full(y.shape[1], -np.inf), np.zeros((x.shape[1], y.shape[1]))
    for penalty in _PENALTIES:
        shrink = values**2 / (values**2 + penalty)
        hat = (left**2) @ shrink + 1 / n  # leverages, the mean's included
        errors = (y - left @ (shrink[:, None] * turned)) / np.maximum(1 - hat, 1e-6)[:, None]
        explained = 1 - (errors**2).sum(axis=0) / alone
        better = explained > best
        best = np.where(better, explained, best)
        weights[:, better] = right.T @ ((values / (values**2 + penalty))[:, None] * turned[:, better])
    return best, weights
