"""The audience's answer: scores for what passed the screen, the original first, within the budget of calls."""

from __future__ import annotations

from langgraph.runtime import Runtime

from lcbm_model.errors import BackendError
from optimizer.loop.context import LoopContext
from optimizer.loop.state import ORIGINAL, State, candidates_of, dump_candidates, hits_of
from optimizer.result import Candidate


def simulate(state: State, runtime: Runtime[LoopContext]) -> State:
    """Score this round's candidates and their chance to beat the original.

    A draft costs one simulator call; its comparison with the original costs none. The original is scored even where
    the screen refused it: without it there is no gain to speak of.
    """
    context = runtime.context
    candidates, notes = candidates_of(state), list(state["notes"])
    pending = set(state["pending"])
    due = [c for c in candidates if c.id in pending and (not c.rejected or c.id == ORIGINAL)]
    left = context.brief.budget.simulator_calls - state["simulator_calls"]
    if len(due) > left:
        notes.append(f"{len(due) - left} drafts were not scored: the simulator budget is spent")
        due = due[:left]
    failure, spent = state["failure"], 0
    scored: dict[str, Candidate] = {}
    try:
        spent = _predict(due, scored, state, context)
        _compare(scored, candidates, context)
    except BackendError as error:
        failure = f"the simulator failed: {error}"
        notes.append(failure)
    failed = [c for c in scored.values() if c.prediction and not c.prediction.ok]
    notes += [f"{c.id} could not be scored: {c.prediction.error}" for c in failed if c.prediction]
    return State(
        candidates=dump_candidates([scored.get(c.id, c) for c in candidates]),
        notes=notes,
        simulator_calls=state["simulator_calls"] + spent,
        failure=failure,
        seconds=context.stopwatch.seconds(),
    )


def _predict(due: list[Candidate], scored: dict[str, Candidate], state: State, context: LoopContext) -> int:
    """Predictions into `scored`; returns the calls spent."""
    if not due:
        return 0
    contents = [context.brief.content(c.text) for c in due]
    predictions = context.scorer.predict(contents, context.scoring_context(hits_of(state)))
    scored |= {c.id: c.model_copy(update={"prediction": p}) for c, p in zip(due, predictions, strict=True)}
    return len(due)


def _compare(scored: dict[str, Candidate], candidates: list[Candidate], context: LoopContext) -> None:
    """Win probabilities against the original into `scored`."""
    original = ({c.id: c for c in candidates} | scored).get(ORIGINAL)
    if original is None or original.prediction is None or not original.prediction.ok:
        return
    for rival in list(scored.values()):
        if rival.id != ORIGINAL and rival.prediction is not None and rival.prediction.ok:
            win = context.scorer.win(rival.prediction, original.prediction, channel=context.brief.channel)
            scored[rival.id] = rival.model_copy(update={"win_over_original": win})
