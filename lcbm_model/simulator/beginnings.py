"""What the prompts of earlier calls began with, kept for the next: rounds of a loop and edits of one text repeat it."""

from __future__ import annotations

from collections.abc import Sequence

from lcbm_model.simulator.items import Row, common
from lcbm_model.simulator.tree import Kept

MIN_KEPT = 8
"""Tokens. A shorter beginning is computed again rather than kept."""
MOST_BYTES = 64 << 20
"""Of keys, values and states: some 2,000 tokens of the embedded model."""


class Beginnings:
    """The latest beginnings within a bound of memory. Callers hold the backbone's lock.

    Args:
        most_bytes: Bound of all tensors together; 0 keeps nothing.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._found: list[tuple[object, Kept]] = []

    def find(self, row: Row, depth: object) -> Kept:
        """The longest beginning of a row that is known; empty where none is worth it.

        Args:
            depth: What was run and watched; beginnings of another depth do not fit.
        """
        best = Kept()
        for known, kept in self._found:
            length = min(common(kept.trail, row.trail), len(row.trail) - 1)
            if known == depth and length >= max(MIN_KEPT, best.length + 1):
                best = kept.first(length)
        return best

    def worth_keeping(self, rows: Sequence[Row]) -> int:
        """Tokens that all rows (in trail order) begin with, no picture and none of their own parts among them."""
        if not self._most:
            return 0
        together = min(common(rows[0].trail, rows[-1].trail), *(len(row.item.shared) for row in rows))
        # Pictures stand as numbers of one call: the next call's may be others.
        return next((i for i, token in enumerate(rows[0].trail[:together]) if token < 0), together)

    def add(self, kept: Kept, depth: object) -> None:
        """Keep a beginning; older ones go where memory asks for it, and those that it contains."""
        size = kept.bytes()
        if size > self._most:
            kept = kept.first(kept.length * self._most // size).copied()
        if kept.length < MIN_KEPT:
            return
        mine = [entry for entry in self._found if entry[0] == depth]
        longer = next((entry for entry in mine if _within(kept, entry[1])), None)
        gone = {id(entry) for entry in mine if entry is longer or _within(entry[1], kept)}
        self._found = [entry for entry in self._found if id(entry) not in gone] + [longer or (depth, kept)]
        while sum(entry[1].bytes() for entry in self._found) > self._most:
            self._found.pop(0)

    def clear(self) -> None:
        """Keep nothing of what was kept."""
        self._found = []


def _within(shorter: Kept, longer: Kept) -> bool:
    return longer.trail[: shorter.length] == shorter.trail
