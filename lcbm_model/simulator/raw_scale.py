"""From percentiles to the metric's own numbers, where a scale is known."""

from __future__ import annotations

from lcbm_model.prediction import Prediction
from lcbm_model.simulator.base import Context


def on_raw_scale(prediction: Prediction, context: Context | None) -> Prediction:
    """Adds the estimates on the metric's own scale, where the context knows one."""
    if context is None or context.scale is None or not prediction.ok:
        return prediction
    percentiles = {"raw": prediction.expected, "raw_low": prediction.low, "raw_high": prediction.high}
    raw = {name: context.scale.to_raw(value) for name, value in percentiles.items() if value is not None}
    if "raw_low" in raw and "raw_high" in raw:  # where less is better, the worse end is the higher number
        raw["raw_low"], raw["raw_high"] = sorted((raw["raw_low"], raw["raw_high"]))
    return prediction.model_copy(update=raw)
