"""Rounds in which a first look says which drafts are worth a simulator call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agents.writers.base import Draft, WriterResult, WriterUsage, WritingTask
from optimizer import Budget, Decision, OptimizationResult, resume
from tests.fakes import FakeSimulator, LookingSimulator
from tests.optimizer.parts import bakery, run


class Ladder:
    """Writes texts of falling length: the first ones score best."""

    name = "ladder"

    def __init__(self, *, by_rule: bool = True) -> None:
        self.by_rule, self.asked = by_rule, list[int]()

    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        self.asked.append(n)
        texts = [f"We bake rye bread {'o' * (60 - i)}" for i in range(n)]
        return WriterResult(drafts=tuple(Draft(text=t, writer=self.name) for t in texts), usage=WriterUsage(calls=1))


def looked(store: Path, simulator: FakeSimulator | None = None, **fields: Any) -> OptimizationResult:
    budget = {"rounds": 1, "candidates": 4, **fields.pop("budget", {})}
    ladder = fields.pop("ladder", Ladder())
    return run(store, bakery(budget=budget, **fields), simulator=simulator or LookingSimulator(), writers=[ladder])


def test_a_writer_by_rule_gives_a_pool_of_which_few_are_scored(tmp_path: Path) -> None:
    ladder = Ladder()
    result = looked(tmp_path, ladder=ladder)
    row = result.rounds[0]
    assert ladder.asked == [32]
    assert row.drafted == row.scored + row.passed_over == 32
    assert 1 <= row.scored <= 4
    assert result.simulator_calls == 1 + row.scored
    assert result.best is not None
    assert result.best.score is not None
    assert result.best.score >= max(len(f"We bake rye bread {'o' * 60}") - 4, 0)
    assert all(c.score is not None for c in result.candidates), "what was passed over leaves the run"
    assert "promised too little at a first look" in " ".join(row.notes)
    writer = result.writers[0]
    assert (writer.drafts, writer.passed_over, writer.scored) == (row.drafted, row.passed_over, row.scored)


def test_free_calls_are_made_up_to_the_round_s_number_of_drafts(tmp_path: Path) -> None:
    assert looked(tmp_path, budget={"least_call_gain": 0}).rounds[0].scored == 4


def test_dear_calls_are_not_made(tmp_path: Path) -> None:
    result = looked(tmp_path, budget={"least_call_gain": 100, "rounds": 3})
    assert result.simulator_calls == 1
    assert result.stop_reason == ("no reliable gain for 2 rounds: no draft promised enough at a first look")


def test_the_budget_of_calls_holds(tmp_path: Path) -> None:
    result = looked(tmp_path, budget={"simulator_calls": 3, "least_call_gain": 0})
    assert result.simulator_calls == 3


def test_without_a_first_look_every_draft_asked_for_is_scored(tmp_path: Path) -> None:
    for simulator, metric in ((FakeSimulator(), "click_rate"), (LookingSimulator(), "shares")):
        ladder = Ladder()
        result = looked(tmp_path / metric, simulator, ladder=ladder, metric=metric)
        assert ladder.asked == [4]
        assert result.rounds[0].scored == 4
        assert result.rounds[0].passed_over == 0


def test_a_writer_that_costs_is_asked_for_no_more_than_its_share(tmp_path: Path) -> None:
    ladder = Ladder(by_rule=False)
    looked(tmp_path, ladder=ladder)
    assert ladder.asked == [4]


def test_what_a_person_wrote_is_scored_whatever_it_promises(tmp_path: Path) -> None:
    parts: dict[str, Any] = {"simulator": LookingSimulator(), "writers": [Ladder()], "store": tmp_path}
    brief = bakery(approval=True, budget={"rounds": 2, "candidates": 4, "least_call_gain": 50})
    waiting = run(tmp_path, brief, simulator=parts["simulator"], writers=parts["writers"], run_id="own")
    assert waiting.status == "waiting_for_approval"
    result = resume("own", decision=Decision(action="finish", edits={"original": "Rye, today"}), **parts)
    own = next(c for c in result.candidates if c.writer == "human" and c.round > 0)
    assert own.score is not None


def test_the_setting_has_bounds() -> None:
    assert Budget().least_call_gain > 0
