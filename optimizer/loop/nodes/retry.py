"""Where a run stops at a failure that may pass: resuming it begins here, and the step that failed is taken again."""

from __future__ import annotations

from langgraph.runtime import Runtime

from optimizer.loop.context import LoopContext
from optimizer.loop.state import State


def retry(state: State, runtime: Runtime[LoopContext]) -> State:
    """Forget the failure."""
    return State(failure=None, seconds=runtime.context.stopwatch.seconds())
