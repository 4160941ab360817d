"""What the next round's writers should do differently, from this round's scores and past winners."""

from __future__ import annotations

from langgraph.runtime import Runtime

from optimizer.loop.context import LoopContext
from optimizer.loop.state import State, candidates_of, hits_of


def critique(state: State, runtime: Runtime[LoopContext]) -> State:
    """Ask the critic; rounds without anything new to say keep the last advice."""
    context = runtime.context
    advice = context.critic(candidates_of(state), hits_of(state)) if context.critic else None
    return State(critique=advice or state["critique"], seconds=context.stopwatch.seconds())
