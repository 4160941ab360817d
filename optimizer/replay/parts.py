"""The two parts of a replayed run that are not the product's own: a writer that hands out arms, a stage for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agents.writers.base import Draft, WriterResult, WriterUsage, WritingTask
from lcbm_model.content import Content
from lcbm_model.metrics import Metric, get_metric
from lcbm_model.prediction import Prediction, SimulatorIdentity
from lcbm_model.simulator.base import Context, Simulator


class ArmsWriter:
    """Hands out texts in a given order, so many a round; writes nothing of its own."""

    name = "replay"

    def __init__(self, texts: Sequence[str], per_round: int) -> None:
        self._texts, self._per_round = tuple(texts), per_round

    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        """The texts of this round: the same in every process, whatever was handed out before."""
        start = (task.round - 1) * self._per_round
        due = self._texts[start : start + self._per_round][:n]
        drafts = tuple(Draft(text=text, writer=self.name, strategy="replay") for text in due)
        return WriterResult(drafts=drafts, usage=WriterUsage(calls=1))


class AsRun:
    """A simulator that sees each draft in the setting in which that text really ran (sender, date, picture).

    Args:
        simulator: Plays the audience.
        known: Text to its prediction there: all arms were scored beforehand in large batches, which gives the same
            numbers sooner.
    """

    def __init__(self, simulator: Simulator, known: Mapping[str, Prediction]) -> None:
        self._simulator, self._known = simulator, known

    @property
    def identity(self) -> SimulatorIdentity:
        return self._simulator.identity

    def predict(
        self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None
    ) -> list[Prediction]:
        """What is known of these texts. One that was never run, such as a part of an arm, cannot be scored."""
        name = get_metric(metric).name
        nothing = Prediction.failed(name, self.identity, "is no text that was run")
        return [self._known.get(content.text.strip(), nothing) for content in contents]

    def win_chances(self, predictions: Sequence[Prediction], *, channel: str = "") -> list[float]:
        return self._simulator.win_chances(predictions, channel=channel)

    def compare(self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None) -> list[float]:
        return self.win_chances(self.predict(contents, metric, context))
