"""The brief's hard limits and the guard: a draft that breaks one is kept with the reasons and never scored."""

from __future__ import annotations

from langgraph.runtime import Runtime

from agents.guard.finding import GuardFinding
from agents.screener.folding import text_key
from optimizer.decision import HUMAN
from optimizer.loop.context import LoopContext
from optimizer.loop.human import like_a_vetoed
from optimizer.loop.state import ORIGINAL, State, candidates_of, dump_candidates, hits_of
from optimizer.result import Candidate

A_COPY = 0.995
"""Likeness in meaning to a past post from which a draft is that post again, a comma aside."""


def screen(state: State, runtime: Runtime[LoopContext]) -> State:
    """Check this round's candidates against the brief, past posts and vetoes; the guard sees what passed."""
    context = runtime.context
    candidates = candidates_of(state)
    past = {text_key(hit.post.text): hit.post.id for hit in hits_of(state)}
    vetoed = [c for c in candidates if c.vetoed]
    pending = set(state["pending"])
    checked = {c.id: _checked(c, context, past, vetoed) for c in candidates if c.id in pending}
    if context.guard is not None:
        passed = [c for c in checked.values() if not c.rejected]
        for candidate, finding in zip(passed, context.guard.check([c.text for c in passed]), strict=True):
            # The draft to beat is the measure of drift, and a person's own wording may go where it wants.
            reasons = () if candidate.writer == HUMAN else (*finding.reasons, *_copied(finding))
            checked[candidate.id] = candidate.model_copy(update={"guard": finding, "rejected": reasons})
    return State(
        candidates=dump_candidates([checked.get(c.id, c) for c in candidates]),
        seconds=context.stopwatch.seconds(),
    )


def _copied(finding: GuardFinding) -> tuple[str, ...]:
    copied = finding.nearest is not None and finding.nearest >= A_COPY
    return ("repeats a past post nearly word for word",) if copied else ()


def _checked(candidate: Candidate, context: LoopContext, past: dict[str, str], vetoed: list[Candidate]) -> Candidate:
    own = candidate.writer == HUMAN and candidate.id != ORIGINAL
    reasons = (context.screen_own if own and context.screen_own else context.screen)(candidate.text)
    if candidate.round > 0 and (copied := past.get(text_key(candidate.text))):
        reasons = (*reasons, f"repeats past post {copied!r} word for word")
    if candidate.writer != HUMAN and (like := like_a_vetoed(candidate.text, vetoed)):
        reasons = (*reasons, f"is nearly the same as {like.id}, which was vetoed")
    return candidate.model_copy(update={"rejected": reasons})
