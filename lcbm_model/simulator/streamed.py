"""What every simulator that answers bit by bit has in common: one stream, and the other questions follow from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

from lcbm_model.content import Content
from lcbm_model.metrics import Metric, get_metric
from lcbm_model.prediction import Prediction, SimulatorIdentity
from lcbm_model.simulator.base import Context
from lcbm_model.simulator.calibration import compare_predictions
from lcbm_model.simulator.partial import gather
from lcbm_model.simulator.stream import never


class StreamedSimulator(ABC):
    """A `StreamingSimulator` whose backend only has to stream."""

    @property
    @abstractmethod
    def identity(self) -> SimulatorIdentity:
        """Which weights, read out how, calibrated on what."""

    @abstractmethod
    def _stream(
        self, contents: Sequence[Content], metric: Metric, context: Context | None, cancelled: Callable[[], bool]
    ) -> Iterator[tuple[int, Prediction]]:
        """Each content's index and prediction, as batches finish; every index once, in any order.

        Raises:
            BackendError: The backend is gone; raised behind what was finished.
        """

    def predict(
        self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None
    ) -> list[Prediction]:
        """Predicted behaviour for each content, in order. A content that cannot be scored carries its error.

        Raises:
            MetricError: Nobody defined the metric.
            PartialAnswer: The backend failed midway; what was finished is in the error.
            BackendError: The backend is gone.
        """
        asked = get_metric(metric)
        stream = self._stream(contents, asked, context, never)
        return gather(stream, len(contents), metric=asked.name, identity=self.identity)

    def predict_stream(
        self,
        contents: Sequence[Content],
        metric: str | Metric,
        context: Context | None = None,
        *,
        cancelled: Callable[[], bool] = never,
    ) -> Iterator[tuple[int, Prediction]]:
        """Each content's index and prediction, as batches finish; every index once, in any order.

        Args:
            cancelled: Asked between batches; once it says so the iterator ends, and what was yielded stands.

        Raises:
            MetricError: Nobody defined the metric; raised by this call, not by the first `next`.
            BackendError: The backend is gone; raised behind what was finished.
        """
        return self._stream(contents, get_metric(metric), context, cancelled)

    def win_chances(self, predictions: Sequence[Prediction], *, channel: str = "") -> list[float]:
        """Probability that each of several predictions does best, in order; sums to 1, failed items get 0.

        Raises:
            BackendError: No content could be scored.
        """
        return compare_predictions(predictions)

    def compare(self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None) -> list[float]:
        """`predict`, then `win_chances`: the probability that each content does best.

        Raises:
            BackendError: No content could be scored.
            MetricError: Nobody defined the metric.
        """
        predictions = self.predict(contents, metric, context)
        return self.win_chances(predictions, channel=contents[0].channel if contents else "")
