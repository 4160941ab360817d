"""From choices to figures: the true outcome of what was chosen, over whole stories."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lcbm_model.evaluation.bootstrap import Count, Floats, Statistic, ratio
from optimizer.replay.stories import Story

KEYS = ("lift_over_mean", "share_of_possible", "picked_best", "n_choices", "arms_a_choice")
"""Lift: summed outcome of the picks over the summed outcome of the mean arms. Share of possible: their gain over the
mean arms as a share of what the best arms gain. Picked best: how often the pick was the best arm."""


def figures(stories: Sequence[Story], picks: Sequence[Floats]) -> dict[str, Statistic]:
    """Figures of one chooser.

    Args:
        picks: For each story the scores of its arms, (A,). Among arms that tie for the best score the choice is a
            coin's: their mean outcome. Arms that all tie therefore count as the mean arm.
    """
    table = []
    for story, scores in zip(stories, picks, strict=True):
        values = np.asarray([arm.value for arm in story.arms])
        top = scores == scores.max()
        table.append((values[top].mean(), values.mean(), values.max(), (values[top] == values.max()).mean(), 1.0))
    chosen, mean, best, hit, one = np.asarray(table, dtype=np.float64).T
    groups = np.asarray([story.group for story in stories])
    return {
        "lift_over_mean": ratio(chosen, mean, groups),
        "share_of_possible": ratio(chosen - mean, best - mean, groups),
        "picked_best": ratio(hit, one, groups),
        "n_choices": Count(len(stories)),
        "arms_a_choice": ratio(np.asarray([float(len(s.arms)) for s in stories]), one, groups),
    }
