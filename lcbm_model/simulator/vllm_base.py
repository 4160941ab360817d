"""What both vLLM backends share: prompts in, ten log-probabilities out, calibrated predictions in order."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from lcbm_model.content import Content
from lcbm_model.errors import BackendError, CheckpointError
from lcbm_model.metrics import Metric
from lcbm_model.prediction import Prediction, SimulatorIdentity
from lcbm_model.serving.checkpoint import ServedCheckpoint
from lcbm_model.simulator.base import Context
from lcbm_model.simulator.calibration import Calibration
from lcbm_model.simulator.raw_scale import on_raw_scale
from lcbm_model.simulator.streamed import StreamedSimulator
from lcbm_model.simulator.vllm_prompts import Item, TokenPrompts, in_prefix_order

Reading = list[float] | str
"""(N_BINS,) weights of the digits, or why there are none."""


class VLLMBase(StreamedSimulator):
    """Plays the audience with vLLM; a subclass says how the engine is asked.

    What was finished before an engine failed is not asked again when the same contents are predicted once more.

    Args:
        checkpoint: What the engine runs.
        prompts: Made with the checkpoint's own tokenizer.
        calibrated: Whether to apply the calibration stored beside the checkpoint.

    Raises:
        CheckpointError: The checkpoint's digits were never tuned, so there is nothing to read.
    """

    def __init__(self, checkpoint: ServedCheckpoint, prompts: TokenPrompts, *, calibrated: bool = True) -> None:
        if not checkpoint.scores:
            raise CheckpointError(
                checkpoint.name,
                "was trained through its value head alone: the digits, all that vLLM shows, mean nothing",
                remedy="Score it with the local backend, or train with digits",
            )
        self.checkpoint, self.prompts = checkpoint, prompts
        self.calibration: Calibration | None = None
        if calibrated and checkpoint.calibration:
            from lcbm_model.simulator.conformal import load_calibration

            self.calibration = load_calibration(checkpoint.calibration)
        self._lock = threading.Lock()
        self._finished: dict[Item, Reading] = {}
        self.precision = "unknown"
        """Number type the engine runs in, where it says."""

    @property
    def identity(self) -> SimulatorIdentity:
        """The checkpoint's own hash; the read-out is the ten digits, whatever heads the checkpoint has."""
        return SimulatorIdentity(
            backend="vllm",
            checkpoint=self.checkpoint.name,
            checkpoint_hash=self.checkpoint.checkpoint_hash,
            tuned=self.checkpoint.tuned,
            calibration_id=self.calibration.id if self.calibration else None,
            metrics=self.checkpoint.metrics,
            precision=self.precision,
            languages=self.checkpoint.languages,
        )

    def _stream(
        self, contents: Sequence[Content], metric: Metric, context: Context | None, cancelled: Callable[[], bool]
    ) -> Iterator[tuple[int, Prediction]]:
        identity = self.identity
        places: dict[Item, list[int]] = defaultdict(list)
        for i, content in enumerate(contents):
            with self._lock:
                item = self.prompts.prepare(content, metric, context)
            if isinstance(item, Item):
                places[item].append(i)
            else:
                yield i, Prediction.failed(metric.name, identity, item)

        def answers(readings: Mapping[Item, Reading]) -> Iterator[tuple[int, Prediction]]:
            for item, reading in readings.items():
                for i in places[item]:
                    yield i, self._answer(contents[i], reading, metric.name, identity, context)

        found = {item: self._finished[item] for item in places if item in self._finished}
        yield from answers(found)
        try:
            for readings in self._read(in_prefix_order([i for i in places if i not in found]), cancelled):
                found |= readings
                yield from answers(readings)
        except BackendError:
            self._finished = found
            raise
        self._finished = {}

    @abstractmethod
    def _read(self, items: Sequence[Item], cancelled: Callable[[], bool]) -> Iterator[Mapping[Item, Reading]]:
        """Readings of distinct items, those with equal beginnings side by side, batch by batch.

        Raises:
            BackendError: The engine is gone; raised behind what was finished.
        """

    def _answer(
        self,
        content: Content,
        reading: Reading,
        metric: str,
        identity: SimulatorIdentity,
        context: Context | None,
    ) -> Prediction:
        if isinstance(reading, str):
            return Prediction.failed(metric, identity, reading)
        prediction = Prediction.from_bins(metric, identity, reading)
        if self.calibration is not None:
            prediction = self.calibration.apply(prediction, content.channel, strange=bool(identity.foreign([content])))
        return on_raw_scale(prediction, context)
