"""The held-out judge: a second simulator, asked once at the end, never optimised against."""

from __future__ import annotations

import logging

from langgraph.runtime import Runtime

from lcbm_model.errors import BackendError, InputError, told
from lcbm_model.prediction import Prediction
from lcbm_model.simulator.base import Context, Simulator
from optimizer.loop.context import LoopContext
from optimizer.loop.state import ORIGINAL, State, candidates_of
from optimizer.result import Candidate, Judgement

log = logging.getLogger("lcbm.loop")


def judge(state: State, runtime: Runtime[LoopContext]) -> State:
    """Ask the judge about the original and the best; a judge that is down leaves a warning."""
    context = runtime.context
    candidates = {c.id: c for c in candidates_of(state)}
    best, original = candidates.get(state["best_id"] or ""), candidates.get(ORIGINAL)
    if context.judge is None or best is None:
        return State(seconds=context.stopwatch.seconds())
    warnings, finding = list(state["warnings"]), None
    try:
        finding = _judge(context.judge, best, original, context)
    except InputError:
        raise
    except Exception as error:  # of anybody's simulator, at the end of a run that has its result
        if not isinstance(error, BackendError):
            log.exception("the judge failed")
        warnings.append(f"The judge failed, so no independent judge confirmed the gain: {told(error)}")
    return State(
        judgement=finding.model_dump(mode="json") if finding else None,
        warnings=warnings,
        seconds=context.stopwatch.seconds(),
    )


def _judge(simulator: Simulator, best: Candidate, original: Candidate | None, context: LoopContext) -> Judgement:
    brief, setting = context.brief, Context(scale=context.scale)
    texts = [best.text] if original is None or original.id == best.id else [best.text, original.text]
    contents = [brief.content(text) for text in texts]
    answers = simulator.predict(contents, brief.metric, setting)
    if not answers[0].ok:
        raise BackendError(f"it could not score the best draft: {answers[0].error}")
    first = answers[1] if len(answers) == 2 else None
    proxy = judged = win = None
    if original is not None and first is not None and first.ok:
        win = simulator.win_chances(answers, channel=brief.channel)[0]
        judged = _gain(answers[0], first)
        proxy = _gain(best.prediction, original.prediction)
    elif original is not None and original.id == best.id:
        proxy = judged = 0.0
        first = answers[0]
    if judged is None and original is not None:
        raise BackendError(f"it could not score the original: {first.error if first else 'no answer'}")
    same = original is not None and original.id == best.id
    reliable, verdict = _verdict(simulator, brief.metric, answers[0].level, judged, win, same=same)
    return Judgement(
        simulator=simulator.identity,
        original=first,
        best=answers[0],
        proxy_gain=proxy,
        judge_gain=judged,
        win_probability=win,
        reliable=reliable,
        verdict=verdict,
    )


def _gain(after: Prediction | None, before: Prediction | None) -> float | None:
    if after is None or before is None or after.expected is None or before.expected is None:
        return None
    return after.expected - before.expected


def _verdict(
    simulator: Simulator, metric: str, level: float, gain: float | None, win: float | None, *, same: bool
) -> tuple[bool, str]:
    """Reliable only where the central `level` interval of the difference lies above no gain.

    For a difference that interval lies above zero exactly where the chance to win is at least (1 + level) / 2.
    """
    if same:
        return False, "No reliable improvement found: no draft reliably beat the original."
    if win is None or gain is None:
        return False, "No verdict: there is no original to compare with. Give a draft of your own to get one."
    needed = (1 + level) / 2
    figures = f"{gain:+.1f} percentile points, {win:.0%} chance to beat the original"
    if not simulator.identity.tuned:
        return False, f"No reliable improvement: the judge never saw behaviour, so its view is no evidence ({figures})."
    if simulator.identity.metrics and metric not in simulator.identity.metrics:
        return False, f"No reliable improvement: the judge was never tuned on {metric} ({figures})."
    if win >= needed:
        return True, f"The judge confirms the gain at the {level:.0%} level: {figures}."
    return False, f"No reliable improvement: the judge's {level:.0%} interval includes none ({figures})."
