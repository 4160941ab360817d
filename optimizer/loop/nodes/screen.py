"""The brief's hard limits: a draft that breaks one is kept with the reasons and never scored."""

from __future__ import annotations

from langgraph.runtime import Runtime

from optimizer.loop.context import LoopContext
from optimizer.loop.state import State, candidates_of, dump_candidates, hits_of


def screen(state: State, runtime: Runtime[LoopContext]) -> State:
    """Check this round's candidates against the brief, and against being copies of past posts."""
    context = runtime.context
    pending = set(state["pending"])
    past = {_words(hit.post.text): hit.post.id for hit in hits_of(state)}
    checked = []
    for candidate in candidates_of(state):
        if candidate.id in pending:
            reasons = context.screen(candidate.text)
            if candidate.round > 0 and (copied := past.get(_words(candidate.text))):
                reasons = (*reasons, f"repeats past post {copied!r} word for word")
            candidate = candidate.model_copy(update={"rejected": reasons})
        checked.append(candidate)
    return State(candidates=dump_candidates(checked), seconds=context.stopwatch.seconds())


def _words(text: str) -> str:
    return " ".join(text.split()).casefold()
