"""How a run ends: what is returned where nothing better was found, and what its reader has to be told."""

from __future__ import annotations

from collections.abc import Sequence

from lcbm_model.content import FORMATS, Content
from lcbm_model.language import language_of
from lcbm_model.prediction import SimulatorIdentity
from optimizer.brief import Brief
from optimizer.loop.context import LoopContext
from optimizer.loop.human import unheard
from optimizer.loop.state import ORIGINAL, State, candidates_of, decisions_of
from optimizer.result import Candidate


def fall_back(state: State) -> str | None:
    """The best id; the original where no draft passed and was scored; None without one, or where it was vetoed."""
    if state["best_id"]:
        return state["best_id"]
    return ORIGINAL if any(c.id == ORIGINAL and not c.vetoed for c in candidates_of(state)) else None


def closing_warnings(state: State, context: LoopContext) -> list[str]:
    """What has to be said about this result's worth."""
    brief = context.brief
    identity, content = (
        context.scorer.identity,
        Content(text=brief.draft or brief.message, title=brief.title, format=brief.format),
    )
    warnings = identity_warnings(identity, brief.metric, [content])
    others = {objective.metric for objective in brief.objectives} - {brief.metric}
    for metric in sorted(others):
        warnings += [*_metric_warnings(identity, metric), *_kind_warnings(identity, metric, [content])]
    warnings += _guard_warnings(brief)
    if context.judge is None:
        warnings.append("No independent judge confirmed the gain: none was configured.")
    warnings += context.missing
    if unheard(decisions_of(state), context.writers):
        warnings.append(
            "Comments were kept, but no writer of this run reads them: edits and vetoes count, comments need a chat "
            "model."
        )
    if context.unchecked_rules:
        rules = "; ".join(repr(rule) for rule in context.unchecked_rules)
        warnings.append(f"No machine checks these rules, read the drafts for them: {rules}.")
    candidates = candidates_of(state)
    if doubtful := sum(c.doubt is not None and c.score is not None for c in candidates):
        warnings.append(
            f"{doubtful} draft{'s lie' if doubtful > 1 else ' lies'} outside what the library knows: "
            "scored, but not trusted and not chosen."
        )
    original = next((c for c in candidates if c.id == ORIGINAL), None)
    if original is not None:
        warnings += _original_warnings(original)
    return warnings


def identity_warnings(identity: SimulatorIdentity, metric: str, contents: Sequence[Content] = ()) -> list[str]:
    """What a simulator's identity says about the worth of its scores of these contents."""
    if not identity.tuned:
        return [
            f"The simulator {identity.checkpoint} is untuned: it never saw behaviour, its scores carry no evidence."
        ]
    warnings = _metric_warnings(identity, metric)
    if identity.calibration_id is None:
        warnings.append("The simulator is uncalibrated: drafts were ranked by expected percentile, not a lower bound.")
    return warnings + _language_warnings(identity, contents) + _kind_warnings(identity, metric, contents)


def _metric_warnings(identity: SimulatorIdentity, metric: str) -> list[str]:
    """Said of a metric that a tuned checkpoint never saw; its calibration widens the intervals there."""
    if not identity.tuned or not identity.metrics or metric in identity.metrics:
        return []
    wider = "its intervals are widened and its" if identity.calibration_id else "its"
    return [
        f"The simulator was tuned on {', '.join(identity.metrics)}, not on {metric}: "
        f"{wider} scores for {metric} are a guess from other behaviour."
    ]


def _guard_warnings(brief: Brief) -> list[str]:
    """The guard reads English: elsewhere digits, links and capitals are all that it knows."""
    language = language_of(f"{brief.draft or ''} {brief.message}")
    if language in (None, "en"):
        return []
    return [
        f"Drafts are checked for facts by a guard that reads English; of texts in another language ({language}) it "
        "knows numbers in digits, links and what must stay, and little else. Read them before you publish one."
    ]


def _language_warnings(identity: SimulatorIdentity, contents: Sequence[Content]) -> list[str]:
    """Said of texts in languages that a checkpoint never learned from; its calibration widens their intervals."""
    if not (foreign := identity.foreign(contents)):
        return []
    n = sum(foreign.values())
    who = f"{n} of {len(contents)} texts {'is' if n == 1 else 'are'}" if len(contents) > 1 else "The text is"
    wider = "intervals are widened there, and " if identity.calibration_id else ""
    return [
        f"{who} in another language ({', '.join(foreign)}) than the simulator learned from "
        f"({', '.join(identity.languages)}): {wider}nobody has measured how well it judges such texts."
    ]


def _kind_warnings(identity: SimulatorIdentity, metric: str, contents: Sequence[Content]) -> list[str]:
    """Said of contents that leave out what a metric is judged by beside their words."""
    if not (bare := identity.without_kind(metric, contents)):
        return []
    who = "they are not said" if bare == len(contents) else f"{bare} of {len(contents)} texts say neither"
    return [
        f"The simulator judges {metric} by a post's format ({', '.join(FORMATS)}) and the title it goes with as well "
        f"as by its words, and {who}: its scores know less there."
    ]


def _original_warnings(original: Candidate) -> list[str]:
    if original.rejected:
        return [f"The original itself breaks the brief: {'; '.join(original.rejected)}."]
    return []
