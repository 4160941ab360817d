"""The bench's figures, as arrays in and statistics out. Ties count half everywhere: a constant model scores chance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lcbm_model.evaluation.bootstrap import Floats, Groups, OfSums, divide, mean_of_groups, ratio, sums_by_group

Indices = NDArray[np.intp]
_FAVOURITE_BINS = 5
_BLOCK = 512
"""Rows compared with all others at once: bounds the memory of within-group pairs."""


def credit(score_a: Floats, score_b: Floats, truth_a: Floats, truth_b: Floats) -> Floats:
    """1 where the scores order a pair as the truth does, 0 where they reverse it, 0.5 where the scores tie, (P,).

    Pairs whose truth ties have no right order; leave them out beforehand.
    """
    return (np.sign(score_a - score_b) * np.sign(truth_a - truth_b) + 1) / 2


def pair_accuracy(credits: Floats, groups: Groups) -> OfSums:
    """Mean credit over pairs, (P,), resampled by the pairs' groups."""
    return ratio(credits, np.ones_like(credits), groups)


def members(groups: Groups) -> Iterator[Indices]:
    """Row indices of each group, groups in sorted order."""
    if len(groups) == 0:
        return
    _, codes = np.unique(groups, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def spearman_within(scores: Floats, truth: Floats, groups: Groups, *, minimum: int = 5) -> OfSums:
    """Mean of Spearman's rho inside each group.

    Groups of fewer than `minimum` rows, or whose truth is constant, define no ranking and are left out. Constant
    scores rank nothing: 0, as a coin would get on average.
    """
    rhos = []
    for rows in members(groups):
        if len(rows) < minimum or np.ptp(truth[rows]) == 0:
            continue
        flat = np.ptp(scores[rows]) == 0
        rhos.append(0.0 if flat else float(stats.spearmanr(scores[rows], truth[rows]).statistic))
    return mean_of_groups(np.asarray(rhos))


def accuracy_of_distinct_pairs(scores: Floats, truth: Floats, groups: Groups, *, gap: float) -> OfSums:
    """Accuracy over all pairs inside a group whose truth differs by more than `gap`."""
    sums = []
    for rows in members(groups):
        s, t = scores[rows], truth[rows]
        right = total = 0.0
        for start in range(0, len(rows), _BLOCK):
            block = slice(start, start + _BLOCK)
            # Each unordered pair is met once from its better side.
            better = t[block, None] - t[None, :] > gap
            total += float(better.sum())
            difference = s[block, None] - s[None, :]
            right += float(((difference > 0) & better).sum()) + 0.5 * float(((difference == 0) & better).sum())
        sums.append((right, total))
    return OfSums(np.asarray(sums, dtype=np.float64).reshape(-1, 2), divide)


def coverage(truth: Floats, low: Floats, high: Floats, groups: Groups) -> OfSums:
    """Share of truths inside their interval, ends included; rows without an interval are left out."""
    known = np.isfinite(truth) & np.isfinite(low) & np.isfinite(high)
    inside = (truth[known] >= low[known]) & (truth[known] <= high[known])
    return ratio(inside.astype(np.float64), np.ones(int(known.sum())), groups[known])


def expected_calibration_error(probability: Floats, won: Floats, groups: Groups) -> OfSums:
    """Mean gap between a stated win probability and the share that won, over ten equal bins of probability 0..1.

    A pair has two sides and their probabilities mirror each other: seen from the favourite's, the ten bins are five
    over 0.5..1, and the order inside pairs does not matter.

    Args:
        probability: (P,) stated probability that the first side wins.
        won: (P,) 1 where it did, 0 where it did not.
    """
    confidence, hit, which = _favourites(probability, won)
    one_hot = np.eye(_FAVOURITE_BINS)[which]  # (P, bins)
    sums = sums_by_group(np.hstack([one_hot * confidence[:, None], one_hot * hit[:, None], one_hot]), groups)
    return OfSums(sums, _calibration_gap)


def reliability(probability: Floats, won: Floats, groups: Groups) -> list[tuple[float, OfSums, int]]:
    """What the expected calibration error sums up: of each bin of the favourite's stated probability that holds pairs,
    the mean stated probability, the share of favourites that won, and the number of pairs.

    Args:
        probability: (P,) stated probability that the first side wins.
        won: (P,) 1 where it did, 0 where it did not.
    """
    confidence, hit, which = _favourites(probability, won)
    bins = [which == k for k in range(_FAVOURITE_BINS)]
    return [
        (float(confidence[own].mean()), ratio(hit[own], np.ones(int(own.sum())), groups[own]), int(own.sum()))
        for own in bins
        if own.any()
    ]


def _favourites(probability: Floats, won: Floats) -> tuple[Floats, Floats, Indices]:
    """Of each pair (P,): what was stated for its favourite, 0.5..1, whether that one won, and the bin it falls into."""
    favoured = probability >= 0.5
    confidence = np.where(favoured, probability, 1 - probability)
    hit = np.where(favoured, won, 1 - won)
    return confidence, hit, np.clip(((confidence - 0.5) * 2 * _FAVOURITE_BINS).astype(np.intp), 0, _FAVOURITE_BINS - 1)


def _calibration_gap(sums: Floats) -> Floats:
    confidence, hits, n = np.split(sums, 3, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.abs(confidence - hits).sum(axis=-1) / n.sum(axis=-1))
