"""Behaviour understanding: which of two did better, and by what measure. The reason is made of measured facts only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scipy import special

from lcbm_model.behavior import Observation
from lcbm_model.corpus.pairs import Pair, arm_pairs, context_pairs, stable_hash
from lcbm_model.corpus.record import Record, Split
from lcbm_model.metrics import Metric, get_metric
from lcbm_model.tasks.base import Family, TextExample
from lcbm_model.tasks.prompts import which_prompt


class WhichAndWhyTask:
    """Name the stronger of two (A or B) and what was measured. Only pairs that differ significantly."""

    name = "behavior_which"
    family: Family = "behavior_understanding"
    metric = "accuracy"
    chance = 0.5

    def examples(self, records: Iterable[Record], split: Split, seed: int = 0) -> Iterator[TextExample]:
        """One for each significant pair; holds the split's records in memory."""
        kept = [r for r in records if r.split == split and r.observations]
        randomised, others = [r for r in kept if r.arms], [r for r in kept if not r.arms]
        for name in dict.fromkeys(o.metric for r in kept for o in r.observations if o.metric != "replay"):
            metric = get_metric(name)
            for pair in arm_pairs(randomised, name):
                yield from _example(pair, metric, seed)
            for pair in context_pairs(others, name, seed=seed):
                if _one_setting(pair):
                    yield from _example(pair, metric, seed)


def _one_setting(pair: Pair) -> bool:
    """Outside a test two posts can only stand under one setting where they share its picture, title and topic."""
    a, b = pair.first.content, pair.second.content
    return (a.media, a.title, a.topic, a.scenes) == (b.media, b.title, b.topic, b.scenes) and a.text != b.text


def _example(pair: Pair, metric: Metric, seed: int) -> Iterator[TextExample]:
    if not pair.significant:
        return
    first, second, z = pair.first, pair.second, pair.z
    if stable_hash(f"{seed}/{first.id}/{second.id}") % 2:
        first, second, z = second, first, -z
    a, b = first.observation(metric.name), second.observation(metric.name)
    if a is None or b is None or not (first.content.text.strip() and second.content.text.strip()):
        return
    best, other = ("A", "B") if z > 0 else ("B", "A")
    won, lost = (a, b) if z > 0 else (b, a)
    yield TextExample(
        prompt=which_prompt(first.content, second.content, metric),
        answer=f"{best}: {_fact(won, metric)}, against {_fact(lost, metric)} for {other}.{_chance(z)}",
        weight=pair.weight,
        choices=("A", "B"),
        record_id=f"{first.id}|{second.id}",
        groups=(first.group, second.group),
    )


def _fact(seen: Observation, metric: Metric) -> str:
    """What was measured, in words: a rate with its counts, a count, a rating with its votes."""
    if metric.kind == "rate":
        of = f" ({seen.count:,.0f} of {seen.exposure:,.0f})" if seen.exposure and seen.count is not None else ""
        return f"{metric.title} {100 * seen.value:.2f} %{of}"
    if metric.kind == "count":
        return f"{seen.value:,.0f} {metric.unit}"
    return f"{metric.title} {seen.value:.2f}" + (f" of {seen.exposure:,.0f} votes" if seen.exposure else "")


def _chance(z: float) -> str:
    """How seldom luck alone makes such a difference (two-sided)."""
    p = float(2 * special.ndtr(-abs(z)))
    return f" Luck alone makes such a difference {'less than once in 1,000' if p < 0.001 else f'once in {1 / p:,.0f}'}."
