"""The best so far, the round's record, and whether another round may begin."""

from __future__ import annotations

from collections.abc import Sequence

from langgraph.runtime import Runtime

from optimizer.loop.budget import stop_reason
from optimizer.loop.choosing import choose
from optimizer.loop.context import LoopContext
from optimizer.loop.state import State, candidates_of, dump_candidates
from optimizer.loop.surface import without_surface
from optimizer.loop.yields import after_round
from optimizer.result import Candidate, Round


def select(state: State, runtime: Runtime[LoopContext]) -> State:
    """Close the round: best so far, rounds without reliable gain, reason to stop if there is one."""
    context, number = runtime.context, state["round"]
    candidates = without_surface(candidates_of(state), context.brief)
    # Small gains of several rounds add up: they are measured from where the last reliable one ended.
    anchor = state.get("anchor", state["best_id"])
    best, gained = choose(candidates, anchor, context.brief, context.scorer)
    seconds = context.stopwatch.seconds()
    changed = State(
        best_id=best.id if best else None,
        anchor=best.id if best and (gained or anchor is None) else anchor,
        candidates=dump_candidates(candidates),
        seconds=context.stopwatch.seconds(),
    )
    if number > 0:
        before = next((c for c in candidates if c.id == state["best_id"]), None)
        fresh = [c for c in candidates if c.id in set(state["pending"])]
        changed["stale"] = 0 if gained else state["stale"] + 1
        changed["per_writer"] = after_round(state["per_writer"], fresh, before, state["asked"], context.brief)
        record = _record(state, fresh, best, gained, seconds)
        changed["rounds"] = [*state["rounds"], record.model_dump(mode="json")]
    merged = State(**{**state, **changed})  # type: ignore[typeddict-item]
    changed["stop_reason"] = state["stop_reason"] or stop_reason(merged, context.brief.budget, seconds)
    return changed


def _record(state: State, fresh: Sequence[Candidate], best: Candidate | None, gained: bool, seconds: float) -> Round:
    prediction = best.prediction if best else None
    return Round(
        number=state["round"],
        drafted=len(fresh) + state.get("passed_over", 0),
        rejected=sum(bool(c.rejected) for c in fresh),
        scored=sum(c.score is not None for c in fresh),
        passed_over=state.get("passed_over", 0),
        best_id=best.id if best else None,
        best_expected=prediction.expected if prediction else None,
        best_low=prediction.low if prediction else None,
        best_high=prediction.high if prediction else None,
        critique=state["critique"],
        notes=tuple(state["notes"]),
        seconds=max(seconds - state["round_began"], 0.0),
        gained=gained,
        asked=state["asked"],
    )
