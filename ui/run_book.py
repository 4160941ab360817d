"""Which runs the app knows, by ticket, and whose they are: the one place that says who may watch, answer and stop."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from lcbm_model.errors import InputError
from ui.runs import Run

if TYPE_CHECKING:
    from ui.services import Limits

NOBODY = ""
"""Owner of a run that waits for an answer after its tab was closed."""


class RunBook:
    """Runs by ticket; each belongs to one browser tab (its owner) at a time.

    Args:
        limits: How many are kept, how long, and how long a closed tab is waited for.
        forget: Told of each run that is cleared away, and whether another run of the same id stays.
    """

    def __init__(self, limits: Limits, forget: Callable[[Run, bool], None]) -> None:
        self.limits = limits
        self._forget = forget
        self._lock = threading.Lock()
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._leaving: dict[str, threading.Timer] = {}

    def admit(self, run: Run) -> None:
        """Write a run down, so that a closed tab stops it. One at a time for each owner, and each stored run once.

        Raises:
            InputError: The owner has one under way, or the stored run is another session's.
        """
        with self._lock:
            same = [r for r in self._runs.values() if r.id == run.id and not r.done]
            for other in same:
                _check_free(other, run.owner)
            self._check_turn(run)
            for other in same:
                del self._runs[other.ticket]
            self._runs[run.ticket] = run
            self._prune()

    def check_turn(self, run: Run) -> None:
        """Whether a run may go on.

        Raises:
            InputError: Another one of its owner's is under way.
        """
        with self._lock:
            self._check_turn(run)

    def _check_turn(self, run: Run) -> None:
        if any(r.owner == run.owner and r.busy and r is not run for r in self._runs.values()):
            raise InputError("run", "one is already going in this tab", remedy="Stop it first, or wait for its end")

    def get(self, ticket: str | None) -> Run | None:
        """A run by its ticket, or None where it was never known or has been cleared away."""
        with self._lock:
            return self._runs.get(ticket or "")

    def waiting(self, run_id: str, owner: str) -> Run | None:
        """The owner's own run of that id, where it waits for an answer."""
        with self._lock:
            found = (r for r in self._runs.values() if r.id == run_id and r.owner == owner and r.phase == "waiting")
            return next(found, None)

    def arrive(self, owner: str, ticket: str | None) -> Run | None:
        """A tab that comes back (reload, back button, lost connection) takes over the run it holds the ticket of."""
        with self._lock:
            timer = self._leaving.pop(owner, None)
            run = self._runs.get(ticket or "")
            if run is not None:
                run.owner = owner
        if timer is not None:
            timer.cancel()
        return run

    def leave(self, owner: str) -> None:
        """A tab was closed or lost: its runs are let go after a while unless it comes back."""
        with self._lock:
            if not any(r.owner == owner and not r.done for r in self._runs.values()):
                return
            if (earlier := self._leaving.get(owner)) is not None:
                earlier.cancel()  # each lost connection of a tab says so
            timer = threading.Timer(self.limits.grace_seconds, self._lapse, (owner,))
            timer.daemon = True
            self._leaving[owner] = timer
            timer.start()

    def _lapse(self, owner: str) -> None:
        """Let go, unless the tab came back, or was lost once more, just as the time ran out."""
        with self._lock:
            mine = self._leaving.get(owner) is threading.current_thread()
        if mine:
            self.let_go(owner)

    def let_go(self, owner: str) -> int:
        """Stop a closed tab's runs that are going, and leave those that wait to whoever asks; how many were going."""
        with self._lock:
            self._leaving.pop(owner, None)
            own = [r for r in self._runs.values() if r.owner == owner and not r.done]
            going = [r for r in own if r.busy]
            for run in own:
                if not run.busy:
                    run.owner = NOBODY
        for run in going:
            run.stop()
        return len(going)

    def close(self) -> list[Run]:
        """Nothing is let go any more; the runs, for their end."""
        with self._lock:
            timers, runs = list(self._leaving.values()), list(self._runs.values())
        for timer in timers:
            timer.cancel()
        return runs

    def _prune(self) -> None:
        """Forget idle runs that are old or too many (the lock is held)."""
        now = time.time()
        idle = [r for r in self._runs.values() if not r.busy]
        surplus = len(self._runs) - self.limits.kept_runs
        for index, run in enumerate(idle):
            if index < surplus or now - run.started > self.limits.kept_seconds:
                del self._runs[run.ticket]
                self._forget(run, any(r.id == run.id for r in self._runs.values()))


def _check_free(run: Run, owner: str) -> None:
    """Whether `owner` may go on with what `run` holds.

    Raises:
        InputError: It is going, or it waits for the answer of another session.
    """
    if run.busy:
        whose = "already, in this tab" if run.owner == owner else "in another session"
        raise InputError("Run", f"is under way {whose}", remedy="Wait for its end")
    if run.owner not in (owner, NOBODY):
        problem = "waits for the answer of the session that began it"
        raise InputError("Run", problem, remedy="Answer it there; a minute after that page was closed, anybody may")
