"""Behaviour domain adaptation: a page, community or metric never seen, with k known results to learn from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np

from lcbm_model.corpus.pairs import stable_hash
from lcbm_model.corpus.record import Record, Split
from lcbm_model.simulator.base import Context, Known
from lcbm_model.tasks.base import BehaviorExample, Family, behavior_example


class FewShotTask:
    """Where does this post land, given k past posts of the same context with their results?

    The k shots of a context are drawn once and asked about never; they spread over the standings, so that they show
    what strong and weak look like there. Since splits never cut a context's group, a context of the test split is an
    audience that training never met.
    """

    name = "adapt_few_shot"
    family: Family = "domain_adaptation"
    metric = "spearman"
    chance = 0.0

    def __init__(self, k: int = 5) -> None:
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k!r}")
        self.k = k

    def examples(self, records: Iterable[Record], split: Split, seed: int = 0) -> Iterator[BehaviorExample]:
        """One for each record outside the shots; holds the split's records in memory."""
        contexts: dict[tuple[str, str], list[Record]] = defaultdict(list)
        for record in records:
            for seen in record.observations:
                if record.split == split and seen.percentile is not None and seen.metric != "replay":
                    contexts[record.context, seen.metric].append(record)
        for (context, metric), members in contexts.items():
            worded = [r for r in members if r.content.text.strip()]
            if len(worded) < 2 * self.k:
                continue
            shots = self._shots(worded, metric, stable_hash(f"{seed}/{context}/{metric}"))
            known = Context(examples=tuple(_known(r, metric) for r in shots))
            taken, said = {r.group for r in shots if r.arms is not None}, {r.content.text for r in shots}
            for record in members:
                # An arm of a shot's story, or its very words, would give the answer away.
                if record.group in taken or record.content.text in said:
                    continue
                seen_now = record.observation(metric)
                example = behavior_example(record, seen_now, known) if seen_now is not None else None
                if example is not None:
                    yield example

    def _shots(self, members: list[Record], metric: str, seed: int) -> list[Record]:
        """k records, one from each of k equal stretches of the standings, in random order."""
        ranked = sorted(members, key=lambda r: _known(r, metric).percentile)
        draw = np.random.default_rng(seed)
        edges = np.linspace(0, len(ranked), self.k + 1).astype(int)
        shots = [ranked[int(draw.integers(low, high))] for low, high in pairwise(edges)]
        return [shots[i] for i in draw.permutation(self.k)]


def _known(record: Record, metric: str) -> Known:
    seen = record.observation(metric)
    assert seen is not None
    assert seen.percentile is not None
    return Known(text=record.content.text, percentile=seen.percentile)
