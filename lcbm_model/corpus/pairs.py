"""Pairs of records whose behaviour may be compared, with how sure the data are of the winner.

Inside a randomised test the evidence is the z of two proportions; elsewhere it is the difference of two shrunken
standings. Either way the soft target is Phi(z), so a pair that differs by luck teaches next to nothing, and the
weight min(|z|, 4) / 2 lets clear pairs speak louder without letting a few giants drown the rest.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import special

from lcbm_model.behavior import Observation
from lcbm_model.corpus.record import Record
from lcbm_model.corpus.shrinkage import MAX_RELIABILITY, MIN_RELIABILITY, Array

MAX_Z = 4.0


@dataclass(frozen=True)
class Pair:
    """Two records of one test or context. `z > 0`: the first did better."""

    first: Record
    second: Record
    metric: str
    z: float
    significant: bool
    """|z| > 1.96."""

    @property
    def target(self) -> float:
        """Probability 0..1 that the first is truly the better one, Phi(z)."""
        return float(special.ndtr(self.z))

    @property
    def weight(self) -> float:
        """min(|z|, 4) / 2: 0..2."""
        return min(abs(self.z), MAX_Z) / 2


def two_proportion_z(count1: Array, n1: Array, count2: Array, n2: Array) -> Array:
    """z of the difference of two proportions with the pooled variance, element by element; 0 where it is undefined."""
    pooled = (count1 + count2) / (n1 + n2)
    variance = pooled * (1 - pooled) * (1 / n1 + 1 / n2)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (count1 / n1 - count2 / n2) / np.sqrt(variance)
    return np.where(variance > 0, z, 0.0)


def arm_pairs(records: Iterable[Record], metric: str) -> Iterator[Pair]:
    """All pairs of arms of the same randomised comparison that have counts and exposures, in file order.

    Arms with the same words are left out: they differ by luck alone.
    """
    arms: dict[str, list[tuple[Record, Observation]]] = defaultdict(list)
    for record in records:
        seen = record.observation(metric)
        if record.arms is not None and seen is not None and seen.exposure and seen.count is not None:
            arms[record.arms].append((record, seen))
    both = [
        (a, b)
        for group in arms.values()
        for a, b in combinations(group, 2)
        if a[0].content.text.strip() != b[0].content.text.strip()
    ]
    if not both:
        return
    numbers = np.array([[a.count, a.exposure, b.count, b.exposure] for (_, a), (_, b) in both], dtype=np.float64)
    for ((first, _), (second, _)), z in zip(both, two_proportion_z(*numbers.T).tolist(), strict=True):
        yield Pair(first, second, metric, z, abs(z) > 1.96)


def standing_z(first: Record, second: Record, metric: str) -> float | None:
    """How many standard errors the first stands above the second inside their context; None where unmeasured.

    The standing of a record is the posterior of its normal score: mean sqrt(r) * score(percentile), variance 1 - r,
    with r its reliability (`Record.weight`).
    """
    a, b = first.observation(metric), second.observation(metric)
    if a is None or b is None or a.percentile is None or b.percentile is None:
        return None
    r = np.clip([first.weight, second.weight], MIN_RELIABILITY, MAX_RELIABILITY)
    scores = special.ndtri(np.clip([a.percentile / 100, b.percentile / 100], 0.001, 0.999))
    means = np.sqrt(r) * scores
    return float((means[0] - means[1]) / np.sqrt((1 - r).sum()))


def context_pairs(records: Iterable[Record], metric: str, *, seed: int = 0, per_record: float = 1.0) -> Iterator[Pair]:
    """Pairs sampled inside each context (a page, a community, a contest), the same for the same seed.

    Args:
        per_record: Pairs drawn for each record of a context.
    """
    contexts: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        seen = record.observation(metric)
        if seen is not None and seen.percentile is not None:
            contexts[record.context].append(record)
    for context, members in contexts.items():
        if len(members) < 2:
            continue
        draw = np.random.default_rng(np.random.SeedSequence([seed, stable_hash(context)]))
        n = max(1, round(per_record * len(members)))
        left = draw.integers(len(members), size=n)
        right = (left + draw.integers(1, len(members), size=n)) % len(members)
        for i, j in zip(left.tolist(), right.tolist(), strict=True):
            z = standing_z(members[i], members[j], metric)
            if z is not None and members[i].content != members[j].content:
                yield Pair(members[i], members[j], metric, z, abs(z) > 1.96)


def stable_hash(text: str) -> int:
    """A 64-bit hash that is the same on every machine and run."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
