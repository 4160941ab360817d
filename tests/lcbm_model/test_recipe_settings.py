"""What a recipe may say: values that are no YAML, numbers outside their range, names that nothing is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lcbm_model.errors import SettingsError
from lcbm_model.training.names import check_names
from lcbm_model.training.recipes import load_recipe, override, recipe_from
from tests.lcbm_model.training_rows import TINY


@pytest.mark.parametrize("text", ["[a", "2026-13-01"])
def test_a_change_that_is_no_yaml_names_its_key(text: str) -> None:
    with pytest.raises(SettingsError, match=r"run\.name: cannot be read as YAML .*needs quotes of its own"):
        override(TINY, {"run.name": text})
    assert override(TINY, {"run.name": f'"{text}"'})["run"]["name"] == text


def test_a_recipe_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.yaml: no such file\. Give the path"):
        load_recipe(tmp_path / "none.yaml")
    with pytest.raises(SettingsError, match="cannot be read as YAML"):
        load_recipe(tmp_path)


@pytest.mark.parametrize(
    ("changes", "where", "problem"),
    [
        ({"readout.probe_l2": "[]"}, "readout.probe_l2", "holds no penalty"),
        ({"readout.probe_l2": "[0.3, -1]"}, "readout.probe_l2", r"at least 0 \(got -1"),
        ({"readout.probe_rows_of.click_rate": "0"}, "readout.probe_rows_of.click_rate", "at least 1"),
        ({"run.mix.upworthy": "-1"}, "run.mix.upworthy", "at least 0"),
        ({"run.mix.upworthy": ".inf"}, "run.mix.upworthy", "must be finite"),
        ({"run.select_on.upworthy": "-1"}, "run.select_on.upworthy", "at least 0"),
        ({"text_encoder.mix.upworthy": "-1"}, "text_encoder.mix.upworthy", "at least 0"),
        ({"data.max_records.upworthy": "-1"}, "data.max_records.upworthy", "at least 0"),
        ({"run.threads": "-2"}, "run.threads", "at least 1"),
        ({"run.seed": "-1"}, "run.seed", "at least 0"),
    ],
)
def test_numbers_out_of_range_name_their_entry(changes: dict[str, str], where: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem) as caught:
        recipe_from(override(TINY, changes))
    assert where in str(caught.value)


def test_a_run_without_any_probe_needs_no_penalty() -> None:
    recipe = recipe_from(override(TINY, {"readout.probe_l2": "[]", "readout.init": "zero", "run.threads": "null"}))
    assert recipe.readout.probe_l2 == ()
    assert recipe.run.threads is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"run.select_on": "{upwrthy: 1}"}, r"run\.select_on: names an unknown source .*'upwrthy'.*upworthy"),
        ({"run.select_on": "{instructions: 1}"}, r"run\.select_on: names an unknown source .*text"),
        ({"run.mix": "{upworthy: 1, txt: 1}"}, r"run\.mix: names an unknown source"),
        ({"text_encoder.mix": "{text: 1}"}, r"text_encoder\.mix: names an unknown source"),
        ({"data.max_records": "{text: 9}"}, r"data\.max_records: names an unknown source .*instructions"),
        ({"data.metrics": "{facbook: [shares]}"}, r"data\.metrics: names an unknown source"),
        ({"data.metrics": "{facebook: [shares, like]}"}, r"data\.metrics\.facebook: names an unknown metric .*likes"),
        ({"readout.probe_rows_of": "{shars: 9}"}, r"readout\.probe_rows_of: names an unknown metric .*shares"),
    ],
)
def test_names_that_nothing_is_called_are_refused(changes: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        check_names(recipe_from(override(TINY, changes)))


def test_sources_that_a_recipe_leaves_out_may_be_named() -> None:
    changes: dict[str, Any] = {
        "data.max_records.facebook": 9,
        "data.metrics.reddit": ["score"],
        "run.select_on": {"oasis": 1, "text": 1},
    }
    check_names(recipe_from(override(TINY, changes)))
