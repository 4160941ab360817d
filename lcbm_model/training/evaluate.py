"""Validation figures inside comparison groups, in plain numpy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from lcbm_model.training.data import Rows

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


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
    correlations, right, count, gains = [], 0.0, 0, []
    credit, stakes = 0.0, 0.0
    for members in groups_of(rows.pair_group[chosen]):
        if len(members) >= 5:
            correlations.append(spearman(score[members], value[members]))
        a, b = np.triu_indices(min(len(members), 60), k=1)
        different = rows.row_keys[chosen[members[a]]] != rows.row_keys[chosen[members[b]]]
        i, j = members[a[different]], members[b[different]]
        z = pair_z(rows, chosen[i], chosen[j])
        stake = np.minimum(np.abs(z), 4)
        order = np.sign(score[i] - score[j]) * np.sign(z)
        credit, stakes = credit + float((stake * (order + 1) / 2).sum()), stakes + float(stake.sum())
        clear = np.abs(z) > 1.96
        gap = (score[i] - score[j])[clear] * np.sign(z[clear])
        right += float((gap > 0).sum() + 0.5 * (gap == 0).sum())
        count += int(clear.sum())
        if len(members) >= 3 and rates[members].all() and value[members].mean() > 0:
            gains.append(value[members][np.argmax(score[members])] / value[members].mean())
    known = [c for c in correlations if np.isfinite(c)]
    figures = {"n": float(len(chosen))}
    if known:
        figures["spearman"] = float(np.mean(known))
    if count:
        figures["pairs_weighted"] = credit / stakes
        figures |= {"pairs_significant": right / count, "n_significant": float(count)}
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
