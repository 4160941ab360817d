"""`lcbm` in a process of its own, with fakes where models would be loaded: `lcbm_with_fakes.py ARGUMENTS`.

`FAKE_WRITERS=down` hires a writer that is down, `FAKE_WRITERS=slow` one that takes a minute in round 2,
`FAKE_WRITERS=chatty` one that prints to stdout.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import agents.library.library
import agents.writers
import lcbm_model.backbone
import lcbm_model.simulator
from agents.writers.base import Writer, WriterResult, WritingTask
from lcbm_model.errors import SettingsError
from lcbm_model.simulator.base import Simulator
from optimizer.cli import main
from tests.agents.hashing_embedder import HashingEmbedder
from tests.fakes import FakeSimulator
from tests.optimizer.parts import Baker


class Slow(Baker):
    """In round 2 says so on stderr and takes a minute: time to press Ctrl-C."""

    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        if task.round == 2:
            print("round 2", file=sys.stderr, flush=True)
            time.sleep(60)
        print("a library that prints where it should not")
        return super().write(task, n, seed=seed)


class Chatty(Baker):
    """Prints to stdout, as libraries do that were never told not to."""

    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        print("Loading weights: 100%")
        return super().write(task, n, seed=seed)


def load_simulator(name: str = "embedded", **_: Any) -> Simulator:
    if name not in ("embedded", "judge"):
        raise SettingsError("model", "unknown model", value=name)
    return FakeSimulator(name=name, spread=20, tuned=name == "judge")


def load_writers(names: Any = None) -> tuple[Writer, ...]:
    kinds: dict[str, Writer] = {"down": Baker("down", down=True), "slow": Slow(), "chatty": Chatty()}
    return (kinds.get(os.environ.get("FAKE_WRITERS", ""), Baker()),)


def install(replace: Callable[[Any, str, Any], None] = setattr) -> None:
    """Put the fakes where the command line looks for models."""
    replace(lcbm_model.simulator, "load_simulator", load_simulator)
    replace(lcbm_model.backbone, "shipped_checkpoints", list)  # no twins: one fake plays the audience, nobody judges
    replace(agents.writers, "load_writers", load_writers)
    replace(agents.library.library, "load_embedder", lambda _=None: HashingEmbedder())


if __name__ == "__main__":
    install()
    main(sys.argv[1:])
