"""Behaviour simulation: play the audience for one post, for two arms of a test, and scene by scene."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from lcbm_model.corpus.pairs import Pair, arm_pairs, context_pairs, stable_hash
from lcbm_model.corpus.record import Record, Split
from lcbm_model.corpus.shrinkage import decile_target
from lcbm_model.tasks.base import BehaviorExample, Family, PairExample, behavior_example
from lcbm_model.tasks.prompts import replay_prompt


class SingleTask:
    """Where does this post land among comparable ones? One example for each measured metric of a record."""

    name = "behavior_single"
    family: Family = "behavior_simulation"
    metric = "spearman"
    chance = 0.0

    def examples(self, records: Iterable[Record], split: Split, seed: int = 0) -> Iterator[BehaviorExample]:
        """In the records' order; streams."""
        for record in records:
            if record.split != split:
                continue
            for seen in record.observations:
                example = behavior_example(record, seen) if seen.metric != "replay" else None
                if example is not None:
                    yield example


class PairTask:
    """Which of two does better? Arms of one randomised test, all pairs; else pairs sampled inside a context.

    The order of the two is drawn with the seed, so that being first tells nothing.
    """

    name = "behavior_pair"
    family: Family = "behavior_simulation"
    metric = "accuracy"
    chance = 0.5

    def __init__(self, per_record: float = 1.0) -> None:
        self.per_record = per_record

    def examples(self, records: Iterable[Record], split: Split, seed: int = 0) -> Iterator[PairExample]:
        """Pairs of arms first, then of contexts; holds the split's records in memory."""
        kept = [r for r in records if r.split == split and r.observations]
        metrics = dict.fromkeys(o.metric for r in kept for o in r.observations if o.metric != "replay")
        randomised = [r for r in kept if r.arms is not None]
        others = [r for r in kept if r.arms is None]
        for metric in metrics:
            for pair in arm_pairs(randomised, metric):
                yield from self._example(pair, seed)
            for pair in context_pairs(others, metric, seed=seed, per_record=self.per_record):
                yield from self._example(pair, seed)

    def _example(self, pair: Pair, seed: int) -> Iterator[PairExample]:
        examples = []
        for record in (pair.first, pair.second):
            seen = record.observation(pair.metric)
            example = behavior_example(record, seen) if seen is not None else None
            if example is None:
                return
            examples.append(example)
        first, second, target = *examples, pair.target
        if stable_hash(f"{seed}/{first.record_id}/{second.record_id}") % 2:
            first, second, target = second, first, 1 - target
        yield PairExample(first=first, second=second, target=target, weight=pair.weight)


class ReplayTask:
    """How often is each masked scene replayed, the others being known? A share of the scenes is masked.

    The k-th observation of `replay` belongs to the k-th scene. Guessing evenly costs 34 points of percent against
    evenly spread values; interpolating the neighbours is the baseline to beat.
    """

    name = "behavior_replay"
    family: Family = "behavior_simulation"
    metric = "rmse"
    chance = 34.1

    def __init__(self, masked: float = 0.2) -> None:
        if not 0 < masked <= 1:
            raise ValueError(f"masked must lie above 0 and at most at 1, got {masked!r}")
        self.masked = masked

    def examples(self, records: Iterable[Record], split: Split, seed: int = 0) -> Iterator[BehaviorExample]:
        """One example for each masked scene; streams."""
        for record in records:
            values = replay_values(record)
            if record.split != split or len(values) < 2:
                continue
            draw = np.random.default_rng(np.random.SeedSequence([seed, stable_hash(record.id)]))
            n = max(1, round(self.masked * len(values)))
            hidden = sorted(draw.choice(len(values), size=n, replace=False).tolist())
            shown = [None if i in hidden else value for i, value in enumerate(values)]
            for scene in hidden:
                yield BehaviorExample(
                    prompt=replay_prompt(record.content, shown, scene),
                    percentile=values[scene],
                    bins=decile_target(values[scene], record.weight),
                    weight=max(record.weight, 0.01) / n,
                    metric="replay",
                    record_id=f"{record.id}/{scene}",
                )


def replay_values(record: Record) -> list[float]:
    """Replay in percent for each scene, in order; empty where they were not measured for every scene."""
    values = [o.value for o in record.observations if o.metric == "replay"]
    return values if len(values) == len(record.content.scenes) else []
