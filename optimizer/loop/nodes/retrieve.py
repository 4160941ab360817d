"""What worked before and what did not: past posts near the brief, and the draft to beat as round 0's only candidate."""

from __future__ import annotations

from langgraph.runtime import Runtime

from agents.library.contrast import BADLY
from agents.library.records import Hit
from lcbm_model.errors import LibraryError
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
        query = " ".join(part for part in (brief.title, brief.draft, brief.message) if part)
        hits = _search(context.library, query, brief.metric, brief.channel)
        if not hits:
            hits = _search(context.library, query, brief.metric, None)
            if hits:
                warnings.append(
                    f"The library has no strong past posts in channel {brief.channel!r}: "
                    "examples come from its other channels."
                )
            else:
                warnings.append(f"The library has no past posts with {brief.metric} above the middle to learn from.")
        losers = _losers(context.library, query, brief.metric, hits[0].post.channel if hits else None)
    return State(
        candidates=dump_candidates(original),
        pending=[c.id for c in original],
        hits=[hit.model_dump(mode="json") for hit in hits],
        losers=[hit.model_dump(mode="json") for hit in losers],
        warnings=warnings,
        seconds=context.stopwatch.seconds(),
    )


def _search(library: Searchable, query: str, metric: str, channel: str | None) -> list[Hit]:
    return library.search(query, K, metric=metric, min_percentile=MIN_PERCENTILE, channel=channel)


def _losers(library: Searchable, query: str, metric: str, channel: str | None) -> list[Hit]:
    """Near posts that did badly; none from a retriever that cannot tell."""
    try:
        return library.search(query, K, metric=metric, channel=channel, filters={"percentile": (None, BADLY)})
    except LibraryError:
        return []
