"""The best so far, the round's record, and whether another round may begin."""

from __future__ import annotations

from langgraph.runtime import Runtime

from optimizer.loop.budget import stop_reason
from optimizer.loop.context import LoopContext
from optimizer.loop.ranking import best_first
from optimizer.loop.state import State, candidates_of
from optimizer.result import Candidate, Round


def select(state: State, runtime: Runtime[LoopContext]) -> State:
    """Close the round: best so far, rounds without gain, reason to stop if there is one."""
    context = runtime.context
    candidates, number = candidates_of(state), state["round"]
    ranked = best_first(candidates, context.scorer.calibrated)
    best = ranked[0] if ranked else None
    seconds = context.stopwatch.seconds()
    changed = State(best_id=best.id if best else None, seconds=seconds)
    if number > 0:
        # Of equals the earlier one leads, so a best of this round is a gain over all rounds before.
        changed["stale"] = 0 if best is not None and best.round == number else state["stale"] + 1
        changed["rounds"] = [*state["rounds"], _record(state, candidates, best, seconds).model_dump(mode="json")]
    merged = State(**{**state, **changed})  # type: ignore[typeddict-item]
    changed["stop_reason"] = stop_reason(merged, context.brief.budget, seconds)
    return changed


def _record(state: State, candidates: list[Candidate], best: Candidate | None, seconds: float) -> Round:
    mine = [c for c in candidates if c.id in set(state["pending"])]
    prediction = best.prediction if best else None
    return Round(
        number=state["round"],
        drafted=len(mine),
        rejected=sum(bool(c.rejected) for c in mine),
        scored=sum(c.score is not None for c in mine),
        best_id=best.id if best else None,
        best_expected=prediction.expected if prediction else None,
        best_low=prediction.low if prediction else None,
        best_high=prediction.high if prediction else None,
        critique=state["critique"],
        notes=tuple(state["notes"]),
        seconds=max(seconds - state["round_began"], 0.0),
    )
