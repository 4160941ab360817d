"""One ranking out of several (reciprocal rank fusion: Cormack, Clarke and Buettcher 2009)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DAMPING = 60
"""The authors' constant: how little the very first places count above those that follow."""


def fuse(rankings: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rows of all rankings, best first, by the sum of `1 / (60 + place)` over the rankings they stand in.

    Ranks and not similarities are added, because cosines of texts and of pictures are on different scales.

    Args:
        rankings: Each the row numbers of one ranking, best first, none twice.

    Returns:
        (M,) rows and (M,) scores, 0..1: 1 for a row that is first in every ranking. Equal scores are in row order.
    """
    rows = np.unique(np.concatenate([np.empty(0, np.int64), *rankings]))
    scores = np.zeros(len(rows))
    for ranking in rankings:
        scores[np.searchsorted(rows, ranking)] += (DAMPING + 1) / (DAMPING + 1 + np.arange(len(ranking)))
    scores /= max(len(rankings), 1)
    order = np.lexsort((rows, -scores))
    return rows[order], scores[order]
