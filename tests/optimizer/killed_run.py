"""A run that its writer kills with SIGKILL in a named round, and its resumption: `killed_run.py STORE ID MODE`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from agents.writers.base import WriterResult, WritingTask
from optimizer import resume
from tests.fakes import FakeSimulator
from tests.optimizer.parts import Baker, FakeLibrary, bakery, run


class Fatal(Baker):
    """Kills its own process when it is asked in round `at`."""

    at: int | None = None

    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        if task.round == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().write(task, n, seed=seed)


def main(store: Path, run_id: str, mode: str) -> None:
    writer, judge = Fatal(), FakeSimulator(name="judge", spread=20)
    if mode == "resume":
        parts = {"writers": [writer], "judge": judge, "library": FakeLibrary()}
        print(resume(run_id, store=store, simulator=FakeSimulator(), **parts).model_dump_json())  # type: ignore[arg-type]
        return
    writer.at = int(mode) if mode != "whole" else None
    brief = bakery(budget={"rounds": 3, "patience": 3})
    print(run(store, brief, run_id=run_id, writers=[writer], judge=judge, library=FakeLibrary()).model_dump_json())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
