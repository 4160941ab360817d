"""Fixtures of more than one file: simulators behind a score cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lcbm_model.simulator.base import Simulator
from lcbm_model.simulator.score_cache import CachedSimulator
from tests.lcbm_model.recording import Recording


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scores.sqlite"


@pytest.fixture
def cached(path: Path) -> Iterator[Callable[..., CachedSimulator]]:
    """Simulators on one file, each with its own connection, closed at the end."""
    made: list[CachedSimulator] = []

    def make(inner: Simulator | None = None) -> CachedSimulator:
        made.append(CachedSimulator(inner or Recording(), path))
        return made[-1]

    yield make
    for simulator in made:
        simulator.close()
