"""Who writes how many drafts: shares follow where gains came from, and nobody is written off for good.

Thompson sampling: each writer's mean gain per draft has a normal posterior, and each draft goes to the writer that
draws the highest mean. A writer with few drafts has a wide posterior and so is tried again; one that brings nothing
draws low and gets little beyond its one draft a round.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

PRIOR_DRAFTS = 4.0
"""Drafts of average gain that every writer is credited with before its first: keeps one lucky draft from deciding."""

LEAST_SPREAD = 2.0
"""Percentile points: least standard deviation of single gains that is reckoned with."""


@dataclass(frozen=True)
class Gains:
    """What one writer's drafts brought so far, in percentile points; a draft that brought nothing counts as 0.

    Attributes:
        n: Drafts asked for.
        total: Sum of their gains.
        squares: Sum of their squared gains.
    """

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, gains: list[float], asked: int) -> Gains:
        """With one round more.

        Args:
            gains: Of the drafts that gained; the others of the `asked` gained 0.

        Raises:
            ValueError: More gains than drafts, or a gain below 0.
        """
        if len(gains) > asked or any(gain < 0 for gain in gains):
            raise ValueError(f"expected at most {asked} gains of 0 and more, got {gains!r}")
        return Gains(self.n + asked, self.total + math.fsum(gains), self.squares + math.fsum(g * g for g in gains))


def shares(n: int, writers: Mapping[str, Gains], *, seed: int) -> dict[str, int]:
    """How many of `n` drafts each writer is asked for; sums to `n` where there is a writer.

    Every writer gets one while `n` suffices. Before any draft was scored all get the same, the first ones the rest.

    Args:
        n: Drafts of the round, 0 or more.
        writers: By name, in the order in which they are hired.
        seed: The same seed and gains give the same shares.

    Raises:
        ValueError: `n` is negative.
    """
    if n < 0:
        raise ValueError(f"expected n >= 0, got {n!r}")
    names = list(writers)
    if not names:
        return {}
    drawn = sum(gains.n for gains in writers.values())
    if drawn == 0:
        return {name: n // len(names) + (i < n % len(names)) for i, name in enumerate(names)}
    generator = np.random.default_rng(seed)
    mean, spread = _posterior(list(writers.values()))
    counts = dict.fromkeys(names, 0)
    # Where there are fewer drafts than writers a draw decides, as for every further draft: else some are never asked.
    chance = generator.normal(mean, spread) if n < len(names) else mean
    for i in np.argsort(-chance, kind="stable")[:n].tolist():
        counts[names[i]] = 1
    for _ in range(n - sum(counts.values())):
        counts[names[int(np.argmax(generator.normal(mean, spread)))]] += 1
    return counts


def _posterior(arms: list[Gains]) -> tuple[np.ndarray, np.ndarray]:
    """(W,) means and standard deviations of the mean gain per draft, in percentile points."""
    n = np.asarray([arm.n for arm in arms], dtype=np.float64)
    total = np.asarray([arm.total for arm in arms])
    grand = total.sum() / n.sum()
    within = sum(arm.squares for arm in arms) / n.sum() - grand**2
    noise = max(math.sqrt(max(within, 0.0)), LEAST_SPREAD)
    return (total + PRIOR_DRAFTS * grand) / (n + PRIOR_DRAFTS), noise / np.sqrt(n + PRIOR_DRAFTS)
