"""A lock for a model that many threads share: whoever waits longest is next."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType


class Turns:
    """Handed on in the order it was asked for; its holder may take it again.

    A plain lock lets a thread that scores pass after pass take it back before anyone else wakes up. Here every
    caller gets a turn between two passes of another.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[tuple[int, threading.Lock]] = deque()
        self._holder: int | None = None
        self._depth = 0

    def __enter__(self) -> Turns:
        me = threading.get_ident()
        with self._guard:
            if self._holder in (None, me):
                self._holder = me
                self._depth += 1
                return self
            gate = threading.Lock()
            gate.acquire()
            self._waiting.append((me, gate))
        try:
            gate.acquire()
        except BaseException:
            self._give_up(me, gate)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._guard:
            self._leave()

    def _leave(self) -> None:
        self._depth -= 1
        if self._depth:
            return
        if not self._waiting:
            self._holder = None
            return
        # Straight to the next in line: nobody can slip in between.
        self._holder, gate = self._waiting.popleft()
        self._depth = 1
        gate.release()

    def _give_up(self, me: int, gate: threading.Lock) -> None:
        """Leave the line, or pass the turn on where it came in the same moment."""
        with self._guard:
            if (me, gate) in self._waiting:
                self._waiting.remove((me, gate))
            else:
                self._leave()
