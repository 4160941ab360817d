"""The local simulator: a transformers model on this machine, read out over ten behaviour bins."""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lcbm_model.backbone.model import Backbone
from lcbm_model.content import Content
from lcbm_model.errors import InputError, PictureError, SettingsError
from lcbm_model.metrics import Metric, get_metric
from lcbm_model.prediction import Prediction, SimulatorIdentity
from lcbm_model.simulator.base import Context
from lcbm_model.simulator.calibration import Calibration, compare_predictions
from lcbm_model.simulator.raw_scale import on_raw_scale
from lcbm_model.simulator.scoring import Item, OutOfMemory, Picture, Reading, Scorer
from lcbm_model.verbalize import behavior_prompt
from lcbm_model.vision.images import MAX_BYTES

PICTURES_KEPT = 256
"""Pictures whose tokens stay in memory (64 x 576 float32: about 150 kB each)."""
CHARACTERS_PER_TOKEN = 32
"""No real text has longer tokens on average; longer texts are refused before they are tokenized."""


class LocalSimulator:
    """Plays the audience with a `Backbone`.

    Args:
        backbone: Weights and tokenizer.
        calibration: Applied to every prediction; None leaves them as the model gives them.
        batch_size: Prompts scored at once.
        max_tokens: Longest prompt; None takes what the model was built for.

    Raises:
        SettingsError: A setting below 1.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        calibration: Calibration | None = None,
        batch_size: int = 32,
        max_tokens: int | None = None,
    ) -> None:
        for name, value in (("batch_size", batch_size), ("max_tokens", max_tokens)):
            if value is not None and value < 1:
                raise SettingsError(name, "must be at least 1", value=value)
        self.backbone, self.calibration = backbone, calibration
        self.max_tokens = min(max_tokens or backbone.max_length, backbone.max_length)
        self._scorer = Scorer(backbone, batch_size=batch_size)
        self._pictures: OrderedDict[str, Picture] = OrderedDict()

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
        )

    def predict(
        self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None
    ) -> list[Prediction]:
        """Predicted behaviour for each content, in order. A content that cannot be scored carries its error.

        Raises:
            MetricError: Nobody defined the metric.
        """
        asked = get_metric(metric)
        head = self.backbone.value_head(asked.name)
        with self.backbone.lock:
            prepared = [self._prepare(content, asked, context) for content in contents]
            items = [p for p in prepared if isinstance(p, Item)]
            readings = self._scorer.score(items, dict(self._pictures), head) if items else {}
            self._forget_pictures()
        identity = self.identity
        answers: list[Prediction] = []
        for content, item in zip(contents, prepared, strict=True):
            reading = readings[item] if isinstance(item, Item) else item
            answers.append(self._answer(content, reading, asked.name, identity, context))
        return answers

    def win_chances(self, predictions: Sequence[Prediction], *, channel: str = "") -> list[float]:
        """Probability that each of several predictions does best, in order; sums to 1, failed items get 0.

        Raises:
            BackendError: No content could be scored.
        """
        temperature = 1.0
        if self.calibration is not None and predictions:
            temperature = self.calibration.utility_temperature(predictions[0].metric, channel)
        return compare_predictions(predictions, temperature=temperature)

    def compare(self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None) -> list[float]:
        """Probability that each content does best, in order; sums to 1, failed items get 0.

        Raises:
            BackendError: No content could be scored.
            MetricError: Nobody defined the metric.
        """
        predictions = self.predict(contents, metric, context)
        return self.win_chances(predictions, channel=contents[0].channel if contents else "")

    def _prepare(self, content: Content, metric: Metric, context: Context | None) -> Item | str:
        """The prompt in tokens with its pictures looked at, or why that cannot be."""
        shown = self.backbone.sees and any(media.kind == "image" for media in content.media)
        if not (content.text.strip() or content.scenes or shown):
            return "the text is empty" + (", and this model sees no pictures" if content.media else "")
        if len(content.text) > self.max_tokens * CHARACTERS_PER_TOKEN:
            return f"the text is too long: {len(content.text)} characters. Shorten it"
        try:
            encoded = self.backbone.encoder.encode(behavior_prompt(content, metric, context))
        except ValueError as error:
            return f"cannot be put into a prompt: {error}"
        if len(encoded.ids) >= self.max_tokens:
            return f"{len(encoded.ids)} tokens are too long for the model's {self.max_tokens}. Shorten the text"
        try:
            pictures = tuple(self._look(path) for path in encoded.pictures)
        except InputError as error:
            return str(error)
        return Item(encoded.shared, encoded.own, encoded.words, pictures)

    def _look(self, path: Path) -> str:
        """Key of a picture's tokens, made now unless the same bytes were seen before."""
        try:
            if path.stat().st_size > MAX_BYTES:
                raise PictureError(str(path), "the file is too large", remedy=f"Save it below {MAX_BYTES // 2**20} MB")
            key = hashlib.sha256(path.read_bytes()).hexdigest()
        except (OSError, ValueError) as error:
            raise PictureError(str(path), "cannot be read", remedy="Check the path") from error
        if key in self._pictures:
            self._pictures.move_to_end(key)
        else:
            seen = self.backbone.eyes.look([path])
            self._pictures[key] = Picture(seen.tokens[0], seen.summary[0])
        return key

    def _forget_pictures(self) -> None:
        while len(self._pictures) > PICTURES_KEPT:
            self._pictures.popitem(last=False)

    def _answer(
        self,
        content: Content,
        reading: Reading | OutOfMemory | str,
        metric: str,
        identity: SimulatorIdentity,
        context: Context | None,
    ) -> Prediction:
        if not isinstance(reading, Reading):
            return Prediction.failed(metric, identity, str(reading))
        logits = np.asarray(reading.logits)
        if not np.isfinite(logits).all() or not math.isfinite(reading.utility or 0.0):
            return Prediction.failed(metric, identity, "the model answered with numbers that are not finite")
        weights = np.exp(logits - logits.max())
        prediction = Prediction.from_bins(metric, identity, weights.tolist())
        if reading.utility is not None:
            prediction = prediction.model_copy(update={"utility": reading.utility})
        if self.calibration is not None:
            prediction = self.calibration.apply(prediction, content.channel)
        return on_raw_scale(prediction, context)
