"""Runs that die by SIGKILL in the middle of a step, in processes that are cheap to make.

Every step reads the run's clock last, when its work is done and nothing of it is on disk yet: dying there loses the
most. So a clock that kills at its n-th reading visits every step of a run, one n after the other.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from optimizer import Decision, OptimizationResult, api, resume
from optimizer.loop.context import Stopwatch
from tests.fakes import FakeSimulator, LookingSimulator
from tests.optimizer.parts import Baker, FakeLibrary, bakery, run

PRELOADED = ["langgraph.graph", "langgraph.checkpoint.sqlite", "tests.optimizer.killing"]

OWN = "We bake rye bread every morning, warm and early, gladly and quietly, next door"
DECISIONS = {
    1: Decision(edits={"r1-02": OWN}, vetoed=("r1-01",), comments={"": "less haste"}),
    2: Decision(action="finish", edits={"r1-03": "Our rye bread is baked slowly and warm, before the morning"}),
}
"""What a person says after each round of an approved run."""


class FatalClock:
    """Kills its process at the n-th reading."""

    def __init__(self, n: int) -> None:
        self.left = n

    def __call__(self) -> float:
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return monotonic()


class CountingClock:
    """Counts its readings."""

    def __init__(self) -> None:
        self.readings = 0

    def __call__(self) -> float:
        self.readings += 1
        return monotonic()


def whole(store: Path, run_id: str, approval: bool, looking: bool = False) -> OptimizationResult:
    """A run from its beginning to its end, with a person's words on the way where they are wanted."""
    budget = {"rounds": 2, "patience": 9, "candidates": 3}
    brief = bakery(approval=approval, budget=budget)
    result = run(store, brief, run_id=run_id, **_parts(looking))
    return answered(store, run_id, result, looking)


def _parts(looking: bool) -> dict[str, Any]:
    parts: dict[str, Any] = {"judge": FakeSimulator(name="judge", spread=20), "library": FakeLibrary()}
    hasty = Baker("a")
    hasty.by_rule = looking  # its drafts then come in a larger pool
    return parts | {"simulator": LookingSimulator() if looking else FakeSimulator(), "writers": [hasty, Baker("b")]}


def answered(
    store: Path, run_id: str, result: OptimizationResult | None = None, looking: bool = False
) -> OptimizationResult:
    """Goes on with a run to its end, answering whenever it waits."""
    parts = _parts(looking) | {"store": store}
    while result is None or result.status == "waiting_for_approval":
        said = DECISIONS[len(result.rounds)] if result is not None else None
        result = resume(run_id, decision=said, **parts)
    return result


def dies_at(n: int, store: str, run_id: str, approval: bool, looking: bool) -> None:
    """The body of a process that does not survive."""
    api.Stopwatch = partial(Stopwatch, clock=FatalClock(n))  # type: ignore[misc,assignment]
    whole(Path(store), run_id, approval, looking)


def exit_code(body: Callable[..., None], *arguments: Any) -> int:
    """Runs `body` in a process forked off one that holds the imports already, and nothing else."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=body, args=arguments)
    process.start()
    process.join(timeout=120)
    code = process.exitcode
    process.close()
    assert code is not None
    return code
