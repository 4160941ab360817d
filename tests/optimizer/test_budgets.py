"""Every limit of a budget holds, whatever the others are, and the best so far is always returned."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.writers.base import NothingUsable, WriterResult, WriterUsage, WritingTask
from optimizer import Budget, resume
from optimizer.loop.budget import affordable
from tests.fakes import FakeSimulator
from tests.optimizer.parts import Baker, bakery, run

TOKENS, COST = 10, 0.25
"""What one draft of `Paid` spends."""


class Paid(Baker):
    """A writer that sends a bill."""

    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        result = super().write(task, n, seed=seed)
        return result.model_copy(update={"usage": WriterUsage(calls=1, tokens=TOKENS * n, cost=COST * n)})


class Babbling(Baker):
    """Sends a bill for nonsense."""

    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        self.tasks.append(task)
        raise NothingUsable(f"writer {self.name} answered nothing usable", WriterUsage(calls=1, tokens=200, cost=2.0))


budgets = st.fixed_dictionaries(
    {
        "rounds": st.integers(0, 4),
        "candidates": st.integers(1, 6),
        "simulator_calls": st.integers(0, 40),
        "writer_tokens": st.integers(0, 200),
        "money": st.none() | st.floats(0, 4, allow_nan=False),
        "patience": st.integers(1, 3),
    }
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(limits=budgets, writers=st.integers(1, 3))
def test_no_limit_is_passed(limits: dict[str, float], writers: int) -> None:
    simulator = FakeSimulator()
    with tempfile.TemporaryDirectory() as store:
        hired = [Paid(f"w{i}") for i in range(writers)]
        result = run(Path(store), bakery(budget=limits), simulator=simulator, writers=hired)
    assert len(result.rounds) <= limits["rounds"]
    assert all(r.drafted <= limits["candidates"] for r in result.rounds)
    assert simulator.calls == result.simulator_calls <= limits["simulator_calls"]
    # What a draft costs is only known after a writer's first call, which is the only one that may overshoot.
    first_calls = writers * limits["candidates"]
    assert result.usage.tokens <= limits["writer_tokens"] + TOKENS * first_calls
    if limits["money"] is not None:
        assert result.usage.cost <= limits["money"] + COST * first_calls
    assert result.best is not None
    scores = [c.score for c in result.candidates if c.score is not None]
    if scores:
        assert result.best.score is not None
        assert scores[0] <= result.best.score <= max(scores)
    assert result.status == "finished"


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        ({"money": 0.5}, "spend cap reached (2 of 0.5)"),
        ({"writer_tokens": 100}, "writer token budget reached (200 of 100)"),
    ],
)
@pytest.mark.parametrize("others", [0, 1])
def test_nonsense_that_is_billed_counts_against_the_caps(
    tmp_path: Path, limit: dict[str, float], says: str, others: int
) -> None:
    babbling, budget = Babbling("babbling"), {"rounds": 6, "patience": 9} | limit
    result = run(tmp_path, bakery(budget=budget), writers=[babbling, *(Baker() for _ in range(others))])
    assert len(babbling.tasks) == result.usage.calls == len(result.rounds) == 1
    assert (result.usage.cost, result.usage.tokens, result.stop_reason) == (2.0, 200, says)
    assert any("nothing usable" in note for note in result.rounds[0].notes)


def test_a_writer_alone_that_babbles_is_billed_for_every_try_and_never_past_the_cap(tmp_path: Path) -> None:
    parts: dict[str, Any] = {"writers": [Babbling("babbling")], "simulator": FakeSimulator(), "store": tmp_path}
    result, costs = run(brief=bakery(budget={"money": 5.0}), run_id="a", **parts), []
    while result.status == "stopped":
        assert "nothing usable" in result.stop_reason
        costs.append(result.usage.cost)
        result = resume("a", **parts)
    assert costs == [2.0, 4.0]
    assert result.usage.cost == 4.0
    assert "the budget left pays for 0 of 4 drafts" in result.rounds[0].notes[0]


def test_no_rounds_return_the_original_with_its_score(tmp_path: Path) -> None:
    result = run(tmp_path, bakery(budget={"rounds": 0}))
    assert (result.best_id, result.stop_reason) == ("original", "round budget reached (0)")
    assert result.best is not None
    assert result.best.score is not None


def test_no_simulator_calls_return_the_original_without_a_score(tmp_path: Path) -> None:
    result = run(tmp_path, bakery(budget={"simulator_calls": 0}))
    assert result.best_id == "original"
    assert result.ranked == ()
    assert "simulator budget" in result.stop_reason


def test_comparisons_cost_no_simulator_call(tmp_path: Path) -> None:
    # 1 original + 2 rounds of 4 drafts = 9 calls.
    result = run(tmp_path, bakery(budget={"simulator_calls": 9}))
    assert result.simulator_calls == 9
    assert all(c.win_over_original is not None for c in result.candidates if c.id != "original")


def test_patience_counts_rounds_without_gain_in_a_row(tmp_path: Path) -> None:
    budget = {"rounds": 9, "patience": 3}
    result = run(tmp_path, bakery(draft="Rye bread " * 12, max_length=400, budget=budget))
    assert result.best_id == "original"
    assert len(result.rounds) == 3
    assert result.stop_reason == "no reliable gain for 3 rounds"


def test_a_tie_is_no_gain(tmp_path: Path) -> None:
    result = run(tmp_path, bakery(budget={"rounds": 5, "patience": 2}), simulator=FakeSimulator(lambda _: 50.0))
    assert result.best_id == "original"
    assert len(result.rounds) == 2


def test_wall_time_is_checked_between_steps(tmp_path: Path) -> None:
    class Slow(Baker):
        def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
            import time

            time.sleep(0.3)
            return super().write(task, n, seed=seed)

    budget = {"rounds": 50, "patience": 50, "seconds": 0.5}
    result = run(tmp_path, bakery(budget=budget), writers=[Slow()])
    assert "time budget reached" in result.stop_reason
    assert 1 <= len(result.rounds) <= 2
    assert result.best is not None


def test_seconds_add_up_over_processes() -> None:
    from optimizer.loop.context import Stopwatch

    now = iter([100.0, 107.0])
    assert Stopwatch(before=5.0, clock=lambda: next(now)).seconds() == 12.0


@given(
    wanted=st.integers(0, 50),
    tokens=st.integers(0, 1000),
    cost=st.floats(0, 10),
    cap=st.integers(0, 1000),
    money=st.none() | st.floats(0, 10),
    drafts=st.integers(1, 20),
)
def test_affordable_drafts_fit_into_what_is_left(
    wanted: int, tokens: int, cost: float, cap: int, money: float | None, drafts: int
) -> None:
    budget = Budget(writer_tokens=cap, money=money)
    before = {"drafts": float(drafts), "tokens": float(tokens), "cost": cost}
    n = affordable(wanted, WriterUsage(tokens=tokens, cost=cost), budget, before)
    assert 0 <= n <= wanted
    if n:
        assert tokens + n * tokens / drafts <= cap + 1e-6
        assert money is None or cost + n * cost / drafts <= money + 1e-6
