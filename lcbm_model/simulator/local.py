"""The local simulator: a transformers model on this machine, read out over ten behaviour bins."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import numpy as np

from lcbm_model.backbone.model import Backbone
from lcbm_model.content import Content
from lcbm_model.errors import InputError, SettingsError
from lcbm_model.metrics import Metric
from lcbm_model.prediction import Prediction, SimulatorIdentity
from lcbm_model.simulator.base import Context
from lcbm_model.simulator.calibration import Calibration, compare_predictions
from lcbm_model.simulator.first_look import encoder_part
from lcbm_model.simulator.items import Item, Reading, Unread
from lcbm_model.simulator.pictures import picture_key
from lcbm_model.simulator.raw_scale import on_raw_scale
from lcbm_model.simulator.refusals import refusal
from lcbm_model.simulator.scoring import Readings, Scorer
from lcbm_model.simulator.streamed import StreamedSimulator
from lcbm_model.verbalize import behavior_prompt, card

PREPARED_AT_ONCE = 64
"""Contents turned into tokens before other threads get a turn."""


class LocalSimulator(StreamedSimulator):
    """Plays the audience with a `Backbone`. Many threads may share one: they take turns, pass by pass.

    Args:
        backbone: Weights and tokenizer.
        calibration: Applied to every prediction; None leaves them as the model gives them.
        pass_tokens: Tokens of one forward pass, shared ones counted once: bounds the memory. None: 2,048 on a
            processor, 16,384 on a GPU.
        max_tokens: Longest prompt; None takes what the model was built for.

    Raises:
        SettingsError: A setting below 1.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        calibration: Calibration | None = None,
        pass_tokens: int | None = None,
        max_tokens: int | None = None,
    ) -> None:
        for name, value in (("pass_tokens", pass_tokens), ("max_tokens", max_tokens)):
            if value is not None and value < 1:
                raise SettingsError(name, "must be at least 1", value=value)
        self.backbone, self.calibration = backbone, calibration
        self.max_tokens = min(max_tokens or backbone.max_length, backbone.max_length)
        self._scorer = Scorer(backbone, pass_tokens=pass_tokens, engine=getattr(backbone, "engine", None))

    @property
    def identity(self) -> SimulatorIdentity:
        """Which weights, read out how, calibrated on what."""
        spec = self.backbone.adapter.spec if self.backbone.adapter else None
        return SimulatorIdentity(
            backend="local",
            checkpoint=self.backbone.name,
            checkpoint_hash=self.backbone.checkpoint_hash,
            tuned=self.backbone.tuned,
            readout=spec.readout if spec else "bins",
            calibration_id=self.calibration.id if self.calibration else None,
            metrics=spec.metrics if spec else (),
            precision=str(self.backbone.dtype).removeprefix("torch."),
            reads_kind=spec.reads_kind if spec else (),
            languages=spec.languages if spec else (),
        )

    def _stream(
        self, contents: Sequence[Content], metric: Metric, context: Context | None, cancelled: Callable[[], bool]
    ) -> Iterator[tuple[int, Prediction]]:
        identity, head = self.identity, self.backbone.value_head(metric.name)
        wanted: dict[Item, list[int]] = defaultdict(list)
        refused: dict[int, str] = {}
        first: Readings = {}
        others: Iterator[Readings] = iter(())
        for start in range(0, len(contents), PREPARED_AT_ONCE):
            if cancelled():
                return
            part = contents[start : start + PREPARED_AT_ONCE]
            with self.backbone.lock:
                for i, content in enumerate(part, start=start):
                    item = self._prepare(content, metric, context)
                    if isinstance(item, Item):
                        wanted[item].append(i)
                    else:
                        refused[i] = item.reason
                if start + len(part) == len(contents):
                    # The first pass is in the same turn: who asks for one content waits for the model once, not twice.
                    others = self._scorer.read(list(wanted), head, cancelled=cancelled)
                    first = next(others, {})
        for i, reason in refused.items():
            yield i, Prediction.failed(metric.name, identity, reason)
        for readings in chain([first], others):
            for item, reading in readings.items():
                for i in wanted[item]:
                    yield i, self._answer(contents[i], reading, metric.name, identity, context)

    def win_chances(self, predictions: Sequence[Prediction], *, channel: str = "") -> list[float]:
        """Probability that each of several predictions does best, in order; sums to 1, failed items get 0.

        Raises:
            BackendError: No content could be scored.
        """
        temperature = 1.0
        if self.calibration is not None and predictions:
            temperature = self.calibration.utility_temperature(predictions[0].metric, channel)
        return compare_predictions(predictions, temperature=temperature)

    def first_look(self, contents: Sequence[Content], metric: str | Metric) -> list[float] | None:
        """What the small text encoder alone makes of each text; None where the metric's value head does not read it."""
        return encoder_part(self.backbone, contents, metric)

    def forget(self) -> None:
        """Look at every picture and read every beginning anew from now on."""
        self._scorer.forget()

    def _prepare(self, content: Content, metric: Metric, context: Context | None) -> Item | Unread:
        """The prompt in tokens, its pictures known by their bytes; or why that cannot be."""
        if reason := refusal(content, sees=self.backbone.sees, max_tokens=self.max_tokens):
            return Unread(reason)
        try:
            encoded = self.backbone.encoder.encode(behavior_prompt(content, metric, context))
        except ValueError as error:
            return Unread(f"cannot be put into a prompt: {error}")
        if len(encoded.ids) >= self.max_tokens:
            return Unread(f"{len(encoded.ids)} tokens are too long for the model's {self.max_tokens}. Shorten the text")
        try:
            keys = tuple(picture_key(path) for path in encoded.pictures)
        except InputError as error:
            return Unread(str(error))
        return Item(encoded.shared, encoded.own, encoded.words, keys, encoded.pictures, card(content))

    def _answer(
        self,
        content: Content,
        reading: Reading | Unread,
        metric: str,
        identity: SimulatorIdentity,
        context: Context | None,
    ) -> Prediction:
        if isinstance(reading, Unread):
            return Prediction.failed(metric, identity, reading.reason)
        logits = np.asarray(reading.logits)
        if not np.isfinite(logits).all() or not math.isfinite(reading.utility or 0.0):
            return Prediction.failed(metric, identity, "the model answered with numbers that are not finite")
        weights = np.exp(logits - logits.max())
        prediction = Prediction.from_bins(metric, identity, weights.tolist())
        if reading.utility is not None:
            prediction = prediction.model_copy(update={"utility": reading.utility})
        if self.calibration is not None:
            prediction = self.calibration.apply(prediction, content.channel, strange=bool(identity.foreign([content])))
        return on_raw_scale(prediction, context)
