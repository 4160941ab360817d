"""Shared fixtures: the development data where it is present, and the real embedded model, loaded once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lcbm_model.simulator.base import Simulator

ROOT = Path(__file__).resolve().parent.parent

# Several test processes share the processors: torch's threads would wait for each other all the time.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# No test, and no process that a test starts, reads or writes the user's own scores.
os.environ["LCBM_SCORE_CACHE"] = "off"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The development data (`LCBM_DATA`, else `../shared/data` beside the checkout)."""
    folder = Path(os.environ.get("LCBM_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "upworthy.parquet").exists():
        pytest.skip(f"development data not found in {folder}: set LCBM_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def embedded() -> Iterator[Simulator]:
    """The embedded simulator as users get it by default."""
    from lcbm_model.simulator import load_simulator

    return load_simulator("embedded")
