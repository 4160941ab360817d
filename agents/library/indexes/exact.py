"""Exact nearest vectors, among all or some, as fast as the memory can be read.

FAISS's flat index answers a single query on one thread. A matrix product in blocks runs on every core, needs no copy
of the scores, and reads a subset without walking over the rest.
"""

from __future__ import annotations

import numpy as np

from agents.library.indexes.base import Floats, Rows
from lcbm_model.errors import LibraryError

_BLOCK = 65_536
"""Vectors compared at once: 100 MB at 384 dimensions, read in place from the file where it is memory-mapped."""
_GATHERED = 8_192
"""Scattered vectors compared at once; they are copied together first."""


def nearest(vectors: Floats, query: Floats, k: int, among: Rows | None = None) -> tuple[Floats, Rows]:
    """The `k` nearest rows, nearest first; equal cosines in row order.

    Args:
        vectors: (N, D) of unit length.
        query: (D,) of unit length.
        k: 1..N, or 1..M with `among`.
        among: (M,) rows to compare; None for all.

    Returns:
        (k,) cosines and (k,) rows.

    Raises:
        LibraryError: A cosine that cannot be: the vectors are damaged.
    """
    total = len(vectors) if among is None else len(among)
    # Inside a memory-mapped graph the numbers may begin at any byte; products over such take many times as long.
    straight = vectors.flags.aligned
    step = _BLOCK if among is None and straight else _GATHERED
    best, rows = np.empty(0, np.float32), np.empty(0, np.int64)
    for start in range(0, total, step):
        if among is None:
            here = np.arange(start, min(start + step, total), dtype=np.int64)
            block = vectors[start : start + step]
            scores = (block if straight else np.array(block)) @ query
        else:
            here = among[start : start + step]
            scores = vectors[here] @ query
        top = scores.max()
        if not -1.001 <= top <= 1.001:  # NaN fails this too: one of them spoils the maximum
            raise LibraryError(
                "vectors", "are damaged: a similarity lies outside -1..1", remedy="Build the library anew"
            )
        if len(best) == k:
            if top <= best[-1]:  # a later row loses a tie
                continue
            keep = np.flatnonzero(scores > best[-1])
            scores, here = scores[keep], here[keep]
        best, rows = _top(np.concatenate([best, scores]), np.concatenate([rows, here]), k)
    return best, rows


def _top(scores: Floats, rows: Rows, k: int) -> tuple[Floats, Rows]:
    if len(scores) > k:
        # Everything down to the k-th score, ties with it included, so that ties are decided by row.
        edge = np.partition(scores, len(scores) - k)[len(scores) - k]
        keep = np.flatnonzero(scores >= edge)
        scores, rows = scores[keep], rows[keep]
    order = np.lexsort((rows, -scores))[:k]
    return scores[order], rows[order]
