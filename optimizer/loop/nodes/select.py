"""The best so far, the round's record, and whether another round may begin."""

from __future__ import annotations

from langgraph.runtime import Runtime

from optimizer.loop.budget import stop_reason
from optimizer.loop.context import LoopContext
from optimizer.loop.ranking import best_first, value
from optimizer.loop.state import State, candidates_of
from optimizer.result import Candidate, Round


def select(state: State, runtime: Runtime[LoopContext]) -> State:
    """Close the round: best so far, rounds without gain, reason to stop if there is one."""
    context = runtime.context
    candidates, number = candidates_of(state), state["round"]
    calibrated = context.scorer.calibrated
    ranked = best_first(candidates, calibrated)
    before = next((c for c in candidates if c.id == state["best_id"]), None)
    best = ranked[0] if ranked else None
    gained = best is not None and (before is None or _above(best, before, calibrated))
    best = best if gained else before
    seconds = context.stopwatch.seconds()
    changed = State(best_id=best.id if best else None, seconds=seconds)
    if number > 0:
        changed["stale"] = 0 if gained else state["stale"] + 1
        changed["rounds"] = [*state["rounds"], _record(state, candidates, best, seconds).model_dump(mode="json")]
    merged = State(**{**state, **changed})  # type: ignore[typeddict-item]
    changed["stop_reason"] = stop_reason(merged, context.brief.budget, seconds)
    return changed


def _above(challenger: Candidate, champion: Candidate, calibrated: bool) -> bool:
    """Of equals the earlier one stays: a change without gain is no gain."""
    return (value(challenger, calibrated) or 0.0) > (value(champion, calibrated) or 0.0) + 1e-9


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
