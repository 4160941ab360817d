"""What a result amounts to, in one sentence for people, no stronger than the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optimizer.result import OptimizationResult


def finding(result: OptimizationResult) -> str:
    """The judge's verdict where there is one; else how far the loop's own view reaches."""
    best, original = result.best, result.original
    if best is None:
        if any(c.vetoed for c in result.candidates) and not any(c.eligible for c in result.candidates):
            return "Everything that was scored was vetoed: nothing is left to publish."
        return "No draft passed the screen and was scored."
    if best.score is None:
        return "Nothing was scored: there is no finding."
    lost = _original_lost(result)
    if result.judge is not None:
        return f"{lost} {result.judge.verdict}".strip()
    if lost and result.status != "waiting_for_approval":
        return lost
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


def _original_lost(result: OptimizationResult) -> str:
    """Said where the original may not be published, so that another stands in its place without having beaten it."""
    best, original = result.best, result.original
    if best is None or original is None or best.id == original.id or not (original.rejected or original.vetoed):
        return ""
    why = "breaks the brief" if original.rejected else "was vetoed"
    if best.win_over_original is None or best.win_over_original >= result.brief.reliable_gain:
        return f"The original {why}, so that it could not be kept."
    scores = f" ({best.score:.0f} against {original.score:.0f})" if best.score is not None and original.score else ""
    return f"The original {why}; this is the best draft that may stand in its place, and does not beat it{scores}."
