"""A simulator that also knows where the team's own most similar past posts landed.

The evidence of a library pulls an estimate back to 50 as if one post of unknown rank stood beside the neighbours. Here
the simulator's prediction takes the place of that post, with a weight of its own: what is expected is the mean of the
neighbours' ranks, weighted by their similarity, and of the prediction, weighted by `TRUST`. Few or far neighbours leave
the prediction as it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from agents.library.evidence import Evidence
from lcbm_model.behavior import BIN_CENTRES
from lcbm_model.content import Content
from lcbm_model.metrics import Metric, get_metric
from lcbm_model.prediction import Prediction, SimulatorIdentity
from lcbm_model.simulator.base import Context, Simulator
from lcbm_model.simulator.calibration import compare_predictions
from lcbm_model.simulator.raw_scale import on_raw_scale

TRUST = 2.0
"""Weight of a prediction. At 2 it counts as much as two past posts with the very same text."""
LEAST_STRENGTH = 1e-9


class Evidential(Protocol):
    """The part of a library that an informed simulator needs."""

    metrics: tuple[str, ...]

    @property
    def channels(self) -> Mapping[str, int]: ...

    @property
    def fingerprint(self) -> str: ...

    def evidence_for(
        self, texts: Sequence[str], *, metric: str | None = None, channel: str | None = None
    ) -> list[Evidence]: ...


class InformedSimulator:
    """Any simulator, informed by a library. Contents without words, and metrics that the library was not measured in,
    are answered as the simulator answers them.

    An informed prediction has no utility: win chances come from the distributions, and so are never surer than these.

    Args:
        simulator: Asked first.
        library: Of the team whose audience is played.
        trust: Weight of the simulator's prediction beside the neighbours', above 0.
    """

    def __init__(self, simulator: Simulator, library: Evidential, *, trust: float = TRUST) -> None:
        if not trust > 0:
            raise ValueError(f"trust must be above 0, got {trust!r}")
        self.inner, self.library, self.trust = simulator, library, trust

    @property
    def identity(self) -> SimulatorIdentity:
        """The simulator's, with the library's fingerprint in its hash."""
        inner = self.inner.identity
        digest = hashlib.sha256(f"{inner.checkpoint_hash} {self.library.fingerprint} {self.trust}".encode()).hexdigest()
        return inner.model_copy(
            update={
                "backend": f"{inner.backend}+library",
                "checkpoint_hash": digest,
                "readout": f"{inner.readout}+neighbours",
            }
        )

    def predict(
        self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None
    ) -> list[Prediction]:
        """The simulator's predictions, each moved towards where posts like it landed.

        Raises:
            MetricError: Nobody defined the metric.
            BackendError: The simulator is gone.
        """
        name, identity = get_metric(metric).name, self.identity
        said = [p.model_copy(update={"simulator": identity}) for p in self.inner.predict(contents, metric, context)]
        if name not in self.library.metrics:
            return said
        by_channel: dict[str | None, list[int]] = {}
        for i, (content, prediction) in enumerate(zip(contents, said, strict=True)):
            if prediction.ok and content.text.strip():
                by_channel.setdefault(self._channel(content.channel), []).append(i)
        for channel, places in by_channel.items():
            found = self.library.evidence_for([contents[i].text for i in places], metric=name, channel=channel)
            for i, evidence in zip(places, found, strict=True):
                said[i] = on_raw_scale(informed(said[i], evidence, trust=self.trust), context)
        return said

    def win_chances(self, predictions: Sequence[Prediction], *, channel: str = "") -> list[float]:
        """Probability that each does best, from the distributions."""
        return compare_predictions([p.model_copy(update={"utility": None}) for p in predictions])

    def compare(self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None) -> list[float]:
        """`predict`, then `win_chances`."""
        return self.win_chances(self.predict(contents, metric, context))

    def _channel(self, channel: str) -> str | None:
        """The content's own channel where the library has posts there, else all of them."""
        from agents.library.ingest import channel_key

        return channel if channel_key(channel) in self.library.channels else None


def informed(prediction: Prediction, evidence: Evidence, *, trust: float = TRUST) -> Prediction:
    """A prediction moved by evidence.

    The distribution is tilted (exponentially, the least change that gives it the new mean). The ends of the interval
    are means of both intervals' ends with the same weights.
    """
    if not prediction.ok or prediction.expected is None or evidence.strength < LEAST_STRENGTH:
        return prediction
    weight = evidence.strength / (1 - evidence.strength)  # of all neighbours together
    mean = (evidence.estimate - (1 - evidence.strength) * 50.0) / evidence.strength  # their own, without the 50
    share = weight / (weight + trust)
    moved = share * (mean - prediction.expected)
    expected = float(np.clip(prediction.expected + moved, 0, 100))
    changed: dict[str, Any] = {"expected": expected, "bins": tilted(prediction.bins, moved), "utility": None}
    for name, end in (("low", evidence.low), ("high", evidence.high)):
        known = getattr(prediction, name)
        if known is not None:
            changed[name] = float((1 - share) * known + share * end)
    if {"low", "high"} <= changed.keys():
        changed |= {"low": min(changed["low"], expected), "high": max(changed["high"], expected)}
    return prediction.model_copy(update=changed)


def tilted(bins: Sequence[float], by: float) -> tuple[float, ...]:
    """A distribution over bins whose mean is `by` percentile points higher, as far as the bins reach.

    Args:
        bins: (N_BINS,) probabilities that sum to 1.
        by: Percentile points, negative for lower.
    """
    from scipy.optimize import brentq

    p, centres = np.asarray(bins, dtype=np.float64), np.asarray(BIN_CENTRES)
    logs = np.log(np.maximum(p, 1e-12))
    target = float(np.clip(p @ centres + by, centres[0] + 0.5, centres[-1] - 0.5))

    def made(theta: float) -> np.ndarray:
        weights = logs + theta * (centres - 50)
        weights = np.exp(weights - weights.max())
        return np.asarray(weights / weights.sum())

    theta = brentq(lambda t: float(made(t) @ centres) - target, -5.0, 5.0)
    return tuple(made(theta).tolist())
