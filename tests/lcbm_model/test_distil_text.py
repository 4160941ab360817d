"""Several encoders as one: it says what their mean says, whatever the scales, and resumes like every run."""

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
from lcbm_model.training.data import Prepared  # noqa: E402
from lcbm_model.training.distil_text import distil_text_towers  # noqa: E402
from lcbm_model.training.recipes import recipe_from  # noqa: E402
from lcbm_model.training.run import train_recipe  # noqa: E402
from lcbm_model.training.settings import Recipe  # noqa: E402
from lcbm_model.training.text_tower import TextTower  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return encoder_recipe(tmp_path_factory.mktemp("distil"), lr=2e-3, head_lr=0.01, distil_steps=12)


@pytest.fixture(scope="module")
def prepared(recipe: Recipe) -> Prepared:
    return prepare_recipe(recipe)


def teacher(data: Prepared, recipe: Recipe, *, seed: int, scale: float) -> TextTower:
    """An encoder with random updates and a random head."""
    tower = TextTower(data, recipe)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in tower.updates().values():
            parameter.normal_(std=0.02)
        tower.head.normal_(std=scale)
    return tower.eval()


def said(tower: TextTower, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    utility = tower.states(rows) @ tower.head.detach()[0]
    return np.asarray(((utility - utility.mean()) / utility.std()).numpy())


def test_it_says_what_its_teachers_say_on_average(prepared: Prepared, recipe: Recipe, tmp_path: Path) -> None:
    teachers = [teacher(prepared, recipe, seed=seed, scale=scale) for seed, scale in ((1, 1.0), (2, 30.0), (3, 0.1))]
    rows = prepared.select(split="validation")
    wanted = sum(said(each, rows) for each in teachers)
    longer = dataclasses.replace(recipe, text_encoder=dataclasses.replace(recipe.text_encoder, distil_steps=20))
    events: list[dict[str, Any]] = []
    tower, state = distil_text_towers(teachers, prepared, longer, tmp_path, device=CPU, report=events.append)
    alike = np.corrcoef(said(tower, rows), wanted)[0, 1]
    assert alike > 0.8
    assert alike > max(np.corrcoef(said(each, rows), wanted)[0, 1] for each in teachers)
    assert {event["tower"] for event in events} == {"text encoder, mean of several"}
    assert any("distance" in event for event in events)
    assert state.step == 20


def test_a_run_ends_with_one_encoder(recipe: Recipe, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    train_recipe(recipe, tmp_path, report=events.append)
    assert max(event["step"] for event in events if "mean" in event.get("tower", "")) == 12
    spec = json.loads((tmp_path / "adapter" / "lcbm.json").read_text())
    assert not spec["text_encoder"].get("towers")


def test_a_run_killed_while_it_learns_the_mean_ends_as_an_unbroken_one(recipe: Recipe, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def dies(event: dict[str, Any]) -> None:
        if "mean" in event.get("tower", "") and event["step"] == 10:  # its state was saved at step 8
            raise Killed

    unbroken = train_recipe(recipe, tmp_path / "unbroken")
    with pytest.raises(Killed):
        train_recipe(recipe, tmp_path / "killed", report=dies)
    assert not (tmp_path / "killed" / "adapter").exists()
    resumed = train_recipe(recipe, tmp_path / "killed", resume=True)
    assert json.dumps(resumed["figures"]) == json.dumps(unbroken["figures"])
    one, other = (tmp_path / name / "adapter" / "text_encoder.safetensors" for name in ("unbroken", "killed"))
    assert one.read_bytes() == other.read_bytes()


def test_there_is_no_mean_without_halves() -> None:
    with pytest.raises(SettingsError, match=r"distil_steps: needs the encoders of both halves.*cross_fit on"):
        recipe_from({"text_encoder": {"rank": 2, "distil_steps": 5}})
