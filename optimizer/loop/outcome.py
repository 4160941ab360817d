"""From a run's state to what its audience sees: events on the way, the result at the end."""

from __future__ import annotations

from collections.abc import Sequence

from optimizer.events import EventKind, RunEvent
from optimizer.loop.choosing import choose
from optimizer.loop.closing import closing_warnings, fall_back
from optimizer.loop.context import LoopContext
from optimizer.loop.folder import RunSettings
from optimizer.loop.ranking import front, slate
from optimizer.loop.state import (
    State,
    candidates_of,
    decisions_of,
    hits_of,
    judgement_of,
    parts_of,
    rounds_of,
    usage_of,
)
from optimizer.loop.surface import without_surface
from optimizer.loop.yields import yields
from optimizer.result import Candidate, OptimizationResult, Status

KINDS: dict[str, EventKind] = {
    "retrieve": "retrieved",
    "draft": "drafted",
    "screen": "screened",
    "simulate": "scored",
    "critique": "critiqued",
    "select": "round",
    "judge": "judged",
    "finish": "finished",
}
"""Node to event. `approve` makes none of its own: its wait is the event 'waiting'."""


def event(settings: RunSettings, state: State, kind: EventKind, result: OptimizationResult | None = None) -> RunEvent:
    """One event with everything known so far."""
    return RunEvent(
        run_id=settings.run_id,
        kind=kind,
        round=state["round"],
        message=result.stop_reason if result else _message(state, kind, settings),
        candidates=tuple(candidates_of(state)),
        rounds=tuple(rounds_of(state)),
        hits=tuple(hits_of(state)),
        result=result,
    )


def waiting_event(result: OptimizationResult) -> RunEvent:
    """The event of a run that goes on waiting, from its stored result."""
    return RunEvent(
        run_id=result.run_id,
        kind="waiting",
        round=len(result.rounds),
        message=result.stop_reason,
        candidates=result.candidates,
        rounds=result.rounds,
        hits=result.retrieved,
        result=result,
    )


def final_result(settings: RunSettings, state: State, context: LoopContext) -> OptimizationResult:
    """The result after `finish`. A run that a failure ended, as an earlier version did, counts as stopped."""
    return _result(settings, state, context, "stopped" if state["failure"] else "finished", state["stop_reason"])


def result_so_far(
    settings: RunSettings, state: State, context: LoopContext, status: Status, reason: str
) -> OptimizationResult:
    """The best-so-far of a run that may go on later."""
    return _result(settings, state, context, status, reason, complete=False)


def _result(
    settings: RunSettings,
    state: State,
    context: LoopContext,
    status: Status,
    reason: str | None,
    *,
    complete: bool = True,
) -> OptimizationResult:
    warnings = state["warnings"] if complete else [*state["warnings"], *closing_warnings(state, context)]
    brief, calibrated = settings.brief, context.scorer.calibrated
    candidates = candidates_of(state)
    if not complete:  # what the round under way has scored must be ranked as the rest is
        candidates = without_surface(candidates, brief)
    best_id = fall_back(state) if complete else _best_so_far(state, candidates, context)
    best = next((c for c in candidates if c.id == best_id), None)
    explained = state.get("explained", {})
    return OptimizationResult(
        run_id=settings.run_id,
        brief=brief,
        status=status,
        stop_reason=reason or "finished",
        seed=settings.seed,
        simulator=context.scorer.identity,
        candidates=tuple(candidates),
        rounds=tuple(rounds_of(state)),
        retrieved=tuple(hits_of(state)),
        judge=judgement_of(state),
        best_id=best_id,
        usage=usage_of(state),
        simulator_calls=state["simulator_calls"],
        seconds=state["seconds"],
        started=settings.started,
        warnings=tuple(warnings),
        slate=tuple(c.id for c in slate(candidates, best, brief, calibrated)),
        front=tuple(c.id for c in front(candidates, brief, calibrated)),
        why=tuple(parts_of(explained)) if explained.get("id") == best_id else (),
        writers=yields(state["per_writer"], candidates),
        decisions=tuple(decisions_of(state)),
        utility_worth=_worth(best, context),
    )


def _worth(best: Candidate | None, context: LoopContext) -> float | None:
    """So that this run's best can be compared with another's when no simulator is at hand."""
    from lcbm_model.simulator.calibration import utility_worth

    prediction = best.prediction if best else None
    if prediction is None or prediction.utility is None:
        return None
    return utility_worth(context.scorer.simulator, prediction, context.brief.channel)


def _best_so_far(state: State, candidates: Sequence[Candidate], context: LoopContext) -> str | None:
    """Counts the round under way too: it may have scored something better before it was stopped."""
    best, _ = choose(candidates, state["best_id"], context.brief, context.scorer)
    return best.id if best else fall_back(state)


def _message(state: State, kind: EventKind, settings: RunSettings) -> str:
    """One line for people."""
    mine = [c for c in candidates_of(state) if c.id in set(state["pending"])]
    label = f"round {state['round']}" if state["round"] else "the original"
    rejected = sum(bool(c.rejected) for c in mine)
    best = next((c for c in candidates_of(state) if c.id == state["best_id"]), None)
    leads = f"best so far {best.id} at {best.score:.1f}" if best and best.score is not None else "nothing scored yet"
    return {
        "started": f"run {settings.run_id} begins",
        "retrieved": f"{len(state['hits'])} past posts retrieved",
        "drafted": f"{label}: {len(mine)} new drafts",
        "screened": f"{label}: {len(mine) - rejected} of {len(mine)} passed the screen",
        "scored": f"{label}: {sum(c.score is not None for c in mine)} scored",
        "critiqued": f"{label}: {state['critique'] or 'nothing to advise'}",
        "round": f"{label} done: {leads}",
        "judged": state["judgement"]["verdict"] if state["judgement"] else "no independent judge was configured",
        "waiting": f"{label} waits for approval: {leads}",
        "finished": state["stop_reason"] or "finished",
    }[kind]
