"""Which scored drafts go on: ranked by a setting, near-copies left out, the same answer every time.

With several objectives, `pareto` finds the drafts that no other beats on all of them.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agents.screener.folding import text_key

By = Literal["expected", "low"]


@dataclass(frozen=True)
class Scored:
    """A draft and its predicted percentiles 0..100."""

    id: str
    text: str
    expected: float
    low: float

    def value(self, by: By) -> float:
        return self.low if by == "low" else self.expected


def rank(scored: Sequence[Scored], *, by: By = "expected") -> list[Scored]:
    """Best first. Ties go to the better other bound, then to the shorter text, then by id, never by input order."""
    other: By = "expected" if by == "low" else "low"
    return sorted(scored, key=lambda s: (-s.value(by), -s.value(other), len(s.text), s.id))


def similarity(a: str, b: str) -> float:
    """Likeness of two texts 0..1: shared words in any order or shared character runs, whichever is larger."""
    from rapidfuzz import fuzz, utils

    if not utils.default_process(a) or not utils.default_process(b):
        return fuzz.ratio(a, b) / 100  # of nothing but signs: all would be alike without them
    return max(scorer(a, b, processor=utils.default_process) for scorer in (fuzz.ratio, fuzz.token_sort_ratio)) / 100


def pareto(points: Sequence[Sequence[float]]) -> list[int]:
    """Indexes of the points that no other point matches everywhere and beats somewhere; more is better.

    Exact. In falling lexicographic order no point is beaten by a later one, so each meets the front found so far only.
    Equal points stay together.

    Args:
        points: (N, O) values.

    Raises:
        ValueError: Points of unequal length.
    """
    if len({len(point) for point in points}) > 1:
        raise ValueError(f"expected points of one length, got {sorted({len(point) for point in points})}")

    front: list[int] = []
    for i in sorted(range(len(points)), key=lambda i: tuple(points[i]), reverse=True):
        point = tuple(points[i])
        rivals = (tuple(points[j]) for j in front)
        if not any(other != point and all(map(operator.ge, other, point)) for other in rivals):
            front.append(i)
    return sorted(front)


def diverse(ranked: Sequence[Scored], k: int, *, max_similarity: float = 0.85) -> list[Scored]:
    """The first `k` that are no near-copies of a better one. Fewer where there are fewer: never padded."""
    slate: list[Scored] = []
    for candidate in ranked:
        if len(slate) >= k:
            break
        if all(similarity(candidate.text, chosen.text) <= max_similarity for chosen in slate):
            slate.append(candidate)
    return slate


def select(scored: Sequence[Scored], k: int, *, by: By = "expected", max_similarity: float = 0.85) -> list[Scored]:
    """A slate of up to `k` good and different drafts, best first.

    Args:
        scored: Drafts that passed the screen, with their scores.
        k: Size of the slate, 0 or more.
        by: 'low' ranks by the lower end of the interval and so distrusts unsure scores; 'expected' by the mean.
        max_similarity: Drafts more alike than this (0..1) to a better one are left out; 1 keeps all but equal texts.

    Raises:
        ValueError: `k` is negative or `max_similarity` outside 0..1.
    """
    if k < 0 or not 0 <= max_similarity <= 1:
        raise ValueError(f"expected k >= 0 and max_similarity in 0..1, got {k!r} and {max_similarity!r}")
    seen: set[str] = set()
    unique = []
    for candidate in rank(scored, by=by):
        key = text_key(candidate.text)
        if key not in seen:
            seen.add(key)
            unique.append(candidate)
    return diverse(unique, k, max_similarity=max_similarity)
