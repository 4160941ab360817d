"""The end of a run: what the reader of the result has to be told."""

from __future__ import annotations

from langgraph.runtime import Runtime

from optimizer.loop.closing import closing_warnings, fall_back
from optimizer.loop.context import LoopContext
from optimizer.loop.state import State


def finish(state: State, runtime: Runtime[LoopContext]) -> State:
    """Fall back to the original where nothing better passed, and add the honest warnings."""
    context = runtime.context
    return State(
        best_id=fall_back(state),
        warnings=[*state["warnings"], *closing_warnings(state, context)],
        stop_reason=state["stop_reason"] or "finished",
        seconds=context.stopwatch.seconds(),
    )
