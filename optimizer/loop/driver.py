"""One driver for each run: two that take its steps at the same time would lose decisions and pay twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lcbm_model.errors import SettingsError
from optimizer.loop.folder import LOCK, RunFolder


@contextmanager
def only_driver(folder: RunFolder) -> Iterator[None]:
    """Hold a run against other drivers, in this process or another. A process that dies lets go of it.

    Raises:
        SettingsError: Somebody else is driving it, or its folder cannot be written to.
    """
    from filelock import FileLock, Timeout

    # Not bound to a thread: a generator that was left alone may be closed by any.
    lock = FileLock(folder.path / LOCK, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        remedy = "Wait until it stops or asks, then look at what came of it before you resume it"
        raise SettingsError(
            "run_id", "somebody else is driving this run", value=folder.run_id, remedy=remedy
        ) from error
    except OSError as error:
        remedy = "Resume it as somebody who may write there"
        problem = f"the run's folder cannot be written to: {error.strerror}"
        raise SettingsError("store", problem, value=str(folder.path), remedy=remedy) from error
    try:
        yield
    finally:
        lock.release()
