"""What a recipe may say: values that are no YAML, numbers outside their range, names that nothing is called."""

from __future__ import annotations

import pytest

from lcbm_model.errors import SettingsError
from lcbm_model.training.recipes import override, recipe_from
from tests.lcbm_model.training_rows import TINY


@pytest.mark.parametrize("text", ["[a", "2026-13-01"])
def test_a_change_that_is_no_yaml_names_its_key(text: str) -> None:
    with pytest.raises(SettingsError, match=r"run\.name: cannot be read as YAML .*needs quotes of its own"):
        override(TINY, {"run.name": text})
    assert override(TINY, {"run.name": f'"{text}"'})["run"]["name"] == text


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
