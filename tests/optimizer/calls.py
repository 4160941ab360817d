"""Calling `lcbm` with fakes for models: in this process where that will do, in one of its own where it matters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from optimizer.cli import run

ROOT = Path(__file__).resolve().parents[2]
BRIEF = """
name: bread
message: We bake rye bread every morning
draft: Rye bread
metric: click_rate
budget: {rounds: 2, candidates: 3}
least_meaning: 0
"""
POSTS = "id,text,channel,clicks,impressions\n" + "".join(
    f"p{i},Loaf number {i} fresh from the oven,post,{10 + 3 * i},1000\n" for i in range(12)
)


@dataclass(frozen=True)
class Done:
    """What a call came to."""

    returncode: int
    stdout: str
    stderr: str


class Lcbm:
    """Calls `lcbm` in this process with fakes for models, in a folder of its own."""

    def __init__(self, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self.patch, self.capture = patch, capture

    def __call__(self, *arguments: str | Path, fakes: str = "") -> Done:
        self.patch.setenv("FAKE_WRITERS", fakes)
        code = run([str(a) for a in arguments])
        captured = self.capture.readouterr()
        return Done(code, captured.out, captured.err)


def start(folder: Path, *arguments: str | Path, fakes: str = "") -> subprocess.Popen[str]:
    """`lcbm` in a process of its own, as a script calls it."""
    env = os.environ | {"FAKE_WRITERS": fakes, "PYTHONPATH": str(ROOT), "LCBM_RUNS": "runs"}
    command = [sys.executable, "-m", "tests.optimizer.lcbm_with_fakes", *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=env, stdout=pipe, stderr=pipe, text=True)


def in_a_process(folder: Path, *arguments: str | Path, fakes: str = "") -> Done:
    """The same, waited for."""
    with start(folder, *arguments, fakes=fakes) as process:
        stdout, stderr = process.communicate(timeout=120)
    return Done(process.returncode, stdout, stderr)


def answer(done: Done) -> Any:
    """The JSON on stdout, which must hold nothing else."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
