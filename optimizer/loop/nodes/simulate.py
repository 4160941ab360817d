"""The audience's answer: scores for what passed the screen, the original first, within the budget of calls."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from langgraph.runtime import Runtime

from lcbm_model.errors import BackendError, InputError, told
from lcbm_model.simulator.base import Context
from optimizer.brief import Brief, Objective
from optimizer.loop.context import LoopContext
from optimizer.loop.spending import Plan
from optimizer.loop.state import ORIGINAL, State, candidates_of, dump_candidates, hits_of
from optimizer.loop.turns import Turns
from optimizer.loop.yields import passing_over
from optimizer.result import Candidate

log = logging.getLogger("lcbm.loop")


def simulate(state: State, runtime: Runtime[LoopContext]) -> State:
    """Score this round's candidates and their chance to beat the original.

    A draft costs one simulator call for each model and metric; its comparison with the original costs none. The
    original is scored even where the screen refused it: without it there is no gain to speak of. Drafts that a first
    look passes over leave the run: they are counted, and may be written again.

    Where the simulator fails, nothing of the step is kept but the scores on disk, which cost nothing when it is taken
    again.
    """
    context = runtime.context
    candidates, notes = candidates_of(state), list(state["notes"])
    pending = set(state["pending"])
    wanted = [c for c in candidates if c.id in pending and (not c.rejected or c.id == ORIGINAL)]
    plan = Plan.of(context.brief, context.scorer)
    turns = Turns(wanted, candidates, plan, context)
    spent, missing = 0, 0
    scored: dict[str, Candidate] = {}
    try:
        while not missing and (turn := turns.next(scored)):
            due = plan.within(turn, context.brief.budget.simulator_calls - state["simulator_calls"] - spent)
            missing = len(turn) - len(due)
            found, calls = _score(due, plan, state, context)
            scored, spent = scored | found, spent + calls
        _compare(scored, candidates, context)
    except InputError:
        raise  # a picture that is gone: a person has to mend that
    except Exception as error:  # of anybody's simulator: out of memory, a mistake; the run can be gone on with
        if not isinstance(error, BackendError):
            log.exception("the simulator failed")
        return State(failure=f"the simulator failed: {told(error)}", seconds=context.stopwatch.seconds())
    if missing:
        missing += len(turns.left)
        notes.append(f"{missing} drafts were not scored: the simulator budget is spent")
    left = [] if missing else turns.left
    passed_over = {c.id for c in left}
    failed = [c for c in scored.values() if c.prediction and not c.prediction.ok]
    notes += [f"{c.id} could not be scored: {c.prediction.error}" for c in failed if c.prediction]
    if halved := sum(c.prediction is None for c in scored.values()):
        notes.append(f"{halved} drafts went no further than the ensemble's first member")
    if passed_over:
        notes += _why_passed_over(left, len(wanted))
    return State(
        candidates=dump_candidates([scored.get(c.id, c) for c in candidates if c.id not in passed_over]),
        pending=[id for id in state["pending"] if id not in passed_over],
        passed_over=len(passed_over),
        per_writer=passing_over(state["per_writer"], left),
        notes=notes,
        simulator_calls=state["simulator_calls"] + spent,
        failure=None,
        seconds=context.stopwatch.seconds(),
    )


def _why_passed_over(left: Sequence[Candidate], wanted: int) -> list[str]:
    """Drafts in doubt are never chosen, whatever they promise; the others promised too little."""
    doubtful = sum(c.doubt is not None for c in left)
    dull = len(left) - doubtful
    notes = [f"{dull} of {wanted} drafts promised too little at a first look to be scored"] if dull else []
    if doubtful:
        notes.append(f"{doubtful} of {wanted} drafts are unlike every past post of the library, and were not scored")
    return notes


def _score(
    due: Sequence[Candidate], plan: Plan, state: State, context: LoopContext
) -> tuple[dict[str, Candidate], int]:
    """Candidates with their scores by id, and the calls spent."""
    if not due:
        return {}, 0
    brief, scorer, setting = context.brief, context.scorer, context.scoring_context(hits_of(state))
    scored = {c.id: c for c in due}
    spent = 0
    finalists = list(due)
    if plan.halving:
        firsts = scorer.predict_first([brief.content(c.text) for c in due], setting)
        spent += len(due)
        for candidate, first in zip(due, firsts, strict=True):
            failed = {} if first.ok else {"prediction": first}
            scored[candidate.id] = candidate.model_copy(update={"first": first, **failed})
        finalists = plan.better_half(list(scored.values()), scorer.calibrated)
    contents = [brief.content(c.text) for c in finalists]
    full = scorer.predict(contents, setting) if finalists else []
    spent += len(finalists) * (plan.cost - plan.halving)
    for candidate, prediction in zip(finalists, full, strict=True):
        scored[candidate.id] = scored[candidate.id].model_copy(update={"prediction": prediction})
    for objective in brief.objectives if finalists else ():
        contents = [brief.content(c.text, objective) for c in finalists]
        answers = scorer.predict(contents, _setting_of(objective, brief, setting), objective.metric)
        spent += len(finalists) * plan.cost
        for candidate, prediction in zip(finalists, answers, strict=True):
            held = scored[candidate.id]
            predictions = held.predictions | {objective.label: prediction}
            scored[candidate.id] = held.model_copy(update={"predictions": predictions})
    return scored, spent


def _setting_of(objective: Objective, brief: Brief, setting: Context) -> Context:
    """Past results and the team's scale belong to the brief's own metric and channel."""
    same = objective.metric == brief.metric and objective.channel in (None, brief.channel)
    return setting if same else Context()


def _compare(scored: dict[str, Candidate], candidates: list[Candidate], context: LoopContext) -> None:
    """Win probabilities against the original into `scored`."""
    original = ({c.id: c for c in candidates} | scored).get(ORIGINAL)
    if original is None or original.prediction is None or not original.prediction.ok:
        return
    for rival in list(scored.values()):
        if rival.id != ORIGINAL and rival.prediction is not None and rival.prediction.ok:
            win = context.scorer.win(rival.prediction, original.prediction, channel=context.brief.channel)
            scored[rival.id] = rival.model_copy(update={"win_over_original": win})
