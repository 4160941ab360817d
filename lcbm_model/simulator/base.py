"""The seam everything hangs on: whoever can play the audience answers this protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from lcbm_model.behavior import PercentileScale
from lcbm_model.content import Content
from lcbm_model.metrics import Metric
from lcbm_model.prediction import Prediction, SimulatorIdentity


class Known(BaseModel):
    """A past post with its measured result, shown to the simulator as evidence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    percentile: float = Field(ge=0, le=100)


class Context(BaseModel):
    """What all contents of one call share beyond their own fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    examples: tuple[Known, ...] = Field(default=(), description="Past posts of the same group with their results.")
    scale: PercentileScale | None = Field(default=None, description="Gives raw-scale estimates where known.")


@runtime_checkable
class Simulator(Protocol):
    """Plays the audience.

    `predict` returns one `Prediction` per content, in order. A content that cannot be scored carries its error in
    its own `Prediction`; only a metric nobody defined, or a backend that is gone, raises.
    """

    @property
    def identity(self) -> SimulatorIdentity: ...

    def predict(
        self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None
    ) -> list[Prediction]:
        """Predicted behaviour for each content."""
        ...

    def win_chances(self, predictions: Sequence[Prediction], *, channel: str = "") -> list[float]:
        """Probability that each of several predictions of one metric does best, in order; sums to 1, failed ones 0.

        Costs no forward pass. `channel` lets a calibration widen where it has seen nothing.

        Raises:
            BackendError: No content could be scored.
        """
        ...

    def compare(self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None) -> list[float]:
        """`predict`, then `win_chances`.

        Raises:
            BackendError: No content could be scored.
        """
        ...


@runtime_checkable
class StreamingSimulator(Simulator, Protocol):
    """A simulator that hands out predictions while it still works on others.

    Callers use `lcbm_model.simulator.predict_stream`, which serves the other simulators too.
    """

    def predict_stream(
        self,
        contents: Sequence[Content],
        metric: str | Metric,
        context: Context | None = None,
        *,
        cancelled: Callable[[], bool] = ...,
    ) -> Iterator[tuple[int, Prediction]]:
        """Each content's index and prediction, as batches finish; every index once, in any order.

        Args:
            cancelled: Asked between batches; once it says so the iterator ends.

        Raises:
            MetricError: Nobody defined the metric; raised by this call, not by the first `next`.
        """
        ...
