"""The audience's answer: scores for what passed the screen, the original first, within the budget of calls."""

from __future__ import annotations

from langgraph.runtime import Runtime

from lcbm_model.errors import BackendError
from optimizer.loop.context import LoopContext
from optimizer.loop.ranking import best_first
from optimizer.loop.state import ORIGINAL, State, candidates_of, dump_candidates, hits_of
from optimizer.result import Candidate

COMPARED = 3
"""Leading drafts of a round that are compared with the original: a comparison costs more than a score."""


def simulate(state: State, runtime: Runtime[LoopContext]) -> State:
    """Score this round's candidates, and the leading ones' chance to beat the original.

    A draft costs one simulator call, its comparison with the original two. The original is scored even where the
    screen refused it: without it there is no gain to speak of. Comparisons never take calls that later rounds
    will need for their drafts.
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
        spent += _compare(scored, left - spent - _reserve(state, context), candidates, state, context)
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


def _reserve(state: State, context: LoopContext) -> int:
    """Calls that the rounds to come need for their drafts, and for comparing the best of them."""
    budget = context.brief.budget
    rounds_left = max(budget.rounds - state["round"], 0)
    return rounds_left * budget.candidates + (2 if rounds_left else 0)


def _compare(
    scored: dict[str, Candidate], left: int, candidates: list[Candidate], state: State, context: LoopContext
) -> int:
    """Win probabilities against the original into `scored`, best drafts first; returns the calls spent."""
    known = {c.id: c for c in candidates} | scored
    original = known.get(ORIGINAL)
    if original is None or original.score is None:
        return 0
    rivals = [c for c in known.values() if c.score is not None and c.id != ORIGINAL and c.win_over_original is None]
    rivals = best_first(rivals, context.scorer.calibrated)[: min(max(left, 0) // 2, COMPARED)]
    against, setting = context.brief.content(original.text), context.scoring_context(hits_of(state))
    for rival in rivals:
        win = context.scorer.win(context.brief.content(rival.text), against, setting)
        scored[rival.id] = rival.model_copy(update={"win_over_original": win})
    return 2 * len(rivals)
