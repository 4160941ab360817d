"""The retriever's contract: whoever can find past posts by meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from agents.library.records import Hit


@runtime_checkable
class Retriever(Protocol):
    """Finds past posts near a text. The loop takes any of these."""

    def search(
        self,
        query: str,
        k: int = 5,
        *,
        metric: str | None = None,
        min_percentile: float | None = None,
        channel: str | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> list[Hit]:
        """Up to `k` nearest posts that pass every filter, nearest first; fewer only where fewer pass.

        Args:
            metric: Whose value and percentile the hits carry; the retriever's own by default.
            min_percentile: 0..100 from the better end inside the channel; posts without a result do not pass.
            channel: Only posts of this channel.
            filters: Further conditions, by field.

        Raises:
            MetricError: A metric that no post was measured in.
            LibraryError: An empty query or a condition that cannot be checked.
        """
        ...
