"""What a simulator answers: a distribution over behaviour bins, an interval, and who says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from lcbm_model.behavior import BIN_CENTRES, N_BINS
from lcbm_model.content import Content
from lcbm_model.language import language_of

MAX_NODES = 64
"""Quadrature nodes of `win_probabilities`: beyond 128 contents it is no longer exact, but far below 1e-6 off."""


class SimulatorIdentity(BaseModel):
    """Which weights, read out how, calibrated on what. Part of every score and every cache key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: str = Field(description="'local', 'vllm', 'openai_compatible', 'ensemble', ...")
    checkpoint: str = Field(description="Name for people: 'lcbm-smol', 'smollm2-135m-untuned'.")
    checkpoint_hash: str = Field(description="Hash over base weights, adapter and heads.")
    tuned: bool = Field(description="False: never saw behaviour, its scores carry no evidence.")
    readout: str = Field(default="bins", description="'bins': next-token digits; 'bins+value': with a value head.")
    calibration_id: str | None = Field(default=None, description="None: intervals are the model's own, uncalibrated.")
    metrics: tuple[str, ...] = Field(default=(), description="Metrics it was tuned on; empty where untuned.")
    precision: str = Field(default="float32", description="Number type of the forward pass: 'float32', 'bfloat16'.")
    reads_kind: tuple[str, ...] = Field(
        default=(), description="Metrics it judges by a content's format and title beside its words."
    )

    languages: tuple[str, ...] = Field(
        default=(), description="Languages (ISO 639 codes) of the texts it was tuned on; empty: not known."
    )

    def foreign(self, contents: Sequence[Content]) -> dict[str, int]:
        """Languages that it did not learn from, each with the number of contents that are surely in it."""
        if not self.languages:
            return {}
        told = Counter(language_of(content.text) for content in contents)
        return {language: n for language, n in told.most_common() if language and language not in self.languages}

    def without_kind(self, metric: str, contents: Sequence[Content]) -> int:
        """How many contents say neither format nor title though this metric is judged by them too."""
        return sum(not (c.format or c.title) for c in contents) if metric in self.reads_kind else 0

    @property
    def label(self) -> str:
        """One line for tables: 'lcbm-smol (local, tuned, calibrated)'."""
        calibrated = "calibrated" if self.calibration_id else "uncalibrated"
        return f"{self.checkpoint} ({self.backend}, {'tuned' if self.tuned else 'untuned'}, {calibrated})"


class Prediction(BaseModel):
    """The predicted behaviour for one content and one metric.

    Percentiles run 0..100 inside the content's context group. Where `error` is set the numbers are None: one bad
    item never spoils a batch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    simulator: SimulatorIdentity
    bins: tuple[float, ...] = Field(default=(), description="Probability of each decile, lowest first, sums to 1.")
    expected: float | None = Field(default=None, description="Expected percentile 0..100.")
    low: float | None = Field(default=None, description="Lower end of the interval, percentile 0..100.")
    high: float | None = Field(default=None, description="Upper end of the interval, percentile 0..100.")
    level: float = Field(default=0.8, description="Share of truths the interval is meant to hold.")
    utility: float | None = Field(default=None, description="Value head's score: comparable inside one context only.")
    raw: float | None = Field(default=None, description="Expected value on the metric's scale, where a scale is known.")
    raw_low: float | None = None
    raw_high: float | None = None
    missing_mass: float | None = Field(default=None, description="Probability that a hosted model did not show, 0..1.")
    error: str | None = None

    @property
    def ok(self) -> bool:
        return self.error is None

    @classmethod
    def failed(cls, metric: str, simulator: SimulatorIdentity, error: str) -> Prediction:
        """The answer for an item that could not be scored."""
        return cls(metric=metric, simulator=simulator, error=error)

    @classmethod
    def from_bins(
        cls, metric: str, simulator: SimulatorIdentity, bins: Sequence[float], *, level: float = 0.8
    ) -> Prediction:
        """Expected percentile and central interval straight from the bin distribution (uncalibrated).

        Args:
            bins: (N_BINS,) non-negative weights; normalised here.

        Raises:
            ValueError: Not N_BINS finite non-negative weights with a positive sum.
        """
        p = np.asarray(bins, dtype=np.float64)
        if p.shape != (N_BINS,) or not np.isfinite(p).all() or (p < 0).any() or p.sum() <= 0:
            raise ValueError(f"expected {N_BINS} finite non-negative bin weights, got {list(bins)!r}")
        p = p / p.sum()
        low, high = quantiles(p, ((1 - level) / 2, (1 + level) / 2))
        return cls(
            metric=metric,
            simulator=simulator,
            bins=tuple(p.tolist()),
            expected=float(p @ np.asarray(BIN_CENTRES)),
            low=low,
            high=high,
            level=level,
        )


def quantiles(bins: Sequence[float] | np.ndarray, probabilities: Sequence[float]) -> tuple[float, ...]:
    """Percentiles 0..100 at the given probabilities, mass spread evenly inside each bin.

    Args:
        bins: (N_BINS,) probabilities that sum to 1.
        probabilities: Each 0..1.
    """
    edges = np.linspace(0, 100, N_BINS + 1)
    cumulative = np.concatenate([[0.0], np.cumsum(np.asarray(bins, dtype=np.float64))])
    cumulative /= cumulative[-1]
    # A bin without mass makes the inverse jump; a hair of slope keeps `interp` well-defined there.
    cumulative += np.arange(N_BINS + 1) * 1e-12
    return tuple(float(q) for q in np.interp(probabilities, cumulative, edges))


def win_probabilities(bins: Sequence[Sequence[float]]) -> list[float]:
    """Probability that each of several independent draws lands highest; ties are shared. Sums to 1.

    Exact for the discrete bins: P(i wins) = sum over bins b of p_i(b) * E[1 / (1 + ties)] with all others at or
    below b. Where everyone fails to differ, each gets 1 / n.

    Args:
        bins: n distributions of N_BINS probabilities.
    """
    p = np.asarray(bins, dtype=np.float64)  # (n, N_BINS)
    n = len(p)
    if n == 0:
        return []
    below = np.cumsum(p, axis=1) - p  # (n, N_BINS): P(strictly below b)
    # E[1 / (1 + K)] over the others, K of them tied at b and the rest below, is the integral over t in 0..1 of
    # prod_j (below_j + t * p_j): Gauss-Legendre is exact for that polynomial up to 2 * MAX_NODES contents.
    t, weight = np.polynomial.legendre.leggauss(min(n // 2 + 1, MAX_NODES))
    t, weight = (t + 1) / 2, weight / 2
    log_all = np.zeros((N_BINS, len(t)))  # of the product over everyone
    for i in range(n):
        log_all += _log_factor(below[i], p[i], t)
    wins = np.empty(n)
    for i in range(n):
        others = np.exp(log_all - _log_factor(below[i], p[i], t))  # (N_BINS, T)
        wins[i] = float((p[i][:, None] * others * weight).sum())
    return (wins / wins.sum()).tolist() if wins.sum() > 0 else [1 / n] * n


def _log_factor(below: np.ndarray, p: np.ndarray, t: np.ndarray) -> np.ndarray:
    """log(below + t * p) as (N_BINS, T). A floor keeps impossible bins finite, so that they can be taken out again."""
    return np.log(np.maximum(below[:, None] + p[:, None] * t, 1e-280))
