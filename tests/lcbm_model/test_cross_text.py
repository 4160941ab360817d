"""The text encoder out of fold: nobody is scored by an encoder that saw its half, and all join and calibrate."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lcbm_model.errors import SettingsError
from tests.lcbm_model.training_rows import encoder_recipe

torch = pytest.importorskip("torch")

from lcbm_model.training.corpus_rows import prepare_recipe  # noqa: E402
from lcbm_model.training.cross_text import fit_cross_text  # noqa: E402
from lcbm_model.training.data import Prepared  # noqa: E402
from lcbm_model.training.run import train_recipe  # noqa: E402
from lcbm_model.training.settings import Recipe  # noqa: E402


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return encoder_recipe(tmp_path_factory.mktemp("cross"), lr=1e-3, head_lr=0.05)


@pytest.fixture(scope="module")
def prepared(recipe: Recipe) -> Prepared:
    return prepare_recipe(recipe)


def test_each_half_is_scored_by_the_encoder_of_the_other(prepared: Prepared, recipe: Recipe, tmp_path: Path) -> None:
    crossed = fit_cross_text(prepared, recipe, tmp_path, device=torch.device("cpu"))
    held, rows = prepared.select(split="validation"), prepared.select(split="train")
    like = torch.linspace(-1, 1, len(held))
    scores = crossed.utility(rows, 0, held=held, like=like)
    for half, other in (("a", "b"), ("b", "a")):
        own = np.isin(rows, prepared.select(split="train", half=half))
        tower = crossed.towers[other]
        raw = tower.states(rows[own]) @ tower.head.detach()[0]
        assert np.corrcoef(raw.numpy(), scores[torch.from_numpy(own)].numpy())[0, 1] == pytest.approx(1, abs=1e-4)
    alike = crossed.utility(held[:0], 0, held=held, like=like)
    assert alike.shape == (0,)


def test_training_rows_join_and_calibrate(recipe: Recipe, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    found = train_recipe(recipe, tmp_path, report=events.append)
    towers = {event["tower"] for event in events if "tower" in event}
    assert towers == {"text encoder", "text encoder, half a", "text encoder, half b"}
    assert max(event["step"] for event in events if "half" in event.get("tower", "")) == 4
    (entry,) = found["calibration"].values()
    prepared = Prepared.load(tmp_path / "prepared")
    assert entry["n"] == len(prepared.select(split="train")) + len(prepared.select(split="validation"))
    assert set(found["joint"]["click_rate"]["weights"]) >= {"text", "probe"}
    again = train_recipe(recipe, tmp_path, resume=True)
    assert json.dumps(again["figures"]) == json.dumps(found["figures"])


def test_a_twin_has_no_other_half(prepared: Prepared, recipe: Recipe, tmp_path: Path) -> None:
    twin = dataclasses.replace(recipe, run=dataclasses.replace(recipe.run, half="a"))
    with pytest.raises(SettingsError, match="needs both halves"):
        fit_cross_text(prepared, twin, tmp_path, device=torch.device("cpu"))


def test_too_few_groups_have_no_halves(prepared: Prepared, recipe: Recipe, tmp_path: Path) -> None:
    one_story = dataclasses.replace(prepared.rows, half_hash=np.zeros_like(prepared.rows.half_hash))
    alone = dataclasses.replace(prepared, rows=one_story)
    with pytest.raises(SettingsError, match=r"a half of the groups has no rows \(got 'b'\)"):
        fit_cross_text(alone, recipe, tmp_path, device=torch.device("cpu"))
