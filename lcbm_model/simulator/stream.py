"""Predictions as they become ready, from any simulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from lcbm_model.content import Content
from lcbm_model.metrics import Metric, get_metric
from lcbm_model.prediction import Prediction
from lcbm_model.simulator.base import Context, Simulator, StreamingSimulator

AT_ONCE = 32
"""Contents asked for in one call of a simulator that does not stream by itself."""


def never() -> bool:
    """Nobody cancels."""
    return False


def predict_stream(
    simulator: Simulator,
    contents: Sequence[Content],
    metric: str | Metric,
    context: Context | None = None,
    *,
    cancelled: Callable[[], bool] = never,
) -> Iterator[tuple[int, Prediction]]:
    """Each content's index and prediction, as batches finish; every index once, in any order.

    Works with every simulator: one without `predict_stream` is asked for `AT_ONCE` contents at a time.

    Args:
        cancelled: Asked between batches; once it says so the iterator ends, and what was yielded stands. Pass
            `event.is_set` of a `threading.Event`.

    Raises:
        MetricError: Nobody defined the metric; raised by this call, not by the first `next`.
    """
    asked = get_metric(metric)
    if isinstance(simulator, StreamingSimulator):
        return simulator.predict_stream(contents, asked, context, cancelled=cancelled)
    return _in_parts(simulator, contents, asked, context, cancelled)


def _in_parts(
    simulator: Simulator,
    contents: Sequence[Content],
    metric: Metric,
    context: Context | None,
    cancelled: Callable[[], bool],
) -> Iterator[tuple[int, Prediction]]:
    for start in range(0, len(contents), AT_ONCE):
        if cancelled():
            return
        yield from enumerate(simulator.predict(contents[start : start + AT_ONCE], metric, context), start=start)
