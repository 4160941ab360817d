"""What a result amounts to, in one sentence for people, no stronger than the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optimizer.result import OptimizationResult


def finding(result: OptimizationResult) -> str:
    """The judge's verdict where there is one; else how far the loop's own view reaches."""
    best, original = result.best, result.original
    if best is None:
        return "No draft passed the screen and was scored."
    if best.score is None:
        return "Nothing was scored: there is no finding."
    if result.judge is not None:
        return result.judge.verdict
    if result.status == "waiting_for_approval" and original is not None:
        reached = "the simulator prefers a draft" if result.improved else "no draft reliably beat the original"
        return f"So far {reached}; a judge is asked at the end."
    if original is None:
        return "There is no original to compare with: the best draft is shown by its predicted rank."
    if best.id == original.id:
        return "No reliable improvement found: no draft reliably beat the original."
    if not result.simulator.tuned:
        return "Drafts were ranked by an untuned model: this shows the machinery, it is no evidence of a gain."
    return "The simulator prefers the best draft; no independent judge has confirmed it."
