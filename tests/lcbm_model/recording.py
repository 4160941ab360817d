"""A simulator that notes what it was asked, for the tests of the score cache."""

from __future__ import annotations

from collections.abc import Sequence

from lcbm_model.content import Content
from lcbm_model.metrics import Metric
from lcbm_model.prediction import Prediction, SimulatorIdentity
from lcbm_model.simulator.base import Context
from tests.fakes import FakeSimulator

IDENTITY = SimulatorIdentity(backend="fake", checkpoint="f", checkpoint_hash="0" * 64, tuned=True)
ONE = Content(text="Bread that waits for you", channel="headline")


class Recording(FakeSimulator):
    """Remembers every text it was asked for."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]
        self.texts: list[list[str]] = []

    def predict(
        self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None
    ) -> list[Prediction]:
        self.texts.append([c.text for c in contents])
        return super().predict(contents, metric, context)
