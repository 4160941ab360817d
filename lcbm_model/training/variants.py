"""Variants of a prepared recipe: several runs on the same examples, each a few settings away from it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from lcbm_model.errors import SettingsError
from lcbm_model.training.recipes import override, recipe_from
from lcbm_model.training.selection import ANSWERS
from lcbm_model.training.settings import WORDS, Recipe

DECIDED = ("base", "data")
"""Groups of settings that preparation has used up: a change there would change nothing."""


def read_variants(
    path: Path | None, prepared: Mapping[str, Any], *, metrics: Collection[str], only: Sequence[str] | None = None
) -> list[Recipe]:
    """The runs of a file, in its order; the prepared recipe alone where there is none.

    Args:
        path: JSON, a list of mappings from dotted keys to values.
        prepared: The recipe that the examples were prepared by, as `Recipe.to_dict` gives it.
        metrics: Prepared metrics.
        only: Names of the runs that are wanted; None or empty: all.

    Raises:
        SettingsError: No such list, a setting that cannot be or that preparation has decided, a name that means
            nothing in this data, or two runs of one name, which would write over each other.
    """
    recipes = []
    for number, changes in enumerate(_listed(path), 1):
        where = "runs" if path is None else f"{path.name}, run {number}"
        for key in changes:
            group, _, rest = key.partition(".")
            if group in DECIDED and changes[key] != prepared.get(group, {}).get(rest):
                remedy = "Prepare another folder with it"
                raise SettingsError(f"{where}: {key}", "was decided when the data were prepared", remedy=remedy)
        recipe = recipe_from(override(prepared, changes), where=where)
        _check_names(recipe, prepared, metrics, where)
        recipes.append(recipe)
    names = Counter(recipe.run.name for recipe in recipes)
    twice = [name for name, n in names.items() if n > 1]
    if twice:
        raise SettingsError("run.name", "is that of several runs", value=twice[0], remedy="Name each run")
    if unknown := [name for name in only or () if name not in names]:
        raise SettingsError("--only", "names no run", value=unknown[0], remedy=f"Known: {', '.join(names)}")
    return [recipe for recipe in recipes if not only or recipe.run.name in only]


def _listed(path: Path | None) -> list[dict[str, Any]]:
    if path is None:
        return [{}]
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(str(path), f"cannot be read as JSON: {error}") from error
    if not (isinstance(found, list) and found and all(isinstance(one, dict) for one in found)):
        remedy = 'Like [{"run.name": "a", "run.half": "a"}]'
        raise SettingsError(str(path), "must be a list of runs, each a mapping of settings", remedy=remedy)
    return found


def _check_names(recipe: Recipe, prepared: Mapping[str, Any], metrics: Collection[str], where: str) -> None:
    """A misspelt name in a mapping would be passed over in silence."""
    sources = set(recipe.data.sources)
    mappings: list[tuple[str, str, Mapping[str, Any], set[str]]] = [
        ("run", "mix", recipe.run.mix, sources | set(WORDS)),
        ("run", "select_on", recipe.run.select_on, sources | {ANSWERS}),
        ("text_encoder", "mix", recipe.text_encoder.mix, sources),
        ("readout", "probe_rows_of", recipe.readout.probe_rows_of, set(metrics)),
    ]
    for group, key, named, known in mappings:
        known = known | set(prepared.get(group, {}).get(key, {}))  # a recipe may name what this data leaves out
        for name in named:
            if name not in known:
                remedy = f"Known: {', '.join(sorted(known))}"
                raise SettingsError(f"{where}: {group}.{key}", "names what was not prepared", value=name, remedy=remedy)
