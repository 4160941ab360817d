"""How much one user may ask for at once, so that nobody fills the queue for all others."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lcbm_model.errors import InputError

CALLS = 4
"""Calls of the API under way for one user."""


def user_of(request: Any) -> str:
    """Whose request it is: the name of whoever logged in, else the browser tab or API client."""
    name = getattr(request, "username", None)
    return f"user {name}" if name else f"session {getattr(request, 'session_hash', None) or 'none'}"


class PerUser:
    """Counts what each user has under way.

    Args:
        most: How many at once.
    """

    def __init__(self, most: int = CALLS) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._going: Counter[str] = Counter()

    @contextmanager
    def turn(self, user: str) -> Iterator[None]:
        """One call of `user`.

        Raises:
            InputError: So many are under way already; nothing was begun.
        """
        with self._lock:
            if self._going[user] >= self.most:
                problem = f"you have {self.most} calls under way already"
                raise InputError("API", problem, remedy="Wait for one of them to end")
            self._going[user] += 1
        try:
            yield
        finally:
            with self._lock:
                self._going[user] -= 1
                if not self._going[user]:
                    del self._going[user]

    @property
    def users(self) -> int:
        """How many users have anything under way."""
        with self._lock:
            return len(self._going)
