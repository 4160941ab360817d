"""What the next round's writers should do differently: from this round's scores, the leading draft's parts, and
what past winners do and losers do not."""

from __future__ import annotations

from langgraph.runtime import Runtime

from optimizer.loop.context import LoopContext
from optimizer.loop.explaining import explain
from optimizer.loop.ranking import best_first
from optimizer.loop.state import State, candidates_of, hits_of, losers_of, parts_of
from optimizer.loop.surface import without_surface


def critique(state: State, runtime: Runtime[LoopContext]) -> State:
    """Ask the critic; rounds without anything new to say keep the last advice."""
    context = runtime.context
    if context.critic is None:
        return State(seconds=context.stopwatch.seconds())
    # As `select` will rank them: this round's drafts have no place of their own yet.
    candidates = without_surface(candidates_of(state), context.brief)
    leading = next(iter(best_first(candidates, context.brief, context.scorer.calibrated)), None)
    explained, calls, failure = explain(state, leading, context)
    advice = context.critic(candidates, [*hits_of(state), *losers_of(state)], parts_of(explained))
    return State(
        critique=advice or state["critique"],
        explained=explained,
        notes=[*state["notes"], *([failure] if failure else [])],
        simulator_calls=state["simulator_calls"] + calls,
        seconds=context.stopwatch.seconds(),
    )
