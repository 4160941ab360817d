"""Both sides of a subject: near posts that did well, and near posts that did badly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agents.library.base import Retriever
from agents.library.records import Hit
from lcbm_model.errors import LibraryError

WELL = 75.0
BADLY = 25.0
"""Percentiles from the better end, inside the channel."""


@dataclass(frozen=True)
class ContrastSet:
    """What to learn from, nearest first on either side.

    Attributes:
        well: Near posts at or above the upper percentile.
        badly: Near posts at or below the lower one.
    """

    well: tuple[Hit, ...]
    badly: tuple[Hit, ...]

    @property
    def complete(self) -> bool:
        """Whether there is something on both sides."""
        return bool(self.well and self.badly)


def contrast(
    library: Retriever,
    query: str,
    k: int = 5,
    *,
    metric: str | None = None,
    channel: str | None = None,
    well: float = WELL,
    badly: float = BADLY,
    filters: Mapping[str, Any] | None = None,
) -> ContrastSet:
    """The `k` nearest posts that did well and the `k` nearest that did badly.

    Args:
        library: Any retriever whose filters know `percentile`.
        well: Percentile from the better end at or above which a post did well, 0..100.
        badly: Percentile from the better end at or below which it did badly; below `well`.

    Raises:
        MetricError: A metric that no post was measured in.
        LibraryError: An empty query, ends the wrong way round, or a condition that cannot be checked.
    """
    if not 0 <= badly < well <= 100:
        problem = "a post cannot do well and badly at once: 0 <= badly < well <= 100"
        raise LibraryError("contrast", problem, value=(badly, well))
    sides = []
    for ends in ((well, None), (None, badly)):
        conditions = {**(filters or {}), "percentile": ends}
        sides.append(tuple(library.search(query, k, metric=metric, channel=channel, filters=conditions)))
    return ContrastSet(*sides)
