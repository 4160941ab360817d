"""The end of a run: why the best draft scores as it does, and what the reader of the result has to be told."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from langgraph.runtime import Runtime

from agents.occlusion import occlusion
from lcbm_model.errors import BackendError
from optimizer.loop.closing import closing_warnings, fall_back
from optimizer.loop.context import LoopContext
from optimizer.loop.scoring import Counting
from optimizer.loop.state import State, candidates_of, hits_of

PARTS = 24
"""Parts of the best draft that are taken out one by one."""


def finish(state: State, runtime: Runtime[LoopContext]) -> State:
    """Fall back to the original where nothing better passed, explain the best, and add the honest warnings."""
    context = runtime.context
    best_id = fall_back(state)
    why, calls, failure = _explain({**state, "best_id": best_id}, context)
    warnings = [*state["warnings"], *closing_warnings({**state, "best_id": best_id}, context)]
    return State(
        best_id=best_id,
        why=why,
        simulator_calls=state["simulator_calls"] + calls,
        warnings=[*warnings, *([failure] if failure else [])],
        stop_reason=state["stop_reason"] or "finished",
        seconds=context.stopwatch.seconds(),
    )


def _explain(state: State, context: LoopContext) -> tuple[list[dict[str, Any]], int, str | None]:
    """What each part of the best draft is worth, the calls it took, and what went wrong."""
    candidates = candidates_of(state)
    best = next((c for c in candidates if c.id == state["best_id"]), None)
    most = min(PARTS, (context.brief.budget.simulator_calls - state["simulator_calls"]) // context.scorer.cost)
    if best is None or best.score is None or most < 1 or state["failure"] or not context.scorer.identity.tuned:
        return [], 0, None
    content = context.brief.content(best.text)
    scored = [context.brief.content(c.text) for c in candidates if c.score is not None]
    asked = Counting(context.scorer, known=scored)
    try:
        found = occlusion(asked, content, context.brief.metric, context.scoring_context(hits_of(state)), most=most)
    except BackendError as error:
        return [], asked.calls, f"The best draft is not explained, part by part: {error}"
    return [asdict(part) for part in found], asked.calls, None
