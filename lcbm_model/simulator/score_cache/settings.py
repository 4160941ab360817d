"""Where scores are kept between runs, and whether.

`LCBM_SCORE_CACHE` is a folder, or "off"; by default scores lie beside the converted weights (`LCBM_CACHE`, else the
user's cache folder). `LCBM_SCORE_CACHE_MB` bounds the file.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from lcbm_model.backbone.runtime import cache_dir
from lcbm_model.errors import SettingsError
from lcbm_model.simulator.base import Simulator
from lcbm_model.simulator.score_cache.cached import CachedSimulator
from lcbm_model.simulator.score_cache.store import MAX_BYTES, ScoreStore

FILE = "scores.sqlite"
HOSTED = frozenset({"openai_compatible"})
"""Backends known by a name only: what stands behind it may change, and its old scores would be wrong."""

_anew: ContextVar[bool] = ContextVar("scoring_anew", default=False)


def cache_file() -> Path | None:
    """Where scores are kept; None where the cache is off."""
    chosen = os.environ.get("LCBM_SCORE_CACHE", "").strip()
    if _anew.get() or chosen.lower() in {"off", "0", "no", "false"}:
        return None
    return (Path(chosen).expanduser() if chosen else cache_dir()).absolute() / FILE


@contextmanager
def scoring_anew() -> Iterator[None]:
    """Inside, `with_score_cache` leaves simulators as they are."""
    token = _anew.set(True)
    try:
        yield
    finally:
        _anew.reset(token)


def with_score_cache(simulator: Simulator) -> Simulator:
    """The simulator with the user's score cache under it, where that is on and its scores may be kept.

    Raises:
        SettingsError: `LCBM_SCORE_CACHE_MB` is no size.
    """
    path = cache_file()
    if path is None or isinstance(simulator, CachedSimulator) or _hosted(simulator):
        return simulator
    return CachedSimulator(simulator, open_store(path))


def open_store(path: Path) -> ScoreStore:
    """The store of a file: one for the whole process, closed at its end.

    Raises:
        SettingsError: `LCBM_SCORE_CACHE_MB` is no size.
    """
    return _shared(path, _max_bytes())


@cache
def _shared(path: Path, max_bytes: int) -> ScoreStore:
    store = ScoreStore(path, max_bytes=max_bytes)
    atexit.register(store.close)
    return store


def _hosted(simulator: Simulator) -> bool:
    """Whether a hosted model takes part in its scores: itself, inside of it, or as one of its members."""
    inside = (getattr(simulator, "inner", None), *getattr(simulator, "members", ()))
    return simulator.identity.backend in HOSTED or any(_hosted(part) for part in inside if part is not None)


def _max_bytes() -> int:
    text = os.environ.get("LCBM_SCORE_CACHE_MB", "").strip()
    if not text:
        return MAX_BYTES
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 10**6:
        raise SettingsError("LCBM_SCORE_CACHE_MB", "must be a whole number of megabytes, 1 to 1000000", value=text)
    return int(text) * 2**20
