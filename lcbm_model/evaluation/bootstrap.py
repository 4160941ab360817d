"""Group-wise bootstrap: rows of one story, page or contest rise and fall together, so whole groups are resampled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Groups = NDArray[Any]
"""(N,) group of each row: any array that `numpy.unique` can sort."""

RESAMPLES = 2000
SEED = 20261122


class Statistic(Protocol):
    """A figure with an interval."""

    def value(self) -> float | None:
        """The figure; None where the data do not define it (no pairs, constant scores)."""
        ...

    def interval(self, *, level: float = 0.95) -> tuple[float, float] | None:
        """Percentile bootstrap interval; None where fewer than two groups leave nothing to resample."""
        ...


@dataclass(frozen=True)
class OfSums:
    """A figure made of sums over groups: a share, a mean of per-group figures, a calibration error.

    Resampling groups then is one matrix product, whatever the number of rows.
    """

    sums: Floats
    """(G, K): K sums for each of G groups."""
    combine: Callable[[Floats], Floats]
    """(..., K) -> (...): the figure from the sums over all groups; not finite where undefined."""

    def value(self) -> float | None:
        return _finite(self.combine(self.sums.sum(axis=0)))

    def interval(self, *, level: float = 0.95) -> tuple[float, float] | None:
        n = len(self.sums)
        if n < 2:
            return None
        rng = np.random.default_rng(SEED)
        counts = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)  # (B, G)
        drawn = self.combine(counts @ self.sums)  # (B,)
        return _percentiles(drawn, level)


@dataclass(frozen=True)
class PooledSpearman:
    """Rank correlation over all rows at once, each row its own group."""

    scores: Floats
    truth: Floats

    def value(self) -> float | None:
        return _finite(_spearman(self.scores, self.truth))

    def interval(self, *, level: float = 0.95) -> tuple[float, float] | None:
        if len(self.scores) < 3 or self.value() is None:
            return None
        drawn = stats.bootstrap(
            (self.scores, self.truth),
            _spearman,
            paired=True,
            vectorized=True,
            n_resamples=RESAMPLES,
            batch=max(1, 4_000_000 // len(self.scores)),
            method="percentile",
            rng=np.random.default_rng(SEED),
        ).bootstrap_distribution
        return _percentiles(drawn, level)


@dataclass(frozen=True)
class Count:
    """A plain count of the data. It is no estimate: its interval is itself."""

    n: int

    def value(self) -> float | None:
        return self.n

    def interval(self, *, level: float = 0.95) -> tuple[float, float] | None:
        return float(self.n), float(self.n)


def ratio(numerator: Floats, denominator: Floats, groups: Groups) -> OfSums:
    """Sum of `numerator` over sum of `denominator`, both (N,), resampled by `groups`."""
    return OfSums(sums_by_group(np.column_stack([numerator, denominator]), groups), divide)


def mean_of_groups(figures: Floats) -> OfSums:
    """Mean of one figure per group, (G,); groups whose figure is not finite are left out."""
    known = figures[np.isfinite(figures)]
    return OfSums(np.column_stack([known, np.ones_like(known)]), divide)


def sums_by_group(values: Floats, groups: Groups) -> Floats:
    """(N, K) values and (N,) groups -> (G, K) sums, groups in sorted order."""
    names, codes = np.unique(groups, return_inverse=True)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, codes, values)
    return sums


def divide(sums: Floats) -> Floats:
    """First sum over second, (..., 2) -> (...); not finite where the second is zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(sums[..., 0] / sums[..., 1])


def _spearman(x: Floats, y: Floats, axis: int = -1) -> Floats:
    """Spearman's rho of scores `x` and truth `y` along `axis`. Vectorised, which `stats.spearmanr` is not.

    Constant scores rank nothing: 0, as a coin would get on average. A constant truth has no ranking: NaN.
    """
    a, b = (r - r.mean(axis=axis, keepdims=True) for r in (stats.rankdata(side, axis=axis) for side in (x, y)))
    spread_a, spread_b = (a**2).sum(axis=axis), (b**2).sum(axis=axis)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = (a * b).sum(axis=axis) / np.sqrt(spread_a * spread_b)
    return np.asarray(np.where((spread_a == 0) & (spread_b > 0), 0.0, rho))


def _finite(value: Floats) -> float | None:
    number = float(value)
    return number if np.isfinite(number) else None


def _percentiles(drawn: Floats, level: float) -> tuple[float, float] | None:
    drawn = drawn[np.isfinite(drawn)]
    if drawn.size == 0:
        return None
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
