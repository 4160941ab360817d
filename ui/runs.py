"""One optimisation in the background: what it last said, whether it should stop, what it came to."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lcbm_model.errors import LcbmError
from optimizer.brief import Brief
from optimizer.events import RunEvent
from optimizer.result import OptimizationResult

log = logging.getLogger("lcbm.ui")


@dataclass(frozen=True)
class Snapshot:
    """A run as it stands: enough to draw the whole screen anew, after a lost connection too."""

    version: int
    event: RunEvent | None
    result: OptimizationResult | None
    error: str | None
    queued: bool
    stopping: bool
    done: bool
    seconds: float


@dataclass
class Run:
    """Driven by its own thread; watched by any number of viewers."""

    id: str
    owner: str
    brief: Brief
    started: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._version = 0
        self._event: RunEvent | None = None
        self._error: str | None = None
        self._queued = True
        self._ended: float | None = None

    def stop(self) -> None:
        """Ask it to end after the step it is in; the best so far is kept."""
        self._stop.set()
        with self._changed:
            self._bump()

    def should_stop(self) -> bool:
        """Asked by the loop between its steps."""
        return self._stop.is_set()

    @property
    def done(self) -> bool:
        return self._ended is not None

    @property
    def result(self) -> OptimizationResult | None:
        return self._event.result if self._event else None

    def drive(self, events: Callable[[], Iterator[Any]], slots: threading.Semaphore) -> None:
        """Run to the end in the calling thread, once a slot is free."""
        try:
            while not slots.acquire(timeout=0.2):
                if self._stop.is_set():
                    self._error = "Stopped while it waited for its turn; nothing had been tried yet."
                    return
            try:
                self._tell(queued=False)
                for event in events():
                    self._tell(event=event)
            finally:
                slots.release()
        except LcbmError as error:
            self._error = str(error)
        except Exception as error:  # a thread's error would vanish: it is logged and shown in the run's place
            log.exception("run %s failed", self.id)
            self._error = f"Something went wrong inside the app: {error}"
        finally:
            with self._changed:
                self._ended = time.time()
                self._bump()

    def _tell(self, *, event: RunEvent | None = None, queued: bool = False) -> None:
        with self._changed:
            self._queued = queued
            self._event = event or self._event
            self._bump()

    def _bump(self) -> None:
        self._version += 1
        self._changed.notify_all()

    def snapshot(self) -> Snapshot:
        """How it stands now."""
        with self._changed:
            return Snapshot(
                version=self._version,
                event=self._event,
                result=self.result,
                error=self._error,
                queued=self._queued and not self.done,
                stopping=self._stop.is_set() and not self.done,
                done=self.done,
                seconds=(self._ended or time.time()) - self.started,
            )

    def follow(self, tick: float = 1.0) -> Iterator[Snapshot]:
        """Snapshots until the end: one at every change, and one at least every `tick` seconds."""
        seen = -1
        while True:
            self._wait_for_news(seen, tick)
            now = self.snapshot()
            seen = now.version
            yield now
            if now.done:
                return

    def _wait_for_news(self, seen: int, timeout: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._version != seen, timeout=timeout)

    def wait(self, timeout: float) -> bool:
        """Wait for the end; False where it is still going after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self.done, timeout=timeout)
