"""What the main metric costs in others: do the drafts that one audience behaviour favours lose another?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

FEWEST = 5
"""Drafts scored on both metrics below which nothing is said."""
STRONG = 0.3
"""Size of a rank correlation below which two metrics are said to have little to do with each other."""


def tradeoff_lines(scored: Sequence[tuple[str, float]], others: Mapping[str, Sequence[tuple[str, float]]]) -> list[str]:
    """One sentence for each other metric: whether the two agree, and where the best draft stands there.

    Args:
        scored: (text, expected percentile) on the main metric.
        others: The same by the title of another metric; drafts without a score there are left out.
    """
    from scipy.stats import spearmanr

    lines = []
    for title, rows in others.items():
        there = dict(rows)
        both = [(text, score, there[text]) for text, score in scored if text in there]
        if len(both) < FEWEST:
            continue
        main, other = (np.array([row[i] for row in both], dtype=np.float64) for i in (1, 2))
        if float(np.ptp(main)) == 0 or float(np.ptp(other)) == 0:
            continue
        rho = float(spearmanr(main, other).statistic)
        best = int(np.argmax(main))
        place = 1 + int((other > other[best]).sum())
        how = "agrees" if rho >= STRONG else "pulls the other way" if rho <= -STRONG else "has little to do with it"
        lines.append(
            f"{title} {how} (rank correlation {rho:+.2f}, n = {len(both)}): the best draft is number {place} of "
            f"{len(both)} there."
        )
    return lines
