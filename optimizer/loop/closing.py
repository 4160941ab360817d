"""How a run ends: what is returned where nothing better was found, and what its reader has to be told."""

from __future__ import annotations

from lcbm_model.prediction import SimulatorIdentity
from optimizer.loop.context import LoopContext
from optimizer.loop.state import ORIGINAL, State, candidates_of
from optimizer.result import Candidate


def fall_back(state: State) -> str | None:
    """The best id; the original where no draft passed the screen and was scored; None without an original."""
    if state["best_id"]:
        return state["best_id"]
    return ORIGINAL if any(c["id"] == ORIGINAL for c in state["candidates"]) else None


def closing_warnings(state: State, context: LoopContext) -> list[str]:
    """What has to be said about this result's worth."""
    warnings = identity_warnings(context.scorer.identity, context.brief.metric)
    if context.judge is None:
        warnings.append("No independent judge confirmed the gain: none was configured.")
    if context.unchecked_rules:
        rules = "; ".join(repr(rule) for rule in context.unchecked_rules)
        warnings.append(f"No machine checks these rules, read the drafts for them: {rules}.")
    original = next((c for c in candidates_of(state) if c.id == ORIGINAL), None)
    if original is not None:
        warnings += _original_warnings(original)
    return warnings


def identity_warnings(identity: SimulatorIdentity, metric: str) -> list[str]:
    """What a simulator's identity says about the worth of its scores."""
    if not identity.tuned:
        return [
            f"The simulator {identity.checkpoint} is untuned: it never saw behaviour, its scores carry no evidence."
        ]
    warnings = []
    if identity.metrics and metric not in identity.metrics:
        warnings.append(f"The simulator was tuned on {', '.join(identity.metrics)}, not on {metric}.")
    if identity.calibration_id is None:
        warnings.append("The simulator is uncalibrated: drafts were ranked by expected percentile, not a lower bound.")
    return warnings


def _original_warnings(original: Candidate) -> list[str]:
    if original.rejected:
        return [f"The original itself breaks the brief: {'; '.join(original.rejected)}."]
    return []
