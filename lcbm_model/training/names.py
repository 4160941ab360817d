"""Sources and metrics that a recipe's mappings name: a misspelt one would be passed over in silence."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from lcbm_model.corpus.registry import reader_names
from lcbm_model.errors import SettingsError
from lcbm_model.metrics import metric_names
from lcbm_model.training.instructions import SOURCE
from lcbm_model.training.selection import ANSWERS
from lcbm_model.training.settings import WORDS, Recipe


def check_names(recipe: Recipe) -> None:
    """Refuse what no source and no metric is called. A source that this recipe leaves out may be named.

    Raises:
        SettingsError: Says where, and what is known there.
    """
    data, run = recipe.data, recipe.run
    told = {*data.sources, *reader_names()}
    sources: dict[str, tuple[Iterable[str], set[str]]] = {
        "data.max_records": (data.max_records, told | {SOURCE}),
        "data.metrics": (data.metrics, told),
        "run.mix": (run.mix, told | set(WORDS)),
        "run.select_on": (run.select_on, told | {ANSWERS}),
        "text_encoder.mix": (recipe.text_encoder.mix, told),
    }
    for where, (named, known) in sources.items():
        _refuse(where, "names an unknown source", named, known)
    for source, metrics in data.metrics.items():
        _refuse(f"data.metrics.{source}", "names an unknown metric", metrics, metric_names())
    _refuse("readout.probe_rows_of", "names an unknown metric", recipe.readout.probe_rows_of, metric_names())


def _refuse(where: str, problem: str, named: Iterable[str], known: Collection[str]) -> None:
    for name in named:
        if name not in known:
            raise SettingsError(where, problem, value=name, remedy=f"Known: {', '.join(sorted(known))}")
