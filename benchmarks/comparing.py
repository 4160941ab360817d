"""Runs that scored the same rows, side by side: a table a task, with paired intervals over resampled groups."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lcbm_model.evaluation.benchmark_record import Table, Value
from lcbm_model.evaluation.bootstrap import Floats, OfSums, divide
from lcbm_model.training.data import Prepared
from lcbm_model.training.evaluate import RANKED, groups_of, pair_sums, spearman

Ints = NDArray[np.int64]


def tasks(data: Prepared, rows: Ints) -> list[tuple[str, str, Ints]]:
    """Source, metric and rows of each task that the rows (n,) belong to."""
    found = []
    for s, source in enumerate(data.sources):
        for m, metric in enumerate(data.metrics):
            members = rows[(data.rows.source[rows] == s) & (data.rows.metric[rows] == m)]
            if len(members):
                found.append((source, metric, members))
    return found


def compared(
    data: Prepared, source: str, metric: str, rows: Ints, runs: Mapping[str, Mapping[int, float]]
) -> Table | None:
    """One line a run: its figure, and how far it is from the first one's; None where nothing can be resampled.

    Args:
        rows: (n,) of one source and metric.
        runs: Utility of each row, by the run's name; the first run is what the others are compared with.
    """
    sums = {name: _sums(data, rows, np.asarray([known[row] for row in rows.tolist()])) for name, known in runs.items()}
    first = next(iter(sums.values()))
    if len(first) < 2:
        return None
    lines: list[tuple[Value, ...]] = []
    for name, mine in sums.items():
        own = OfSums(mine, divide)
        apart = OfSums(np.column_stack([mine, first]), _difference)
        beside = (None, None, None) if mine is first else (apart.value(), *(apart.interval() or (None, None)))
        lines.append((name, own.value(), *(own.interval() or (None, None)), *beside))
    figure = "pairs, weighted accuracy" if _has_rates(data, rows) else "Spearman in a group"
    return Table(
        title=f"{source}, {metric}",
        told=f"{len(rows):,} rows in {len(first):,} groups.",
        columns=("run", figure, "low", "high", "difference", "low", "high"),
        rows=tuple(lines),
    )


def _has_rates(data: Prepared, rows: Ints) -> bool:
    return bool((data.rows.exposure[rows] > 0).all())


def _sums(data: Prepared, rows: Ints, utility: Floats) -> Floats:
    """(G, 2) for each comparison group what the figure is the ratio of."""
    found = []
    value = data.rows.value[rows].astype(np.float64)
    rates = _has_rates(data, rows)
    for members in groups_of(data.rows.pair_group[rows]):
        if rates:
            found.append(pair_sums(data.rows, rows, utility, members)[:2])
        elif len(members) >= RANKED and np.ptp(value[members]) > 0:
            # Constant scores rank nothing.
            found.append((spearman(utility[members], value[members]) if np.ptp(utility[members]) > 0 else 0.0, 1.0))
    return np.asarray(found, dtype=np.float64).reshape(-1, 2)


def _difference(sums: Floats) -> Floats:
    return divide(sums[..., :2]) - divide(sums[..., 2:])
