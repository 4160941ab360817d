"""Upworthy: which of several headlines, randomised under the same picture, was clicked more?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np

from lcbm_model.corpus.record import Record
from lcbm_model.evaluation.arms import Arms, pooled_arms
from lcbm_model.evaluation.bootstrap import Count, Floats, Groups, Statistic, ratio
from lcbm_model.evaluation.metrics import Indices, credit, members, pair_accuracy
from lcbm_model.evaluation.suites.base import Answers, Bools, Rows, Suite

SIGNIFICANT_Z = 1.96
MIN_HEADLINES = 3
"""Headlines a test needs before choosing among them says something about a chooser."""


class UpworthySuite(Suite):
    """Pairs of headlines with the same picture in the same test; the winner of tests with three or more."""

    name = "upworthy"
    reader = "upworthy"
    behaviors = ("click_rate",)
    keys = ("pair_accuracy_significant", "n_significant", "pair_accuracy_all", "chosen_over_mean", "best_over_mean")
    chance: ClassVar[Mapping[str, float]] = {
        "pair_accuracy_significant": 0.5,
        "pair_accuracy_all": 0.5,
        "chosen_over_mean": 1.0,
    }
    kept_whole: ClassVar[Literal["comparison", "row"]] = "comparison"

    def usable(self, record: Record) -> bool:
        """Arms at risk of imbalanced randomisation are no truth for comparisons: the reader gives them no `arms`."""
        return record.arms is not None and super().usable(record)

    def figures(self, rows: Rows, answers: Mapping[str, Answers]) -> dict[str, Statistic]:
        """Accuracy on significant and on all pairs; click rate of the chosen and of the best arm over the mean arm."""
        arms = pooled_arms(rows, "click_rate")
        scores = answers["click_rate"].scores[arms.rows]
        a, b = arms.pairs()
        z = arms.z(a, b)
        distinct, strong = arms.rate[a] != arms.rate[b], np.abs(z) > SIGNIFICANT_Z
        right = credit(scores[a], scores[b], arms.rate[a], arms.rate[b])
        chosen, best, mean, story = _choices(arms, scores)
        return {
            "pair_accuracy_significant": pair_accuracy(right[strong], arms.group[a[strong]]),
            "n_significant": Count(int(strong.sum())),
            "pair_accuracy_all": pair_accuracy(right[distinct], arms.group[a[distinct]]),
            "chosen_over_mean": ratio(chosen, mean, story),
            "best_over_mean": ratio(best, mean, story),
        }

    def calibration_pairs(self, rows: Rows) -> tuple[Indices, Indices, Bools]:
        """Every pair whose rates differ."""
        arms = pooled_arms(rows, "click_rate")
        a, b = arms.pairs()
        distinct = arms.rate[a] != arms.rate[b]
        a, b = a[distinct], b[distinct]
        return arms.rows[a], arms.rows[b], arms.rate[a] > arms.rate[b]


def _choices(arms: Arms, scores: Floats) -> tuple[Floats, Floats, Floats, Groups]:
    """Per test of three or more headlines: the rate of the chosen arm, of the best one, their mean, and the story.

    Among arms that tie for the best score the choice is a coin's: their mean rate.
    """
    table = []
    stories = []
    for g in members(arms.comparison):
        if len(g) < MIN_HEADLINES:
            continue
        rate, top = arms.rate[g], scores[g] == scores[g].max()
        table.append((rate[top].mean(), rate.max(), rate.mean()))
        stories.append(arms.group[g[0]])
    chosen, best, mean = np.asarray(table, dtype=np.float64).reshape(-1, 3).T
    return chosen, best, mean, np.asarray(stories)
