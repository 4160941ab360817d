"""The end of a run: why the best draft scores as it does, and what the reader of the result has to be told."""

from __future__ import annotations

from langgraph.runtime import Runtime

from optimizer.loop.closing import closing_warnings, fall_back
from optimizer.loop.context import LoopContext
from optimizer.loop.explaining import explain
from optimizer.loop.state import State, candidates_of


def finish(state: State, runtime: Runtime[LoopContext]) -> State:
    """Fall back to the original where nothing better passed, explain the best, and add the honest warnings."""
    context = runtime.context
    best_id = fall_back(state)
    best = next((c for c in candidates_of(state) if c.id == best_id), None)
    explained, calls, failure = explain(state, best, context)
    warnings = [*state["warnings"], *closing_warnings(state, context)]
    return State(
        best_id=best_id,
        explained=explained,
        simulator_calls=state["simulator_calls"] + calls,
        warnings=[*warnings, *([failure] if failure else [])],
        stop_reason=state["stop_reason"] or "finished",
        seconds=context.stopwatch.seconds(),
    )
