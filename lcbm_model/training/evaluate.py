"""Validation figures inside comparison groups, in plain numpy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lcbm_model.training.data import Rows

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RANKED = 5
"""Rows that a group needs for a rank correlation."""
PAIRED = 60
"""Rows of a group that are paired: pages have hundreds."""
SIGNIFICANT, MOST_WEIGHT = 1.96, 4.0
"""|z| above which a pair is told apart reliably, and at which its weight stops growing."""


def groups_of(keys: npt.NDArray[Any], *, least: int = 2) -> Iterator[Ints]:
    """Positions of every group with at least `least` members."""
    order = np.argsort(keys, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(keys[order])) + 1):
        if len(members) >= least:
            yield members


def ranks(values: Floats) -> Floats:
    """Mid-ranks (ties share), 0-based."""
    distinct, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    del distinct
    return (np.cumsum(counts) - (counts + 1) / 2)[inverse]


def spearman(a: Floats, b: Floats) -> float:
    """Rank correlation; NaN where one side is constant."""
    x, y = ranks(a), ranks(b)
    x, y = x - x.mean(), y - y.mean()
    norm = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / norm) if norm > 0 else float("nan")


def pair_z(rows: Rows, i: Ints, j: Ints) -> Floats:
    """Significance of i over j: two proportions, pooled, where exposures are known, else value over noise."""
    value, noise = rows.value.astype(np.float64), rows.noise.astype(np.float64)
    exposure = rows.exposure.astype(np.float64)
    gap = value[i] - value[j]
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (value[i] * exposure[i] + value[j] * exposure[j]) / (exposure[i] + exposure[j])
        rate = np.sqrt(pooled * (1 - pooled) * (1 / exposure[i] + 1 / exposure[j]))
        other = np.sqrt(noise[i] ** 2 + noise[j] ** 2)
        z = gap / np.where((exposure[i] > 0) & (exposure[j] > 0), rate, other)
    return np.nan_to_num(z, nan=0.0, posinf=0.0, neginf=0.0)


class PairSums(NamedTuple):
    """Over the pairs of one group: weights of those in the right order (ties half) and of all; then both as counts of
    the significant ones."""

    credit: float
    stakes: float
    right: float
    significant: int


def pair_sums(rows: Rows, chosen: Ints, score: Floats, members: Ints) -> PairSums:
    """How well scores order the pairs of one group, each weighed by min(|z|, 4); equal texts are no pair.

    Args:
        chosen: (n,) row numbers.
        score: (n,) model scores, higher is better.
        members: Positions of the group in `chosen`.
    """
    a, b = np.triu_indices(min(len(members), PAIRED), k=1)
    different = rows.row_keys[chosen[members[a]]] != rows.row_keys[chosen[members[b]]]
    i, j = members[a[different]], members[b[different]]
    z = pair_z(rows, chosen[i], chosen[j])
    stake = np.minimum(np.abs(z), MOST_WEIGHT)
    won = (np.sign(score[i] - score[j]) * np.sign(z) + 1) / 2
    clear = np.abs(z) > SIGNIFICANT
    return PairSums(float((stake * won).sum()), float(stake.sum()), float(won[clear].sum()), int(clear.sum()))


def group_figures(rows: Rows, chosen: Ints, score: Floats) -> dict[str, float]:
    """Figures of one source and metric.

    Args:
        chosen: (n,) row numbers.
        score: (n,) model scores, higher is better.

    Returns:
        spearman: mean inside groups of five and more. pairs_significant: accuracy on pairs with |z| > 1.96, n beside
        it. pairs_weighted: accuracy on all pairs, each weighed by min(|z|, 4), which few hundred pairs settle better.
        chosen_over_mean: outcome of the best-scored arm over the group's mean (groups of three and more).
    """
    value, rates = rows.value[chosen].astype(np.float64), rows.exposure[chosen] > 0
    correlations, gains, pairs = [], [], []
    for members in groups_of(rows.pair_group[chosen]):
        if len(members) >= RANKED:
            correlations.append(spearman(score[members], value[members]))
        pairs.append(pair_sums(rows, chosen, score, members))
        if len(members) >= 3 and rates[members].all() and value[members].mean() > 0:
            gains.append(value[members][np.argmax(score[members])] / value[members].mean())
    known = [c for c in correlations if np.isfinite(c)]
    total = PairSums(*(sum(column) for column in zip(*pairs, strict=True))) if pairs else PairSums(0, 0, 0, 0)
    figures = {"n": float(len(chosen))}
    if known:
        figures["spearman"] = float(np.mean(known))
    if total.significant:
        figures["pairs_weighted"] = total.credit / total.stakes
        figures["pairs_significant"] = total.right / total.significant
        figures["n_significant"] = float(total.significant)
    if gains:
        figures["chosen_over_mean"] = float(np.mean(gains))
    return figures


def headline_figure(figures: dict[str, float]) -> float | None:
    """The number that chooses between steps: weighted pair accuracy of experiments, else rank correlation; of answers
    in words the likelihood of their tokens."""
    if "token_likelihood" in figures:
        return figures["token_likelihood"]
    if "chosen_over_mean" in figures and "pairs_weighted" in figures:
        return figures["pairs_weighted"]
    return figures.get("spearman", figures.get("pairs_significant"))
