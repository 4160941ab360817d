"""Which held-out rows are looked at, and the one figure that chooses between steps."""

from __future__ import annotations

import numpy as np

from lcbm_model.training.collate import Ints
from lcbm_model.training.data import Prepared
from lcbm_model.training.evaluate import headline_figure


def pick_rows(data: Prepared, split: str, limit: int) -> dict[str, Ints]:
    """Rows of each 'source/metric' of a split, evenly over its comparison groups, at most about `limit`."""
    chosen = data.select(split=split)
    found: dict[str, Ints] = {}
    for s, source in enumerate(data.sources):
        for m, metric in enumerate(data.metrics):
            own = chosen[(data.rows.source[chosen] == s) & (data.rows.metric[chosen] == m)]
            if not len(own):
                continue
            found[f"{source}/{metric}"] = _even(own, data.rows.pair_group[own], limit)
    return found


def _even(rows: Ints, groups: Ints, limit: int) -> Ints:
    """About `limit` of the rows: up to limit / groups of each comparison group, but 12 of as many groups as fit."""
    rng = np.random.default_rng(0)
    names, index = np.unique(groups, return_inverse=True)
    place = rng.permutation(len(names))[index]  # groups in random order
    order = np.lexsort((rng.random(len(rows)), place))
    first = np.flatnonzero(np.r_[True, np.diff(place[order]) != 0])
    within = np.arange(len(rows)) - np.repeat(first, np.diff(np.r_[first, len(rows)]))
    kept = order[within < max(12, limit // len(names))]
    return np.sort(rows[kept[:limit]])


def selection_score(figures: dict[str, dict[str, float]], weights: dict[str, float]) -> float:
    """Weighted mean over sources of the better read-out's headline figure."""
    best: dict[str, float] = {}
    for name, found in figures.items():
        figure = headline_figure(found)
        source_metric = name.rsplit("/", 1)[0]
        if figure is not None and np.isfinite(figure):
            best[source_metric] = max(best.get(source_metric, -1.0), figure)
    total = {key: weights.get(key.split("/")[0], 0.0 if weights else 1.0) for key in best}
    norm = sum(total.values())
    return sum(best[k] * total[k] for k in best) / norm if norm else 0.0
