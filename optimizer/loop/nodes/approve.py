"""A person's word between rounds. The run waits here, for days if need be, and holds nothing open."""

from __future__ import annotations

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from optimizer.decision import Decision
from optimizer.loop.budget import spent
from optimizer.loop.choosing import choose
from optimizer.loop.context import LoopContext
from optimizer.loop.human import with_vetoes
from optimizer.loop.state import State, candidates_of, dump_candidates


def approve(state: State, runtime: Runtime[LoopContext]) -> State:
    """Wait for a decision, then strike what it vetoes, choose anew, and keep its words for the next round.

    Edits become drafts in the draft node, comments reach the writers there. An end with edits makes one more round of
    nothing but these edits. Who goes on after rounds without reliable gain gets another round, as long as no limit of
    the budget is reached.
    """
    context = runtime.context
    said = interrupt({"round": state["round"], "best_id": state["best_id"]})
    decision = Decision.model_validate_json(said).model_copy(update={"round": state["round"]})
    candidates = with_vetoes(candidates_of(state), decision.vetoed)
    best, _ = choose(candidates, state["best_id"], context.brief, context.scorer)
    seconds = context.stopwatch.seconds()
    limit = spent(state, context.brief.budget, seconds)
    ended = state["stop_reason"] or "ended by approval" if decision.action == "finish" else limit
    return State(
        candidates=dump_candidates(candidates),
        best_id=best.id if best else None,
        decisions=[*state.get("decisions", []), decision.model_dump(mode="json")],
        stop_reason=ended,
        stale=state["stale"] if ended or not state["stop_reason"] else 0,
        closing=ended is not None,
        seconds=seconds,
    )
