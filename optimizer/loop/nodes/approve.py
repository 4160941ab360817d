"""A person's word between rounds. The run waits here, for days if need be, and holds nothing open."""

from __future__ import annotations

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from optimizer.loop.context import LoopContext
from optimizer.loop.state import State


def approve(state: State, runtime: Runtime[LoopContext]) -> State:
    """Wait for a decision: 'continue' goes on with another round, 'finish' ends with the best so far."""
    decision = interrupt({"round": state["round"], "best_id": state["best_id"]})
    if decision == "finish":
        return State(stop_reason="ended by approval", seconds=runtime.context.stopwatch.seconds())
    return State(seconds=runtime.context.stopwatch.seconds())
