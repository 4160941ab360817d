"""What carries a draft's score, part by part, paid for from calls that no draft will need."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from agents.occlusion import occlusion
from lcbm_model.errors import BackendError
from optimizer.loop.context import LoopContext
from optimizer.loop.scoring import Counting
from optimizer.loop.state import State, candidates_of, hits_of
from optimizer.result import Candidate

PARTS = 16
"""Parts of a draft that are taken out one by one, at most."""


def spare_calls(state: State, context: LoopContext) -> int:
    """Simulator calls beyond what the drafts of all rounds to come may take."""
    budget = context.brief.budget
    ahead = 0 if state["stop_reason"] else max(budget.rounds - state["round"], 0) * budget.candidates
    each = context.scorer.cost * (1 + len(context.brief.objectives))
    return budget.simulator_calls - state["simulator_calls"] - ahead * each


def explain(state: State, draft: Candidate | None, context: LoopContext) -> tuple[dict[str, Any], int, str | None]:
    """The draft's id with its parts, the calls it took, and what went wrong.

    Of a draft that was explained before, the same parts for nothing. An untuned simulator explains nothing.
    """
    nothing: dict[str, Any] = {"id": draft.id if draft else None, "parts": []}
    if draft is None or draft.score is None or not context.scorer.identity.tuned:
        return nothing, 0, None
    before = state.get("explained") or {}
    if before.get("id") == draft.id and before["parts"]:
        return before, 0, None
    most = min(PARTS, spare_calls(state, context) // context.scorer.cost)
    if most < 1:
        return nothing, 0, None
    brief = context.brief
    scored = [brief.content(c.text) for c in candidates_of(state) if c.score is not None]
    asked = Counting(context.scorer, known=scored)
    content, setting = brief.content(draft.text), context.scoring_context(hits_of(state))
    try:
        found = occlusion(asked, content, brief.metric, setting, most=most)
    except BackendError as error:
        return nothing, asked.calls, f"{draft.id} is not explained, part by part: {error}"
    return {"id": draft.id, "parts": [asdict(part) for part in found]}, asked.calls, None
