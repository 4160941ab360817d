"""Diverse results by maximal marginal relevance (Carbonell and Goldstein 1998)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

POOL = 5
"""Candidates looked at for each result wanted."""


def diversify(
    relevance: NDArray[np.floating], vectors: NDArray[np.float32], k: int, diversity: float
) -> NDArray[np.int64]:
    """Positions of `k` relevant and unlike candidates, in the order they were chosen.

    Each choice has the highest `(1 - diversity) * relevance - diversity * likeness`, where likeness is the cosine to
    the most similar one chosen before.

    Args:
        relevance: (M,) of each candidate, higher is better, on the scale of a cosine.
        vectors: (M, D) of unit length.
        k: How many; fewer come where there are fewer candidates.
        diversity: 0 goes by relevance alone, 1 by unlikeness alone (after the most relevant one).
    """
    left = np.ones(len(relevance), dtype=bool)
    likeness = np.full(len(relevance), -1.0)
    chosen: list[int] = []
    while left.any() and len(chosen) < k:
        score = (1 - diversity) * relevance - diversity * likeness if chosen else relevance
        best = int(np.argmax(np.where(left, score, -np.inf)))
        chosen.append(best)
        left[best] = False
        likeness = np.maximum(likeness, vectors @ vectors[best])
    return np.asarray(chosen, dtype=np.int64)
