"""Which held-out rows are looked at, and the one figure that chooses between steps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np

from lcbm_model.errors import SettingsError
from lcbm_model.training.collate import Ints
from lcbm_model.training.data import Prepared
from lcbm_model.training.evaluate import headline_figure
from lcbm_model.training.settings import WORDS

ANSWERS = "text"
"""What answers in words, whoever asked, are weighed as beside the sources."""


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


def sources_of(names: Iterable[str]) -> set[str]:
    """What 'source/metric' names begin with."""
    return {name.split("/")[0] for name in names}


def check_selection(weights: Mapping[str, float], sources: Collection[str], measured: Collection[str]) -> None:
    """Refuse weights under which every step would score the same.

    Args:
        weights: `run.select_on`.
        sources: Those of the prepared data.
        measured: Sources, and perhaps `ANSWERS`, of which there are validation rows; may be empty.

    Raises:
        SettingsError: A source that was not prepared, or nothing measured has a weight.
    """
    known = (set(sources) - set(WORDS)) | {ANSWERS}
    for name in weights:
        if name not in known:
            remedy = f"Known: {', '.join(sorted(known))}. {{}}: all alike"
            raise SettingsError("run.select_on", "names a source that was not prepared", value=name, remedy=remedy)
    if weights and measured and not any(weights.get(name, 0) > 0 for name in measured):
        remedy = f"Weigh one of: {', '.join(sorted(measured))}. {{}}: all alike"
        raise SettingsError("run.select_on", "weighs nothing that is measured here", value=dict(weights), remedy=remedy)


def check_held(data: Prepared) -> None:
    """Refuse a metric whose read-out nothing would join and calibrate.

    Raises:
        SettingsError: It has no row in validation.
    """
    held = set(data.rows.metric[data.select(split="validation")].tolist())
    for number, metric in enumerate(data.metrics):
        if number not in held:
            remedy = "Add rows to that split, or leave the metric out (data.metrics)"
            raise SettingsError("data", "a metric has no row in the validation split", value=metric, remedy=remedy)


def selection_score(figures: dict[str, dict[str, float]], weights: dict[str, float]) -> float | None:
    """Weighted mean of the better read-out's headline figure over each metric of each source; None where nothing was
    measured: comparisons too small, or outcomes that hardly differ."""
    best: dict[str, float] = {}
    for name, found in figures.items():
        figure = headline_figure(found)
        source_metric = name.rsplit("/", 1)[0]
        if figure is not None and np.isfinite(figure):
            best[source_metric] = max(best.get(source_metric, -1.0), figure)
    total = {key: weights.get(key.split("/")[0], 0.0 if weights else 1.0) for key in best}
    norm = sum(total.values())
    return sum(best[k] * total[k] for k in best) / norm if norm else None
