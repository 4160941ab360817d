"""From a query to rows: by words, by picture or by both, as like as can be or as diverse as wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agents.library.fusion import fuse
from agents.library.mmr import POOL, diversify
from agents.library.records import Hit, Post

if TYPE_CHECKING:
    import polars as pl

    from agents.library.index import VectorIndex

FUSED = 50
"""Places of each ranking that are fused, at least."""


@dataclass(frozen=True)
class Found:
    """Rows in the order in which they are shown.

    Attributes:
        rows: (M,) row numbers.
        similarity: (M,) cosine of the words; of the pictures where there are no words.
        picture: (M,) cosine of the pictures, NaN for a post without one; None where no picture was asked for.
    """

    rows: NDArray[np.int64]
    similarity: NDArray[np.float64]
    picture: NDArray[np.float64] | None = None


def find(
    index: VectorIndex,
    vector: NDArray[np.float32] | None,
    k: int,
    *,
    allowed: NDArray[np.bool_] | None = None,
    pictures: NDArray[np.float64] | None = None,
    diversity: float = 0.0,
) -> Found:
    """Up to `k` rows; fewer only where fewer are allowed (and, by picture alone, have one).

    Args:
        vector: (D,) of the words; None to go by picture alone.
        allowed: (N,) bool; None allows all.
        pictures: (N,) cosine of each post's picture to the one asked for, NaN without; None to go by words alone.
        diversity: 0..1, see `mmr.diversify`.
    """
    pool = k if diversity == 0 else POOL * k
    rows: NDArray[np.int64]
    similarity: NDArray[np.floating]
    relevance: NDArray[np.floating]
    if pictures is None:
        assert vector is not None, "words or pictures"
        similarity, rows = index.search(vector, pool, allowed)
        relevance = similarity
    elif vector is None:
        rows = _ranked(pictures, pool, allowed)
        relevance = similarity = pictures[rows]
    else:
        _, read = index.search(vector, max(pool, FUSED), allowed)
        fused, score = fuse([read, _ranked(pictures, max(pool, FUSED), allowed)])
        rows, relevance = fused[:pool], score[:pool]
        similarity = index.vectors[rows] @ (vector / np.linalg.norm(vector))
    if diversity > 0:
        chosen = diversify(relevance, index.vectors[rows], k, diversity)
        rows, similarity = rows[chosen], similarity[chosen]
    picture = None if pictures is None else pictures[rows[:k]]
    return Found(rows[:k], np.asarray(similarity[:k], dtype=np.float64), picture)


def hits_of(frame: pl.DataFrame, found: Found, metric: str) -> list[Hit]:
    """Rows as hits, with the figures of `metric`."""
    hits = []
    for i, row in enumerate(found.rows):
        post = Post.from_row(frame.row(int(row), named=True))
        facts: dict[str, Any] = {
            "post": post,
            "similarity": float(found.similarity[i]),
            "metric": metric,
            "value": post.values.get(metric),
            "percentile": post.percentiles.get(metric),
        }
        if found.picture is None:
            hits.append(Hit(**facts))
        else:
            from agents.library.pictures import PictureHit

            likeness = float(found.picture[i])
            hits.append(PictureHit(**facts, picture_similarity=None if np.isnan(likeness) else likeness))
    return hits


def _ranked(similarity: NDArray[np.float64], k: int, allowed: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """Rows with a similarity that are allowed, best first, ties in row order."""
    there = ~np.isnan(similarity) if allowed is None else ~np.isnan(similarity) & allowed
    rows = np.flatnonzero(there)
    return rows[np.lexsort((rows, -similarity[rows]))][:k]
