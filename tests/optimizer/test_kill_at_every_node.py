"""A run killed in any step, and gone on with, ends as one that was never touched."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from optimizer import OptimizationResult, api
from optimizer.loop.context import Stopwatch
from tests.optimizer.killing import CountingClock, answered, dies_at, exit_code, whole


def settled(result: OptimizationResult) -> dict[str, Any]:
    """All of a result but its times."""
    rounds = [r.model_copy(update={"seconds": 0.0}) for r in result.rounds]
    return result.model_copy(update={"rounds": tuple(rounds)}).model_dump(exclude={"run_id", "started", "seconds"})


@pytest.mark.parametrize(
    ("approval", "looking"),
    [(False, False), (True, False), (False, True)],
    ids=["alone", "with a person", "at first look"],
)
def test_a_run_killed_in_any_step_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, approval: bool, looking: bool
) -> None:
    clock = CountingClock()
    with monkeypatch.context() as patch:
        patch.setattr(api, "Stopwatch", partial(Stopwatch, clock=clock))
        expected = settled(whole(tmp_path, "whole", approval, looking))
    assert expected["status"] == "finished"
    assert len(expected["decisions"]) == (2 if approval else 0)
    assert any(row["passed_over"] for row in expected["rounds"]) == looking
    survived = 0
    for n in range(1, clock.readings):  # the first reading is the stopwatch's own start
        run_id = f"killed-{n}"
        code = exit_code(dies_at, n, str(tmp_path), run_id, approval, looking)
        if code == 0:  # each process has a clock of its own, so a run in several parts reads each less often
            survived += 1
            break
        assert code == -signal.SIGKILL
        assert settled(answered(tmp_path, run_id, looking=looking)) == expected, f"killed at reading {n} of the clock"
    assert survived <= 1
