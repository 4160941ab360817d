"""What a task is: records in, training and evaluation examples out, with a metric and a chance level."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from lcbm_model.behavior import Observation
from lcbm_model.corpus.record import Record, Split
from lcbm_model.corpus.shrinkage import decile_target
from lcbm_model.metrics import get_metric
from lcbm_model.simulator.base import Context
from lcbm_model.verbalize import Prompt, behavior_prompt

Family = Literal[
    "behavior_simulation",
    "content_simulation",
    "behavior_understanding",
    "content_understanding",
    "domain_adaptation",
]

VOCABULARY = 49_152
"""Tokens of the embedded backbone: uniform guessing costs ln(49152) = 10.8 nats a token."""


@dataclass(frozen=True)
class BehaviorExample:
    """Answer one digit: the behaviour bin.

    Attributes:
        percentile: What was observed, 0..100.
        bins: N_BINS probabilities, the soft target: sharp where the evidence is strong.
        weight: Above 0; how much the example counts.
    """

    prompt: Prompt
    percentile: float
    bins: tuple[float, ...]
    weight: float
    metric: str
    record_id: str


@dataclass(frozen=True)
class PairExample:
    """Which of two does better. `target` is the probability 0..1 that the first does; `weight` 0..2."""

    first: BehaviorExample
    second: BehaviorExample
    target: float
    weight: float


@dataclass(frozen=True)
class TextExample:
    """Answer in words. With `choices`, the answer begins with one of them and evaluation compares only those.

    Attributes:
        record_id: Names the example, whatever its records are called; nothing is to be read out of it.
        groups: `Record.group` of every record that it shows: what keeps the halves of a training run apart.
    """

    prompt: Prompt
    answer: str
    weight: float
    choices: tuple[str, ...] | None = None
    record_id: str = ""
    groups: tuple[str, ...] = field(kw_only=True)


Example = BehaviorExample | PairExample | TextExample


@runtime_checkable
class Task(Protocol):
    """One kind of exercise. Deterministic: the same records, split and seed give the same examples in order."""

    name: str
    family: Family
    metric: str
    """What it is scored by: accuracy, spearman, rmse, loss_per_token."""
    chance: float
    """What guessing gets on that metric."""

    def examples(self, records: Iterable[Record], split: Split, seed: int = 0) -> Iterator[Example]:
        """Examples from the records of `split`; records that do not suit are passed over."""
        ...


def behavior_example(record: Record, seen: Observation, context: Context | None = None) -> BehaviorExample | None:
    """The behaviour question about one record; None where its percentile is unknown."""
    if seen.percentile is None:
        return None
    return BehaviorExample(
        prompt=behavior_prompt(record.content, get_metric(seen.metric), context),
        percentile=seen.percentile,
        bins=decile_target(seen.percentile, record.weight),
        weight=max(record.weight, 0.01),
        metric=seen.metric,
        record_id=record.id,
    )
