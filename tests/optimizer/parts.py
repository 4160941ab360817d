"""Small whole runs from the fakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agents.library.records import Hit, Post
from agents.writers.base import Draft, WriterResult, WriterUsage, WritingTask
from lcbm_model.behavior import PercentileScale
from optimizer import Brief, Budget, OptimizationResult, optimize
from tests.fakes import FakeSimulator, FakeWriter


class FakeLibrary:
    """Three past posts of a bakery; remembers what it was asked."""

    def __init__(self, channel: str = "post") -> None:
        self.channel = channel
        self.queries: list[tuple[str, str | None]] = []

    def search(
        self,
        query: str,
        k: int = 5,
        *,
        metric: str | None = None,
        min_percentile: float | None = None,
        channel: str | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> list[Hit]:
        self.queries.append((query, channel))
        if channel not in (None, self.channel) or filters:
            return []
        texts = ["Fresh rye from five in the morning", "Who bakes while you sleep?", "Our crust, your breakfast"]
        return [
            Hit(
                post=Post(id=f"p{i}", text=text, channel=self.channel),
                similarity=0.8 - i / 10,
                metric=metric or "click_rate",
                value=0.04 - i / 100,
                percentile=90.0 - 10 * i,
            )
            for i, text in enumerate(texts)
        ][:k]

    def scale(self, metric: str | None = None, channel: str | None = None) -> PercentileScale | None:
        return PercentileScale.fit([0.01, 0.02, 0.03, 0.04])


WORDS = ("early", "warm", "slowly", "gladly", "again", "kindly", "freshly", "quietly")


class Baker(FakeWriter):
    """Adds words that the seed picks: drafts that pass the screen and grow with the round."""

    by_rule = False

    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        if self.down:
            return super().write(task, n, seed=seed)
        self.tasks.append(task)
        picks = [[WORDS[(seed >> 3 * j) % 8 ^ i % 8] for j in range(task.round + i)] for i in range(n)]
        drafts = tuple(Draft(text=" ".join([task.message, *words]), writer=self.name) for words in picks)
        return WriterResult(drafts=drafts, usage=WriterUsage(calls=1, tokens=10 * n))


def bakery(**fields: Any) -> Brief:
    """A brief about bread, small and quick."""
    budget = fields.pop("budget", {})
    defaults: dict[str, Any] = {"name": "bread", "message": "We bake rye bread every morning", "draft": "Rye bread"}
    # The fakes score by length, which debiasing would take away, and need no embedder.
    defaults |= {"least_meaning": 0, "debias": False}
    return Brief(**(defaults | fields), budget=Budget(**({"rounds": 2, "candidates": 4} | budget)))


def run(store: Path, brief: Brief | None = None, **parts: Any) -> OptimizationResult:
    """One run with fakes wherever nothing else is given."""
    defaults: dict[str, Any] = {"simulator": FakeSimulator(), "writers": [Baker()], "store": store}
    return optimize(brief or bakery(), **(defaults | parts))


def texts(result: OptimizationResult) -> Sequence[str]:
    return [c.text for c in result.candidates]
