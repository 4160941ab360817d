"""Behaviour: with what effect (the second half of a record), raw and normalised."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

N_BINS = 10
"""Behaviour bins: deciles inside the context group. One digit each, one token in every tokenizer in use."""

BIN_CENTRES = tuple(100.0 * (b + 0.5) / N_BINS for b in range(N_BINS))
"""Percentile at the middle of each bin: 5, 15, ... 95."""


def percentile_to_bin(percentile: float) -> int:
    """Bin 0..9 of a percentile 0..100 (100 belongs to the top bin)."""
    if not 0 <= percentile <= 100:
        raise ValueError(f"percentile must lie in 0..100, got {percentile!r}")
    return min(int(percentile * N_BINS / 100), N_BINS - 1)


class Observation(BaseModel):
    """What receivers did with one piece of content. Raw numbers always stay beside the normalised one.

    For a rate metric `count / exposure == value`; for counts `value == count`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    value: float = Field(description="On the metric's own scale: a rate 0..1, a count, a mean rating.")
    count: float | None = Field(default=None, ge=0, description="Clicks, likes, ... where the value is made of them.")
    exposure: float | None = Field(default=None, ge=0, description="Impressions, views, votes behind the value.")
    percentile: float | None = Field(default=None, ge=0, le=100, description="Rank inside the context group.")

    @field_validator("value")
    @classmethod
    def _finite(cls, value: float) -> float:
        if not np.isfinite(value):
            raise ValueError("must be a finite number")
        return value


class PercentileScale(BaseModel):
    """Maps raw values of one context group to percentiles and back by the empirical distribution.

    Ties share the middle of their range (mid-rank), so a constant group sits at 50. Between and beyond the known
    values both directions interpolate linearly and clamp. Percentiles count from the worse end: where less is better
    they fall as values rise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: tuple[float, ...] = Field(min_length=1, description="Ascending distinct raw values.")
    percentiles: tuple[float, ...] = Field(min_length=1, description="Mid-rank percentile of each value, 0..100.")
    n: int = Field(ge=1, description="Posts behind the scale.")

    @classmethod
    def fit(cls, values: Iterable[float], *, higher_is_better: bool = True) -> PercentileScale:
        """Fit on raw values.

        Args:
            higher_is_better: Of their metric; False gives the lowest value the highest percentile.

        Raises:
            ValueError: No values, or one that is not finite.
        """
        data = np.sort(np.asarray(list(values), dtype=np.float64))
        if data.size == 0 or not np.isfinite(data).all():
            raise ValueError("a percentile scale needs at least one value, all of them finite")
        distinct, counts = np.unique(data, return_counts=True)
        above = np.cumsum(counts)
        mid = 100.0 * (above - counts / 2) / data.size
        mid = mid if higher_is_better else 100.0 - mid
        return cls(values=tuple(distinct.tolist()), percentiles=tuple(mid.tolist()), n=int(data.size))

    def to_percentile(self, value: float) -> float:
        """Raw value to percentile 0..100."""
        return float(np.interp(value, self.values, self.percentiles))

    def to_raw(self, percentile: float) -> float:
        """Percentile 0..100 to raw value."""
        rising = slice(None, None, 1 if self.percentiles[0] <= self.percentiles[-1] else -1)
        return float(np.interp(percentile, self.percentiles[rising], self.values[rising]))
