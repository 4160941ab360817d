"""A failure that passes stops a run, and ends it for nobody: resumed, it goes on as if nothing had been."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agents.writers.base import WriterResult, WritingTask
from lcbm_model.content import Content
from lcbm_model.errors import BackendError, SettingsError
from lcbm_model.metrics import Metric
from lcbm_model.prediction import Prediction
from lcbm_model.simulator.base import Context
from optimizer import Decision, OptimizationResult, resume
from optimizer.campaigns import list_campaigns
from tests.fakes import FakeSimulator
from tests.optimizer.parts import Baker, bakery, run


class Flaky(FakeSimulator):
    """Is down for its `at`-th question, counted from 1, and for as many after it as `long` says."""

    def __init__(self, at: int, long: int = 1) -> None:
        super().__init__()
        self.at, self.long, self.questions = at, long, 0

    def predict(
        self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None
    ) -> list[Prediction]:
        self.questions += 1
        if self.at <= self.questions < self.at + self.long:
            raise BackendError("endpoint down")
        return super().predict(contents, metric, context)


class Away(Baker):
    """A writer that is down when it is first asked in round `at`."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        if task.round == self.at:
            self.at = 0
            raise BackendError("connection refused")
        return super().write(task, n, seed=seed)


def settled(result: OptimizationResult) -> dict[str, Any]:
    """All of a result but its name and times."""
    rounds = [r.model_copy(update={"seconds": 0.0}) for r in result.rounds]
    return result.model_copy(update={"rounds": tuple(rounds)}).model_dump(exclude={"run_id", "started", "seconds"})


@pytest.mark.parametrize("at", [1, 2, 3], ids=["the original", "the first round", "the second round"])
def test_a_simulator_that_was_down_scores_the_pending_drafts_when_it_is_back(tmp_path: Path, at: int) -> None:
    whole = run(tmp_path, run_id="whole")
    parts: dict[str, Any] = {"simulator": Flaky(at), "writers": [Baker()], "store": tmp_path}
    stopped = run(brief=bakery(), run_id="flaky", **parts)
    assert (stopped.status, stopped.stop_reason) == ("stopped", "the simulator failed: endpoint down")
    assert stopped.best_id is not None
    assert len(stopped.rounds) == max(at - 2, 0)
    assert [c.resumable for c in list_campaigns(tmp_path, name="flaky")[0]] == [True]
    assert settled(resume("flaky", **parts)) == settled(whole)
    assert [c.resumable for c in list_campaigns(tmp_path, name="flaky")[0]] == [False]


def test_a_simulator_that_stays_down_stops_the_run_again(tmp_path: Path) -> None:
    parts: dict[str, Any] = {"simulator": Flaky(2, long=2), "writers": [Baker()], "store": tmp_path}
    first = run(brief=bakery(), run_id="a", **parts)
    second = resume("a", **parts)
    assert settled(second) == settled(first)
    assert resume("a", **parts).status == "finished"


@pytest.mark.parametrize("at", [1, 2])
def test_a_round_in_which_no_writer_could_be_reached_is_begun_anew(tmp_path: Path, at: int) -> None:
    whole = run(tmp_path, run_id="whole")
    parts: dict[str, Any] = {"simulator": FakeSimulator(), "writers": [Away(at)], "store": tmp_path}
    stopped = run(brief=bakery(), run_id="away", **parts)
    assert stopped.status == "stopped"
    assert stopped.stop_reason == "no writer could be reached: writer fake failed: connection refused"
    assert len(stopped.rounds) == at - 1
    assert settled(resume("away", **parts)) == settled(whole)


def test_a_persons_wording_is_scored_where_no_writer_can_be_reached(tmp_path: Path) -> None:
    parts: dict[str, Any] = {"simulator": FakeSimulator(), "writers": [Away(2)], "store": tmp_path}
    run(brief=bakery(approval=True, budget={"rounds": 3}), run_id="a", **parts)
    own = "We bake rye bread every morning, next door"
    result = resume("a", decision=Decision(edits={"r1-01": own}), **parts)
    assert result.status == "waiting_for_approval"
    assert [c.text for c in result.candidates if c.round == 2 and c.score is not None] == [own]
    assert any("connection refused" in note for note in result.rounds[-1].notes)


def test_a_run_that_failed_waits_for_no_decision(tmp_path: Path) -> None:
    parts: dict[str, Any] = {"simulator": Flaky(3), "writers": [Baker()], "store": tmp_path}
    run(brief=bakery(approval=True, budget={"rounds": 3}), run_id="a", **parts)
    said = Decision(comments={"": "less haste"})
    assert resume("a", decision=said, **parts).status == "stopped"
    with pytest.raises(SettingsError, match="does not wait for one"):
        resume("a", decision="finish", **parts)
    again = resume("a", decision=said, **parts)  # heard already: nothing is said twice
    assert (again.status, len(again.rounds), len(again.decisions)) == ("waiting_for_approval", 2, 1)
