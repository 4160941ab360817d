"""One optimisation in the background: what it last said, whether it should stop, what a person noted on its drafts."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from lcbm_model.errors import LcbmError
from lcbm_model.simulator.base import Context
from optimizer.brief import Brief
from optimizer.events import RunEvent
from optimizer.result import Candidate, OptimizationResult
from ui.notify import spoken

log = logging.getLogger("lcbm.ui")

Phase = Literal["queued", "going", "waiting", "done"]
"""Waiting: a round is over and a person is asked; no thread is held."""


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
    waiting: bool = False


@dataclass
class Marks:
    """What a person noted on the drafts of one round, by candidate id; "" stands for the whole round."""

    edits: dict[str, str] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    vetoed: set[str] = field(default_factory=set)
    comments: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.edits or self.kept or self.vetoed or self.comments)


@dataclass
class Run:
    """Driven by one thread at a time; watched by any number of viewers.

    Attributes:
        id: Name of its folder; every member of the team reads it under Campaigns, so it opens nothing.
        owner: The browser tab it belongs to.
        ticket: Known to that tab alone: whoever shows it may watch, answer and stop the run.
    """

    id: str
    owner: str
    brief: Brief
    context: Context = field(default_factory=Context)
    library: Any = None
    seed: int = 0
    started: float = field(default_factory=time.time)
    ticket: str = field(default_factory=lambda: secrets.token_hex(16))

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._version = 0
        self._event: RunEvent | None = None
        self._error: str | None = None
        self._phase: Phase = "queued"
        self._ended: float | None = None
        self.marks = Marks()

    def stop(self) -> None:
        """Ask it to end after the step it is in; the best so far is kept. What has not had its turn ends at once."""
        self._stop.set()
        with self._changed:
            if self._phase == "queued":
                if self._event is None:
                    self._error = "Stopped while it waited for its turn; nothing had been tried yet."
                self._phase, self._ended = "done", time.time()
            self._bump()

    def should_stop(self) -> bool:
        """Asked by the loop between its steps."""
        return self._stop.is_set()

    @property
    def phase(self) -> Phase:
        return self._phase

    @property
    def done(self) -> bool:
        return self._phase == "done"

    @property
    def busy(self) -> bool:
        """Whether it holds, or stands in line for, the model."""
        return self._phase in ("queued", "going")

    @property
    def result(self) -> OptimizationResult | None:
        return self._event.result if self._event else None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        return self._event.candidates if self._event else ()

    def candidate(self, candidate_id: str) -> Candidate | None:
        """A draft of this run by its id."""
        return next((c for c in self.candidates if c.id == candidate_id), None)

    def go_on(self) -> Marks:
        """Leave the waiting state, once; hands out what was noted and begins a fresh sheet.

        Raises:
            ValueError: It does not wait (somebody pressed twice).
        """
        with self._changed:
            if self._phase != "waiting":
                raise ValueError("the run does not wait for anybody")
            self._phase = "queued"
            noted, self.marks = self.marks, Marks()
            self._bump()
            return noted

    def drive(self, events: Callable[[], Iterator[Any]]) -> None:
        """Run to the end, or to a wait for approval, in the calling thread; nothing where it was stopped before."""
        if not self._begin():
            return
        after: Phase = "done"
        try:
            for event in events():
                self._tell(event)
            if self._event is not None and self._event.kind == "waiting" and not self._stop.is_set():
                after = "waiting"
        except LcbmError as error:
            self._error = spoken(error)
        except Exception as error:  # a thread's error would vanish: it is logged and shown in the run's place
            log.exception("run %s failed", self.id)
            self._error = f"Something went wrong inside the app: {error}"
        finally:
            self._enter(after)

    def _begin(self) -> bool:
        """Out of the line; False where it stands in none any more."""
        with self._changed:
            if self._phase != "queued":
                return False
            self._phase, self._ended = "going", None
            self._bump()
            return True

    def _enter(self, phase: Phase) -> None:
        """Nothing is held from here on."""
        with self._changed:
            self._phase, self._ended = phase, time.time()
            self._bump()

    def _tell(self, event: RunEvent) -> None:
        with self._changed:
            self._event = event
            if event.result is not None:
                self.brief = event.result.brief  # its picture is the run's own copy, which outlives the upload
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
                queued=self._phase == "queued",
                stopping=self._stop.is_set() and self.busy,
                done=self.done,
                seconds=(self._ended or time.time()) - self.started,
                waiting=self._phase == "waiting",
            )

    def follow(self, tick: float = 1.0) -> Iterator[Snapshot]:
        """Snapshots until the end or a wait for approval: at every change, and at least every `tick` seconds."""
        seen = -1
        while True:
            self._wait_for_news(seen, tick)
            now = self.snapshot()
            seen = now.version
            yield now
            if now.done or now.waiting:
                return

    def _wait_for_news(self, seen: int, timeout: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._version != seen, timeout=timeout)

    def wait(self, timeout: float) -> bool:
        """Wait until it holds nothing any more; False where it is still going after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self.busy, timeout=timeout)
