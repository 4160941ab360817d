"""Comparisons across experiments: rates of different tests that ran in the same week.

Inside a test the difference of two arms is what the words did, but half of all arms have no rival there. Across the
tests of a week topic and picture differ too. That is noise of a known spread, and what is left still tells which words
go together with clicks: learned beside the comparisons inside tests it orders those better (train_recipes/LOG.md).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lcbm_model.training.collate import Ints
from lcbm_model.training.data import TEXT, UNDATED, Rows

Floats = npt.NDArray[np.float64]

SPREAD = 0.85
"""Standard deviation of a log rate from everything but the words, in nats."""
_WEEK = 7
_METRICS = 4096


def comparable(rows: Rows, chosen: Ints) -> Ints:
    """Those of the rows (n,) that may be compared across experiments: rates with an exposure and a date."""
    return chosen[(rows.metric[chosen] != TEXT) & (rows.exposure[chosen] > 0) & (rows.day[chosen] != UNDATED)]


def weeks(rows: Rows, chosen: Ints) -> Ints:
    """(n,) numbers of what comparable rows may be compared inside: a metric and a week, from Monday to Sunday."""
    # Day 0 was a Thursday.
    return ((rows.day[chosen].astype(np.int64) + 3) // _WEEK) * _METRICS + rows.metric[chosen].astype(np.int64)


def log_rates(rows: Rows, chosen: Ints) -> tuple[Floats, Floats]:
    """(n,) log rates of comparable rows, held to the pooled rate by one count, and their standard errors (`SPREAD` is
    part of them)."""
    exposure = rows.exposure[chosen].astype(np.float64)
    count = rows.value[chosen] * exposure
    pooled = max(float(count.sum()), 1.0) / max(float(exposure.sum()), 1.0)
    value = np.log((count + 1) / (exposure + 1 / pooled))
    return value, np.sqrt(1 / (count + 1) + SPREAD**2)


def across_pairs(rows: Rows, chosen: Ints, *, per_row: int, seed: int) -> tuple[Ints, Ints, Floats]:
    """Pairs of rows of different groups that no split may cut, as positions in `chosen`, and their z.

    Args:
        per_row: Pairs drawn for each comparable row; partners come from its week.
    """
    allowed = np.isin(chosen, comparable(rows, chosen))
    place = np.flatnonzero(allowed)
    if per_row <= 0 or len(place) < 2:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    rng = np.random.default_rng(seed)
    week = weeks(rows, chosen[place])
    order = np.argsort(week, kind="stable")
    _, start, size = np.unique(week[order], return_index=True, return_counts=True)
    first, room = np.repeat(start, size), np.repeat(size, size)  # of every row in order: where its week is
    left = np.repeat(np.arange(len(order)), per_row)
    right = first[left] + rng.integers(0, room[left])
    i, j = place[order[left]], place[order[right]]
    other = rows.half_hash[chosen[i]] != rows.half_hash[chosen[j]]
    i, j = i[other], j[other]
    value, noise = (np.zeros(len(chosen)) for _ in range(2))
    value[place], noise[place] = log_rates(rows, chosen[place])
    z = (value[i] - value[j]) / np.sqrt(noise[i] ** 2 + noise[j] ** 2)
    return i, j, z
