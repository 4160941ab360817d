"""Several simulators as one: the mean of their distributions, less sure where they disagree."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest

import numpy as np

from lcbm_model.content import Content
from lcbm_model.errors import SettingsError
from lcbm_model.metrics import Metric
from lcbm_model.prediction import Prediction, SimulatorIdentity
from lcbm_model.simulator.base import Context, Simulator
from lcbm_model.simulator.calibration import LEAST_WORTH, compare_predictions, utility_worth
from lcbm_model.simulator.first_look import first_look
from lcbm_model.simulator.stream import predict_stream
from lcbm_model.simulator.streamed import StreamedSimulator


class EnsembleSimulator(StreamedSimulator):
    """Mean of several simulators. Its members should differ: other seeds, other halves of the data.

    An item that one member cannot score carries that member's error. A call is cancelled as soon as a member notices.

    Args:
        members: At least one.
        name: For people; made of the members' names where not given.

    Raises:
        SettingsError: No members.
    """

    def __init__(self, members: Sequence[Simulator], *, name: str | None = None) -> None:
        if not members:
            raise SettingsError("members", "an ensemble needs at least one simulator", value=[])
        self.members = tuple(members)
        self._name = name

    @property
    def identity(self) -> SimulatorIdentity:
        """Made of the members' identities; tuned and calibrated only where all of them are, on a metric they share."""
        parts = [member.identity for member in self.members]
        digest = hashlib.sha256("\n".join(p.model_dump_json() for p in parts).encode()).hexdigest()
        shared = tuple(m for m in parts[0].metrics if all(m in p.metrics for p in parts))
        strangers = any(p.metrics for p in parts) and not shared
        calibrations = [p.calibration_id for p in parts if p.calibration_id]
        return SimulatorIdentity(
            backend="ensemble",
            checkpoint=self._name or " + ".join(p.checkpoint for p in parts),
            checkpoint_hash=digest,
            tuned=all(p.tuned for p in parts) and not strangers,
            readout="+".join(sorted({p.readout for p in parts})),
            calibration_id="+".join(calibrations) if len(calibrations) == len(parts) else None,
            metrics=shared,
            precision="+".join(sorted({p.precision for p in parts})),
            reads_kind=tuple(sorted({m for p in parts for m in p.reads_kind})),
            languages=tuple(language for language in parts[0].languages if all(language in p.languages for p in parts)),
        )

    def first_look(self, contents: Sequence[Content], metric: str | Metric) -> list[float] | None:
        """The mean of the members' first looks; None where one of them has none."""
        looks = [first_look(member, contents, metric) for member in self.members]
        found = [look for look in looks if look is not None]
        return np.mean(found, axis=0).tolist() if len(found) == len(looks) else None

    def win_chances(self, predictions: Sequence[Prediction], *, channel: str = "") -> list[float]:
        """From the mean utilities, which are log-odds already.

        Raises:
            BackendError: No content could be scored.
        """
        return compare_predictions(predictions)

    def _stream(
        self, contents: Sequence[Content], metric: Metric, context: Context | None, cancelled: Callable[[], bool]
    ) -> Iterator[tuple[int, Prediction]]:
        streams = [predict_stream(member, contents, metric, context, cancelled=cancelled) for member in self.members]
        return self._joined(streams, metric.name, [content.channel for content in contents])

    def _joined(
        self, streams: Sequence[Iterator[tuple[int, Prediction]]], metric: str, channels: Sequence[str]
    ) -> Iterator[tuple[int, Prediction]]:
        """One answer of each member in turn; they may come in different orders.

        A member's utilities have a scale of their own. So each counts as the log-odds that it states for it, by its own
        calibration, and the mean is one of log-odds.
        """
        identity = self.identity
        worths: dict[tuple[int, str], float] = {}

        def in_log_odds(member: int, prediction: Prediction, channel: str) -> Prediction:
            if not prediction.ok or prediction.utility is None:
                return prediction
            if (member, channel) not in worths:
                worths[member, channel] = max(utility_worth(self.members[member], prediction, channel), LEAST_WORTH)
            return prediction.model_copy(update={"utility": prediction.utility * worths[member, channel]})

        found: dict[int, dict[int, Prediction]] = defaultdict(dict)
        for answers in zip_longest(*streams):
            for member, answer in enumerate(answers):
                if answer is None:  # this member was cancelled, the others notice at their next batch
                    continue
                index, prediction = answer
                found[index][member] = prediction
                if len(found[index]) == len(self.members):
                    row = found.pop(index)
                    told = [in_log_odds(i, row[i], channels[index]) for i in range(len(self.members))]
                    yield index, _mean(told, metric, identity)


def _mean(row: Sequence[Prediction], metric: str, identity: SimulatorIdentity) -> Prediction:
    """Mean bins and interval of one content; the interval grows by the members' standard deviation on both sides."""
    if failed := next((p for p in row if not p.ok), None):
        # A mean over fewer members would not be comparable with the other contents.
        return Prediction.failed(metric, identity, f"{failed.simulator.checkpoint}: {failed.error}")

    def mean(field: str) -> float | None:
        values = [getattr(p, field) for p in row]
        return float(np.mean(values)) if all(v is not None for v in values) else None

    expected, low, high = (np.asarray([getattr(p, f) for p in row]) for f in ("expected", "low", "high"))
    spread = float(expected.std())
    bins = np.mean([p.bins for p in row], axis=0)
    return Prediction(
        metric=metric,
        simulator=identity,
        bins=tuple((bins / bins.sum()).tolist()),
        expected=float(expected.mean()),
        low=max(0.0, float(low.mean()) - spread),
        high=min(100.0, float(high.mean()) + spread),
        level=min(p.level for p in row),
        utility=mean("utility"),
        raw=mean("raw"),
        raw_low=mean("raw_low"),
        raw_high=mean("raw_high"),
    )
