"""What people uploaded is deleted on schedule, by a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path

log = logging.getLogger("lcbm.ui")

KEEP_SECONDS = 24 * 3600.0
EVERY_SECONDS = 15 * 60.0


class Sweeper:
    """Deletes files that nobody has touched for a while, and the folders that are empty then.

    Args:
        folders: What is swept, with everything beneath. Links are deleted, never followed.
        keep: Seconds since the last change after which a file goes.
        every: Seconds between two sweeps.
    """

    def __init__(self, folders: Sequence[Path], *, keep: float = KEEP_SECONDS, every: float = EVERY_SECONDS) -> None:
        self.folders, self.keep, self.every = tuple(folders), keep, every
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Sweep now and then in the background; a second call does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._go, name="lcbm-ui-sweeper", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(5.0)

    def sweep(self) -> int:
        """Delete what is old now; returns how many files went."""
        oldest, gone = time.time() - self.keep, 0
        for folder in self.folders:
            for path in sorted(folder.rglob("*"), key=lambda p: len(p.parts), reverse=True):
                gone += _deleted(path, oldest)
        return gone

    def _go(self) -> None:
        while not self._over.wait(self.every):
            if gone := self.sweep():
                log.info("%d uploads were deleted, being older than %.0f hours", gone, self.keep / 3600)


def _deleted(path: Path, oldest: float) -> bool:
    try:
        if path.lstat().st_mtime > oldest:
            return False
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
            return False
        path.unlink()
    except FileNotFoundError:  # somebody else was quicker
        return False
    except OSError as error:
        log.warning("an old upload could not be deleted: %s", error.strerror)
        return False
    return True
