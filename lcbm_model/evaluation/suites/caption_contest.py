"""Caption contest: which of many captions for one cartoon did the crowd find funnier?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from lcbm_model.evaluation.bootstrap import Statistic
from lcbm_model.evaluation.metrics import Indices, accuracy_of_distinct_pairs, members, spearman_within
from lcbm_model.evaluation.suites.base import Answers, Bools, Rows, Suite

GAP = 0.2
"""Mean ratings (1..3) that differ by less are not told apart reliably."""
PAIRS_PER_CONTEST = 200
"""Pairs a contest gives to the calibration check: all of them would be millions."""


class CaptionContestSuite(Suite):
    """Rank captions inside their contest by mean rating."""

    name = "caption-contest"
    reader = "caption_contest"
    behaviors = ("funniness",)
    keys = ("spearman_within_contest", "pair_accuracy")
    chance: ClassVar[Mapping[str, float]] = {"spearman_within_contest": 0.0, "pair_accuracy": 0.5}

    def figures(self, rows: Rows, answers: Mapping[str, Answers]) -> dict[str, Statistic]:
        """Mean Spearman inside a contest; accuracy on pairs whose ratings differ by more than 0.2."""
        scores, truth = answers["funniness"].scores, rows.values("funniness")
        return {
            "spearman_within_contest": spearman_within(scores, truth, rows.contexts),
            "pair_accuracy": accuracy_of_distinct_pairs(scores, truth, rows.contexts, gap=GAP),
        }

    def calibration_pairs(self, rows: Rows) -> tuple[Indices, Indices, Bools]:
        """Pairs drawn at random inside each contest (fixed seed), ties left out."""
        rng = np.random.default_rng(0)
        truth = rows.values("funniness")
        drawn = [rng.choice(g, (2, PAIRS_PER_CONTEST)) for g in members(rows.contexts)]
        a, b = np.concatenate(drawn, axis=1) if drawn else np.zeros((2, 0), dtype=np.intp)
        kept = truth[a] != truth[b]
        return a[kept], b[kept], truth[a[kept]] > truth[b[kept]]
