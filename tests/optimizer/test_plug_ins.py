"""Parts of a caller's own that break: the run keeps what it has, says so, and can be gone on with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agents.writers.base import WriterResult, WriterUsage, WritingTask
from lcbm_model.content import Content
from lcbm_model.errors import SettingsError
from lcbm_model.metrics import Metric
from lcbm_model.prediction import Prediction
from optimizer import Decision, optimize, resume
from tests.fakes import FakeSimulator, LookingSimulator
from tests.optimizer.parts import Baker, bakery, run


class BrokenWriter(Baker):
    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        raise ValueError("boom")


class NoWriterResult(Baker):
    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        return ["a text"]  # type: ignore[return-value]


class BrokenJudge(FakeSimulator):
    def predict(self, contents: Sequence[Content], metric: str | Metric, context: Any = None) -> list[Prediction]:
        raise RuntimeError("out of memory")


class Tipsy(LookingSimulator):
    """Its first look is no number for some."""

    def first_look(self, contents: Sequence[Content], metric: str | Metric) -> list[float] | None:
        return [float("nan")] * len(contents)


@pytest.mark.parametrize(("broken", "said"), [(BrokenWriter, "ValueError: boom"), (NoWriterResult, "AttributeError")])
def test_a_writer_that_breaks_leaves_its_share_to_the_others(tmp_path: Path, broken: Any, said: str) -> None:
    result = run(tmp_path, writers=[broken("broken"), Baker("baker")])
    assert any(f"writer broken failed: {said}" in note for note in result.rounds[0].notes)
    assert result.rounds[0].scored == 4
    assert result.status == "finished"


def test_a_judge_that_breaks_leaves_the_result(tmp_path: Path) -> None:
    result = run(tmp_path, judge=BrokenJudge(name="judge"))
    assert result.judge is None
    assert any("The judge failed" in w and "RuntimeError: out of memory" in w for w in result.warnings)
    assert result.best is not None


def test_a_simulator_that_breaks_stops_a_run_that_can_be_gone_on_with(tmp_path: Path) -> None:
    stopped = run(tmp_path, simulator=BrokenJudge(), run_id="x")
    assert stopped.status == "stopped"
    assert "RuntimeError: out of memory" in stopped.stop_reason
    ended = resume("x", store=tmp_path, simulator=FakeSimulator(), writers=[Baker()])
    assert ended.status == "finished"


def test_a_first_look_that_is_no_number_is_none(tmp_path: Path) -> None:
    result = run(tmp_path, simulator=Tipsy())
    assert result.rounds[0].scored == 4
    assert result.rounds[0].passed_over == 0


def test_a_first_look_sees_all_aims(tmp_path: Path) -> None:
    """What the further aim would choose is not passed over for looking poor on the brief's own."""

    class Opposed(LookingSimulator):
        def first_look(self, contents: Sequence[Content], metric: str | Metric) -> list[float] | None:
            return [self.of(content.text, str(metric)) for content in contents]

        def predict(self, contents: Sequence[Content], metric: str | Metric, context: Any = None) -> list[Prediction]:
            name = metric if isinstance(metric, str) else metric.name
            self.score = lambda text: self.of(text, name)
            return super().predict(contents, metric, context)

        def of(self, text: str, metric: str) -> float:
            shared = 90.0 if "share" in text else 10.0
            return shared if metric == "shares" else 55.0 - shared / 4

    from tests.fakes import FakeWriter

    writer = FakeWriter(texts=["Rye for every day", "Rye to share with all", "Rye and nothing else"])
    brief = bakery(objectives=[{"metric": "shares", "weight": 10}], budget={"rounds": 1, "candidates": 3})
    result = run(tmp_path, brief, simulator=Opposed(), writers=[writer])
    assert result.best is not None
    assert result.best.text == "Rye to share with all"


def test_a_run_keeps_its_judge(tmp_path: Path) -> None:
    run(tmp_path, bakery(approval=True), judge=FakeSimulator(name="one"), run_id="x")
    parts: dict[str, Any] = {
        "store": tmp_path,
        "simulator": FakeSimulator(),
        "writers": [Baker()],
        "decision": "finish",
    }
    with pytest.raises(SettingsError, match="a run keeps its judge"):
        resume("x", judge=FakeSimulator(name="two"), **parts)
    assert resume("x", judge=FakeSimulator(name="one"), **parts).judge is not None


def test_an_original_that_breaks_the_brief_is_not_said_to_be_beaten(tmp_path: Path) -> None:
    long = "We bake rye bread every morning, and how lovely it is to smell it at dawn, cheap"
    brief = bakery(draft=long, banned_words=("cheap",), budget={"rounds": 1})
    result = optimize(brief, simulator=FakeSimulator(), judge="none", writers=[Baker()], store=tmp_path)
    assert result.best is not None
    assert result.best.round == 1
    assert not result.rounds[0].gained
    assert "this is the best draft that may stand in its place, and does not beat it" in result.finding


def test_half_a_character_stops_nothing(tmp_path: Path) -> None:
    from tests.fakes import FakeWriter

    result = run(tmp_path, writers=[FakeWriter(texts=["We bake rye caf\udce9 every morning"])])
    assert any("caf?" in c.text for c in result.candidates)
    run(tmp_path, bakery(approval=True), run_id="x")
    parts: dict[str, Any] = {"store": tmp_path, "simulator": FakeSimulator(), "writers": [Baker()]}
    with pytest.raises(SettingsError, match="half a character"):
        resume("x", decision=Decision(edits={"original": "caf\udce9"}), **parts)


class Paid(Baker):
    """One coin a call, and other words each time."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.calls = 0

    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        self.calls += 1
        done = super().write(task, n, seed=seed + self.calls)
        return done.model_copy(update={"usage": WriterUsage(calls=1, cost=1.0)})


class Killed(Baker):
    """The process ends in the middle of its call."""

    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        raise SystemExit(9)


def test_what_a_writer_was_paid_for_survives_a_kill(tmp_path: Path) -> None:
    paid = Paid("paid")
    killed: dict[str, Any] = {"store": tmp_path, "simulator": FakeSimulator(), "writers": [paid, Killed("other")]}
    with pytest.raises(SystemExit):
        optimize(bakery(budget={"rounds": 1}), run_id="x", **killed)
    with pytest.raises(SystemExit):
        resume("x", **killed)
    ended = resume("x", store=tmp_path, simulator=FakeSimulator(), writers=[paid, Baker("other")])
    assert paid.calls == 1
    assert ended.usage.cost == 1.0
    assert any(c.writer == "paid" for c in ended.candidates)


def test_gains_of_several_rounds_add_up(tmp_path: Path) -> None:
    """Each round a little better than the last: measured from where the last reliable gain ended, they are one."""

    class Creeping(Baker):
        def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
            done = super().write(task, 1, seed=seed)
            text = f"Rye bread{'o' * task.round}"
            return done.model_copy(update={"drafts": (done.drafts[0].model_copy(update={"text": text}),)})

    brief = bakery(budget={"rounds": 8, "candidates": 1, "patience": 3}, reliable_gain=0.55, least_meaning=0)
    rounds = run(tmp_path, brief, simulator=FakeSimulator(spread=8.0), writers=[Creeping()]).rounds
    assert len(rounds) == 8
    assert any(r.gained for r in rounds)
    assert not all(r.gained for r in rounds)
