"""Conformal calibration: intervals that hold the promised share of truths, kept as JSON beside the checkpoint.

The interval is the bin distribution's own (tempered so that it is likeliest on held-out behaviour), pushed out or
in by the conformal quantile of how far held-out truths fell outside it (conformalized quantile regression, Romano,
Patterson and Candes 2019).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lcbm_model.behavior import percentile_to_bin
from lcbm_model.errors import CheckpointError
from lcbm_model.prediction import Prediction


class Entry(BaseModel):
    """Calibration of one metric, or of one metric on one channel."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bin_temperature: float = Field(default=1.0, gt=0, description="Above 1 flattens the bin distribution.")
    widen: float = Field(default=0.0, ge=-50, le=100, description="Percentile points added at either end.")
    utility_temperature: float = Field(default=1.0, gt=0, description="Divides differences of utility.")
    n: int = Field(default=0, ge=0, description="Held-out posts behind it.")


class ConformalCalibration(BaseModel):
    """Entries by "metric" or "metric/channel"."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["conformal"] = "conformal"
    level: float = Field(default=0.8, gt=0, lt=1, description="Share of truths an interval is meant to hold.")
    entries: dict[str, Entry] = Field(min_length=1)
    unseen_extra: float = Field(
        default=5.0, ge=0, description="Further points for a channel, a metric or a language never seen."
    )

    @property
    def id(self) -> str:
        """Hash of every number in it (12 hex digits)."""
        return f"conformal-{hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]}"

    def apply(self, prediction: Prediction, channel: str, *, strange: bool = False) -> Prediction:
        """The prediction with tempered bins and a conformal interval at `level`, wider for a `strange` text."""
        entry, extra = self._entry(prediction.metric, channel)
        extra = max(extra, self.unseen_extra * strange)
        bins = np.asarray(prediction.bins) ** (1 / entry.bin_temperature)
        fresh = Prediction.from_bins(prediction.metric, prediction.simulator, bins.tolist(), level=self.level)
        assert fresh.low is not None
        assert fresh.high is not None
        middle = (fresh.low + fresh.high) / 2
        # A negative `widen` may pull the ends together, never past each other.
        low = max(0.0, min(fresh.low - entry.widen - extra, middle))
        high = min(100.0, max(fresh.high + entry.widen + extra, middle))
        return fresh.model_copy(update={"low": low, "high": high, "utility": prediction.utility})

    def utility_temperature(self, metric: str, channel: str) -> float:
        """Temperature of the utilities; that of the metric where the channel is new."""
        return self._entry(metric, channel)[0].utility_temperature

    def _entry(self, metric: str, channel: str) -> tuple[Entry, float]:
        """The closest entry and what is added because it is not exact."""
        if found := self.entries.get(f"{metric}/{channel}"):
            return found, 0.0
        channels = [entry for key, entry in self.entries.items() if key.startswith(f"{metric}/")]
        if not channels and metric in self.entries:
            return self.entries[metric], 0.0
        # Never seen here: as wide as the widest known, and then some.
        widest = max(channels or self.entries.values(), key=lambda entry: entry.widen)
        return self.entries.get(metric, widest).model_copy(update={"widen": widest.widen}), self.unseen_extra


def fit_entry(
    predictions: Sequence[Prediction],
    percentiles: Sequence[float],
    *,
    level: float = 0.8,
    utility_temperature: float = 1,
) -> Entry:
    """Calibrate on held-out posts of one metric (and channel). Items with errors are left out.

    Args:
        predictions: Uncalibrated.
        percentiles: What happened, 0..100, in the same order.
        level: Share of truths the interval is to hold.

    Raises:
        ValueError: No scored prediction.
    """
    from scipy.optimize import minimize_scalar

    scored = [(p, y) for p, y in zip(predictions, percentiles, strict=True) if p.ok]
    if not scored:
        raise ValueError("a calibration needs at least one scored prediction")
    bins = np.clip([p.bins for p, _ in scored], 1e-12, None)  # (n, N_BINS)
    hit = np.array([percentile_to_bin(y) for _, y in scored])

    def loss(log_temperature: float) -> float:
        """Mean negative log-likelihood of the tempered bins."""
        logits = np.log(bins) / math.exp(log_temperature)
        logits -= logits.max(axis=1, keepdims=True)
        chosen = logits[np.arange(len(hit)), hit]
        return float((np.log(np.exp(logits).sum(axis=1)) - chosen).mean())

    found = minimize_scalar(loss, bounds=(math.log(0.05), math.log(20)), method="bounded")
    temperature = math.exp(float(found.x))
    tempered = [Prediction.from_bins(p.metric, p.simulator, (b ** (1 / temperature)).tolist(), level=level)
                for (p, _), b in zip(scored, bins, strict=True)]  # fmt: skip
    outside = sorted(max((t.low or 0) - y, y - (t.high or 0)) for t, (_, y) in zip(tempered, scored, strict=True))
    rank = min(math.ceil((len(outside) + 1) * level), len(outside)) - 1
    widen = float(np.clip(outside[rank], -50, 100))
    return Entry(bin_temperature=temperature, widen=widen, utility_temperature=utility_temperature, n=len(scored))


def load_calibration(path: Path) -> ConformalCalibration:
    """Read a calibration file.

    Raises:
        CheckpointError: Missing, unreadable, or a field is wrong (named).
    """
    try:
        return ConformalCalibration.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CheckpointError(str(path), "cannot be read", remedy="Copy the whole checkpoint folder") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise CheckpointError(f"{path}: {where}", first["msg"], remedy="Fit the calibration again") from error
