"""A first look at texts: what a simulator's small text encoder alone makes of them, at a fraction of a call's cost.

The utility of a value head is a sum: a part from the language model's states, which take a pass over the whole prompt,
and a part from the text encoder, which reads little more than the words. The second part is a forecast of the whole,
good enough to say which drafts of many are worth a pass (optimizer.loop.promise).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from lcbm_model.backbone.model import Backbone
from lcbm_model.behavior import N_BINS
from lcbm_model.content import Content
from lcbm_model.metrics import Metric, get_metric
from lcbm_model.simulator.base import Simulator
from lcbm_model.verbalize import card


@runtime_checkable
class LooksFirst(Protocol):
    """A simulator that can foretell its own scores cheaply."""

    def first_look(self, contents: Sequence[Content], metric: str | Metric) -> list[float] | None:
        """A forecast of each content's score in percentile points; only differences inside one setting count.

        None where it has none for this metric; empty for no contents where it has.
        """
        ...


def first_look(simulator: Simulator, contents: Sequence[Content], metric: str | Metric) -> list[float] | None:
    """The first look of a simulator, or of the one inside a cache or a queue.

    Raises:
        MetricError: Nobody defined the metric.
    """
    if isinstance(simulator, LooksFirst):
        return simulator.first_look(contents, metric)
    inner = getattr(simulator, "inner", None)
    return None if inner is None else first_look(inner, contents, metric)


def encoder_part(backbone: Backbone, contents: Sequence[Content], metric: str | Metric) -> list[float] | None:
    """The text encoder's part of each content's utility, in percentile points as in the middle of the scale.

    None where the backbone has no encoder, or its value head gives it no weight.
    """
    head = backbone.value_head(get_metric(metric).name)
    if head is None or not head.cuts:
        return None
    with backbone.lock:
        encoder = backbone.text_encoder(head)
        if encoder is None:
            return None
        if not contents:
            return []
        weight = head.weight[-encoder.width :].double()  # (E,)
        texts = [card(content) if encoder.reads_cards else content.text for content in contents]
        vectors = encoder.embed(encoder.tokens(texts)).double()  # (B, E)
    found: list[float] = (vectors @ weight * _points(head.slope, head.cuts)).tolist()
    return found


def _points(slope: float, cuts: Sequence[float]) -> float:
    """Percentile points that one unit of utility is worth where half of the bins lie below."""
    middle = sorted(cuts)[len(cuts) // 2]
    below = [1 / (1 + math.exp(min(700.0, middle - cut))) for cut in cuts]
    return 100 / N_BINS * slope * math.fsum(p * (1 - p) for p in below)
