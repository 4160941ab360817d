"""How hard an approximate index must look, found by comparing it with exact search on the library's own vectors."""

from __future__ import annotations

import numpy as np

from agents.library.indexes.base import Floats, Kind
from agents.library.indexes.exact import nearest

TARGET = 0.95
"""Share of the true ten nearest that must be found."""
AIM = 0.98
"""What is tuned for: the queries that come are never quite those that were tuned on."""
_K = 10
_QUERIES = 100


def tune(kind: Kind, *, target: float = AIM) -> float:
    """Set the least effort that reaches `target` recall at 10, the most where none does.

    Returns:
        The recall reached, 0..1.
    """
    vectors = kind.vectors
    queries = sample_queries(vectors)
    truth = [set(nearest(vectors, q, min(_K, len(vectors)))[1].tolist()) for q in queries]
    recall = 1.0
    for effort in kind.efforts:
        kind.effort = effort
        recall = _recall(kind, queries, truth)
        if recall >= target:
            break
    return recall


def measure(kind: Kind) -> float:
    """Recall at 10 of an index at its present effort, 0..1."""
    vectors = kind.vectors
    queries = sample_queries(vectors)
    truth = [set(nearest(vectors, q, min(_K, len(vectors)))[1].tolist()) for q in queries]
    return _recall(kind, queries, truth)


def sample_queries(vectors: Floats) -> Floats:
    """(Q, D) queries like those that will come: near the stored vectors, but none of them.

    Each lies as far from a vector as that one's tenth nearest does, but in a direction of its own: what people ask for
    seldom lies between two posts, and a graph or a cell finds what does lie there too easily.
    """
    n, dimension = vectors.shape
    rng = np.random.default_rng(0)
    queries = []
    for row in rng.choice(n, min(_QUERIES, n), replace=False):
        cosines, _ = nearest(vectors, vectors[row], min(_K, n))
        distance = np.sqrt(max(0.0, 2 - 2 * float(cosines[-1])))
        aside = rng.normal(size=(dimension,)).astype(np.float32)
        query = vectors[row] + distance * aside / np.linalg.norm(aside)
        queries.append(query / np.linalg.norm(query))
    return np.ascontiguousarray(np.stack(queries), dtype=np.float32)


def _recall(kind: Kind, queries: Floats, truth: list[set[int]]) -> float:
    _, rows = kind.nearest(queries, len(truth[0]), None)
    found = sum(len(true & set(row.tolist())) for true, row in zip(truth, rows, strict=True))
    return found / sum(len(true) for true in truth)
