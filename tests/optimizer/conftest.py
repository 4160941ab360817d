"""Fixtures of the loop's and the command line's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.optimizer import lcbm_with_fakes
from tests.optimizer.calls import Lcbm


@pytest.fixture
def lcbm(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Lcbm:
    """`lcbm(*arguments, fakes="")` in the test's own folder."""
    lcbm_with_fakes.install(monkeypatch.setattr)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LCBM_RUNS", "runs")
    monkeypatch.delenv("LCBM_JUDGE", raising=False)
    return Lcbm(monkeypatch, capsys)
