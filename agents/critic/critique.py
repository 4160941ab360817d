"""All that can be said of a round, as one text for writers and for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from agents.critic.contrast import against_losers, against_winners, within
from agents.critic.parts import contribution_lines
from agents.critic.tradeoffs import tradeoff_lines
from agents.library.records import Hit
from agents.occlusion import Contribution
from agents.screener.rules import parse_rules
from agents.traits import TRAITS, starts_with

MIDDLE = 50.0
"""Percentile above which a retrieved post is a winner, and below which a loser."""


def critique(
    scored: Sequence[tuple[str, float]],
    hits: Sequence[Hit] = (),
    *,
    must_keep: Iterable[str] = (),
    rules: Iterable[str] = (),
    seed: int = 0,
    contributions: Sequence[Contribution] = (),
    others: Mapping[str, Sequence[tuple[str, float]]] | None = None,
) -> str:
    """What the higher-scored drafts share against the lower ones, and against retrieved winners and losers.

    Args:
        scored: (text, expected percentile 0..100) of every draft of the run that was scored.
        hits: Past posts that were retrieved; those above the middle of their channel count as winners, those below it
            as losers.
        must_keep: Facts of the brief; a trait is whether one of them comes first. Parts that hold one are never
            advised away.
        rules: Brand rules; what they forbid is never advised.
        seed: Of the shuffles behind the chances; the answer is the same for the same input.
        contributions: Of the best draft's parts, from `agents.occlusion.occlusion`.
        others: Scores of the same drafts on other metrics, by the metric's title.
    """
    kept, forbidden = list(must_keep), {rule.thing for rule in parse_rules(rules)[0] if rule.high == 0}
    traits = [*(t for t in TRAITS if t.thing not in forbidden), *(starts_with(fact) for fact in kept)]
    lines = within(scored, traits, seed)
    lines += contribution_lines(contributions, must_keep=kept)
    won = [hit.post.text for hit in hits if hit.percentile is not None and hit.percentile > MIDDLE]
    lost = [hit.post.text for hit in hits if hit.percentile is not None and hit.percentile < MIDDLE]
    lines += against_winners(scored, won, traits)
    lines += against_losers(won, list(dict.fromkeys(lost)), traits)
    lines += tradeoff_lines(scored, others or {})
    return " ".join(lines)
