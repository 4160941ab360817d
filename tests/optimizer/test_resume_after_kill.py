"""kill -9 between rounds loses nothing: the resumed run ends as the unbroken one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _call(store: Path, run_id: str, mode: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.optimizer.killed_run", str(store), run_id, mode]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def _result(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    for key in ("run_id", "started", "seconds"):
        del result[key]
    for row in result["rounds"]:
        del row["seconds"]
    return result


@pytest.mark.parametrize("at", [2])
def test_killed_and_resumed_equals_unbroken(tmp_path: Path, at: int) -> None:
    killed = _call(tmp_path, "killed", str(at))
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "result.json").exists()
    resumed = _result(_call(tmp_path, "killed", "resume"))
    assert len(resumed["rounds"]) == 3
    assert resumed == _result(_call(tmp_path, "whole", "whole"))
