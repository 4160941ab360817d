"""Small deterministic stand-ins for models. They implement the real protocols and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from agents.writers.base import Draft, WriterResult, WriterUsage, WritingTask, distinct
from lcbm_model.content import Content
from lcbm_model.errors import BackendError
from lcbm_model.metrics import Metric, get_metric
from lcbm_model.prediction import Prediction, SimulatorIdentity, win_probabilities
from lcbm_model.simulator.base import Context


def length_score(text: str) -> float:
    """Percentile 0..100 that grows with the text's length: easy to optimise, easy to check."""
    return float(min(len(text), 100))


class FakeSimulator:
    """Scores by a plain function of the text; a text holding `broken` fails on its own."""

    def __init__(
        self,
        score: Callable[[str], float] = length_score,
        *,
        name: str = "fake",
        tuned: bool = True,
        spread: float = 8.0,
    ) -> None:
        self.score, self.spread = score, spread
        self.calls = 0
        digest = hashlib.sha256(name.encode()).hexdigest()
        self.identity = SimulatorIdentity(backend="fake", checkpoint=name, checkpoint_hash=digest, tuned=tuned)

    def predict(
        self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None
    ) -> list[Prediction]:
        name = get_metric(metric).name
        return [self._one(content, name) for content in contents]

    def _one(self, content: Content, metric: str) -> Prediction:
        self.calls += 1
        if "broken" in content.text:
            return Prediction.failed(metric, self.identity, "cannot be scored")
        centres = np.arange(5, 100, 10)
        weights = np.exp(-(((centres - self.score(content.text)) / self.spread) ** 2) / 2) + 1e-9
        return Prediction.from_bins(metric, self.identity, weights.tolist())

    def compare(self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None) -> list[float]:
        return self.win_chances(self.predict(contents, metric, context))

    def win_chances(self, predictions: Sequence[Prediction], *, channel: str = "") -> list[float]:
        if not any(p.ok for p in predictions):
            raise BackendError("no content could be scored")
        shares = iter(win_probabilities([p.bins for p in predictions if p.ok]))
        return [next(shares) if p.ok else 0.0 for p in predictions]


class LookingSimulator(FakeSimulator):
    """Can foretell its own scores, each a few points off."""

    def first_look(self, contents: Sequence[Content], metric: str | Metric) -> list[float] | None:
        """Off by up to two points either way, by the text alone; nothing for shares."""
        if get_metric(metric).name == "shares":
            return None
        texts = [content.text for content in contents]
        return [self.score(text) + hashlib.sha256(text.encode()).digest()[0] % 5 - 2 for text in texts]


class FakeWriter:
    """Appends counted words to the message: each draft is longer than the one before, per round and seed."""

    def __init__(self, name: str = "fake", *, texts: Sequence[str] | None = None, down: bool = False) -> None:
        self.name, self.texts, self.down = name, texts, down
        self.tasks: list[WritingTask] = []

    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        if self.down:
            raise BackendError(f"writer {self.name!r}: connection refused")
        self.tasks.append(task)
        facts = " ".join((*task.must_keep, *task.required_words))
        texts = self.texts or [f"{task.message} {facts} {'more ' * (task.round + i)}{seed}".strip() for i in range(n)]
        kept = distinct(texts)[:n]
        usage = WriterUsage(calls=1, tokens=sum(len(t.split()) for t in kept), dropped=len(texts) - len(kept))
        return WriterResult(drafts=tuple(Draft(text=t, writer=self.name) for t in kept), usage=usage)
