"""What the most similar past posts say of a new one: an estimate, an interval, and how much it rests on.

A neighbour counts by how much more similar it is than two posts of this library usually are: nothing at the usual
similarity, 1 when it is the same text, with the square in between. Beside the neighbours stands one imagined post
whose rank nobody knows. The mixture of the neighbours' ranks, so weighted, and of that one's (any rank alike) is what
is known of the new post: its mean is the estimate, so far neighbours pull it back to 50; its quantiles are the ends of
the interval, so far neighbours leave it as wide as no knowledge.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lcbm_model.errors import LibraryError

NEIGHBOURS = 20
LEVEL = 0.8
UNKNOWN = 1.0
"""Weight of the imagined post. At 1, one identical text and no knowledge at all count alike."""
METHOD = "similarity-weighted ranks of the nearest posts, mixed with one post of unknown rank; interval: its quantiles"


class Evidence(BaseModel):
    """Where posts like this one landed. Ranks are percentiles 0..100 inside the channel, of the raw metric."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    n: int = Field(ge=0, description="Neighbours with a result.")
    estimate: float = Field(ge=0, le=100, description="Expected percentile; 50 where nothing is known.")
    low: float = Field(ge=0, le=100, description="Lower end of where one more such post is expected.")
    high: float = Field(ge=0, le=100)
    level: float = Field(gt=0, lt=1, description="Share of such posts that the interval is meant to hold.")
    strength: float = Field(ge=0, le=1, description="Share of the estimate that rests on neighbours; the rest is 50.")
    effective_n: float = Field(ge=0, description="Equally weighted neighbours that would say as much (Kish).")
    similarity: float | None = Field(description="Of the nearest neighbour; None where there is none.")
    neighbours: tuple[str, ...] = Field(description="Their ids, nearest first.")
    method: str = METHOD

    @property
    def sentence(self) -> str:
        """For people: 'The 20 most similar past posts landed at 62, 48 to 77 (...)'."""
        if self.n == 0:
            return "No past post with a result is comparable."
        posts = "most similar past post" if self.n == 1 else f"{self.n} most similar past posts"
        ends = f"{self.low:.0f} to {self.high:.0f}"
        return (
            f"The {posts} landed at {self.estimate:.0f}, {ends} "
            f"(percentile inside the channel, {self.level:.0%} interval; nearest similarity {self.similarity:.2f})"
        )


def weigh(
    similarities: Sequence[float] | NDArray[np.floating],
    percentiles: Sequence[float] | NDArray[np.floating],
    ids: Sequence[str],
    *,
    metric: str,
    usual: float,
    level: float = LEVEL,
) -> Evidence:
    """Evidence out of neighbours.

    Args:
        similarities: (K,) cosines, nearest first.
        percentiles: (K,) their ranks, 0..100.
        ids: (K,) their ids.
        usual: Similarity that two posts of the library usually have; neighbours no nearer than that say nothing.
        level: Share of such posts that the interval is meant to hold.

    Raises:
        LibraryError: A level outside 0..1.
    """
    if not 0 < level < 1:
        raise LibraryError("level", "must lie between 0 and 1", value=level, remedy="0.8 is usual")
    near, ranks = np.asarray(similarities, dtype=np.float64), np.asarray(percentiles, dtype=np.float64)
    weights = np.clip((near - usual) / max(1 - usual, 1e-9), 0, 1) ** 2  # (K,)
    total = float(weights.sum())
    low, high = (_quantile(weights, ranks, q) for q in ((1 - level) / 2, (1 + level) / 2))
    return Evidence(
        metric=metric,
        n=len(near),
        estimate=float((weights @ ranks + UNKNOWN * 50.0) / (total + UNKNOWN)),
        low=low,
        high=high,
        level=level,
        strength=total / (total + UNKNOWN),
        effective_n=_effective(weights),
        similarity=float(near[0]) if len(near) else None,
        neighbours=tuple(ids),
    )


def usual_similarity(vectors: NDArray[np.float32], *, sample: int = 500) -> float:
    """Median cosine of two different vectors, below 1; 0 where there are not two.

    Args:
        vectors: (N, D) of unit length.
        sample: Vectors that are compared with each other, drawn with a fixed seed.
    """
    n = len(vectors)
    if n < 2:
        return 0.0
    rows = np.sort(np.random.default_rng(0).choice(n, min(n, sample), replace=False))
    taken = np.asarray(vectors[rows])
    cosines = (taken @ taken.T)[np.triu_indices(len(rows), 1)]
    return float(np.clip(np.median(cosines), -0.9, 0.9))


def _effective(weights: NDArray[np.float64]) -> float:
    if not weights.any():
        return 0.0
    relative = weights / weights.max()  # squares of tiny weights would vanish
    return float(relative.sum() ** 2 / (relative @ relative))


def _quantile(weights: NDArray[np.float64], ranks: NDArray[np.float64], q: float) -> float:
    """The smallest rank at which the mixture's distribution function reaches `q`."""
    order = np.argsort(ranks, kind="stable")
    below = np.r_[0.0, np.cumsum(weights[order])]  # weight of the j lowest neighbours
    target = q * (below[-1] + UNKNOWN)
    # With the j lowest passed, the flat part must bring the rest; a step is answered by the rank it is at.
    reached = np.maximum((target - below) * 100 / UNKNOWN, np.r_[0.0, ranks[order]])
    return float(np.clip(reached.min(), 0.0, 100.0))
