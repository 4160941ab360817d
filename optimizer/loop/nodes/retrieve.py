"""What worked before and what did not: past posts near the brief, and the draft to beat as round 0's only candidate."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from langgraph.runtime import Runtime

from agents.library.contrast import BADLY
from agents.library.records import Hit
from lcbm_model.errors import LibraryError
from optimizer.brief import Brief
from optimizer.loop.context import LoopContext, Searchable
from optimizer.loop.state import ORIGINAL, State, dump_candidates
from optimizer.result import Candidate

K = 8
"""Past posts retrieved."""

MIN_PERCENTILE = 60.0
"""Writers learn from posts that did better than most."""


def retrieve(state: State, runtime: Runtime[LoopContext]) -> State:
    """Past winners and losers near the message; the brief's own draft becomes the candidate to beat."""
    context = runtime.context
    brief = context.brief
    original = (
        [Candidate(id=ORIGINAL, text=brief.draft, round=0, writer="human", strategy="original")] if brief.draft else []
    )
    warnings = list(state["warnings"])
    hits: list[Hit] = []
    losers: list[Hit] = []
    if context.library is not None:
        library, query = context.library, " ".join(part for part in (brief.title, brief.draft, brief.message) if part)
        if not (hits := _winners(library, query, brief, brief.channel)):
            if hits := _winners(library, query, brief, None):
                warnings.append(
                    f"The library has no strong past posts in channel {brief.channel!r}: "
                    "examples come from its other channels."
                )
            else:
                warnings.append(f"The library has no past posts with {brief.metric} above the middle to learn from.")
        losers = _losers(library, query, brief, hits[0].post.channel if hits else None)
    return State(
        candidates=dump_candidates(original),
        pending=[c.id for c in original],
        hits=[hit.model_dump(mode="json") for hit in hits],
        losers=[hit.model_dump(mode="json") for hit in losers],
        warnings=warnings,
        seconds=context.stopwatch.seconds(),
    )


def _winners(library: Searchable, query: str, brief: Brief, channel: str | None) -> list[Hit]:
    well: dict[str, Any] = {"metric": brief.metric, "min_percentile": MIN_PERCENTILE, "channel": channel}
    return _of_its_kind_first(library, query, brief, **well)


def _losers(library: Searchable, query: str, brief: Brief, channel: str | None) -> list[Hit]:
    """Near posts that did badly; none from a retriever that cannot tell."""
    badly: dict[str, Any] = {"percentile": (None, BADLY)}
    try:
        return _of_its_kind_first(library, query, brief, metric=brief.metric, channel=channel, filters=badly)
    except LibraryError:
        return []


def _of_its_kind_first(
    library: Searchable, query: str, brief: Brief, *, filters: Mapping[str, Any] | None = None, **conditions: Any
) -> list[Hit]:
    """`K` near posts: those of the brief's kind, and where they are too few the nearest of the others behind them.

    What works in a photograph's caption is not what works above a link. A retriever that knows no kinds gives the
    nearest of all.
    """
    alike: list[Hit] = []
    if brief.format is not None:
        with suppress(LibraryError):
            alike = library.search(query, K, filters={**(filters or {}), "format": brief.format}, **conditions)
    if len(alike) == K:
        return alike
    known = {hit.post.id for hit in alike}
    others = library.search(query, K + len(alike), filters=filters, **conditions)
    return [*alike, *(hit for hit in others if hit.post.id not in known)][:K]
