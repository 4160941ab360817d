"""Every recipe is found, explained by its launch line, and driven for two steps on a tiny model."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from lcbm_model.errors import SettingsError
from lcbm_model.training.recipes import _build_plain, load_recipe, override, recipe_from
from lcbm_model.training.settings import Recipe
from tests.lcbm_model import evaluation_data
from tests.lcbm_model.tiny_model import write_tiny_model
from tests.lcbm_model.tiny_vl import write_tiny_llava, write_tiny_qwen
from tests.lcbm_model.training_rows import words, write_upworthy

RECIPES = Path(__file__).resolve().parents[2] / "train_recipes"
FOUND = sorted(RECIPES.rglob("*.yaml"))
SMOL = ["smol_captions", "smol_cpu", "smol_gpu", "smol_posts", "smol_probe", "smol_smoke", "smol_terms"]
MEASURED = {"blift_mix": "comments", "smol_captions": "funniness", "smol_posts": "shares"}
"""A metric of each that learns no click rates."""
DRIVEN = ["blift_mix", "llava15_7b_lora", "qwen_vl_7b_lora", *SMOL]


def test_all_recipes_are_found() -> None:
    assert sorted(path.stem for path in FOUND) == sorted(DRIVEN)


@pytest.mark.parametrize("path", FOUND, ids=lambda p: p.stem)
def test_the_first_line_launches_it(path: Path) -> None:
    first = path.read_text("utf-8").splitlines()[0]
    assert first.startswith(f"# lcbm train {path.relative_to(RECIPES.parent).as_posix()} ")
    recipe = load_recipe(path)
    assert recipe.run.name != Recipe().run.name
    plain = _build_plain(yaml.safe_load(path.read_text("utf-8")), str(path))
    assert json.loads(json.dumps(plain.to_dict())) == json.loads(json.dumps(recipe.to_dict()))


@pytest.mark.parametrize(("name", "recipe"), [("ablations", "smol_probe"), ("terms", "smol_terms")])
def test_lists_of_runs_change_a_recipe_into_others(name: str, recipe: str) -> None:
    runs = json.loads((RECIPES / "embedded" / f"{name}.json").read_text("utf-8"))
    raw = load_recipe(RECIPES / "embedded" / f"{recipe}.yaml").to_dict()
    found = [recipe_from(override(raw, changes), where=name) for changes in runs]
    assert len({str(run.to_dict()) for run in found}) == len(runs)
    assert [run.run.name for run in found] == [changes["run.name"] for changes in runs]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_upworthy(tmp_path_factory.mktemp("recipes"), tests=12)
    evaluation_data.caption_contest(folder, contests=15, captions=5)
    evaluation_data.facebook(folder, pages=15, posts=5)
    evaluation_data.reddit(folder, communities=5, posts=5)
    evaluation_data.oasis(folder, n=10)
    rows = [{"headline": f"Harbour {i} wakes", "clickbait": i % 2, "split": "train"} for i in range(8)]
    import polars as pl

    pl.DataFrame(rows).write_parquet(folder / "clickbait.parquet")
    rng, posts = np.random.default_rng(0), []
    for i in range(40):
        where = {"permalink": f"/r/{i}", "subreddit": f"harbour{i % 8}", "comments": ["Fine"], "url": "x"}
        split = ("train", "train", "train", "train", "train", "train", "validation", "test")[i % 8]
        posts.append({**where, "title": words(rng), "num_comments": i * 7 % 50, "split": split})
    pl.DataFrame(posts).write_parquet(folder / "blift.parquet")
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("recipes") / "base", layers=3)


@pytest.fixture(scope="module")
def bases(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny random base of every architecture that a recipe names."""
    folder = tmp_path_factory.mktemp("bases")
    return {
        "smol": base,
        "llava": write_tiny_llava(folder / "llava"),
        "qwen_vl": write_tiny_qwen(folder / "qwen_vl"),
    }


def simulator_of(adapter: Path, architecture: str) -> Any:
    from lcbm_model.simulator import load_simulator
    from tests.lcbm_model.tiny_vl import reload

    return load_simulator(adapter, device="cpu") if architecture == "smol" else reload(adapter)


@pytest.mark.parametrize("path", FOUND, ids=lambda p: p.stem)
def test_two_steps_on_a_tiny_model(path: Path, everything: Path, bases: dict[str, Path], tmp_path: Path) -> None:
    from lcbm_model.training.run import train_recipe

    raw = yaml.safe_load(path.read_text("utf-8"))
    architecture = raw["base"]["architecture"]
    lower = raw.get("lora", {}).get("first_layer", 0) > 0
    changes: dict[str, dict[str, Any]] = {
        "base": {"model": str(bases[architecture])},
        "data": {"folder": str(everything), "max_length": 1200, "text_examples": min(raw["data"]["text_examples"], 10)},
        "lora": {"first_layer": 1 if lower else 0, "last_layer": None, "rank": min(raw["lora"]["rank"], 2)},
        "readout": {"layers": [2], "last_layers": [3] if raw["readout"].get("last_layers") else []},
        "optim": {"steps": min(raw["optim"]["steps"], 2), "tokens_per_step": 4000, "micro_tokens": 8000},
        "text_encoder": {"steps": 2, "eval_every": 2, "tokens_per_step": 300},
        "run": {
            "precision": "fp32", "final_precision": "fp32", "eval_every": 2, "threads": 1, "final_rows": 20,
            "eval_rows": 20,
        },
    }  # fmt: skip
    if "instructions" in raw["run"].get("mix", {}):
        asked = tmp_path / "asked.jsonl"
        asked.write_text("".join(json.dumps({"instruction": f"Count to {i}", "answer": "no"}) + "\n" for i in range(9)))
        changes["data"]["instructions"] = str(asked)
    for group, values in changes.items():
        raw[group] = {**raw.get(group, {}), **values}
    found = train_recipe(recipe_from(raw), tmp_path)
    simulator = simulator_of(tmp_path / "adapter", architecture)
    assert simulator.identity.tuned
    measured = MEASURED.get(path.stem, "click_rate")
    assert measured in simulator.identity.metrics
    steps = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    learns = raw["optim"]["steps"] > 0 or raw.get("text_encoder", {}).get("rank", 0) > 0
    assert any(event.get("step") == 2 for event in steps) == learns
    assert found["name"] == raw["run"]["name"]


@pytest.mark.parametrize(
    ("changes", "where", "problem"),
    [
        ({"optim.speed": "3"}, "optim.speed", "unknown key"),
        ({"optimiser": "3"}, "optimiser", "unknown key"),
        ({"optim.steps": "many"}, "optim.steps", "integer"),
        ({"run.precision": "int4"}, "run.precision", "'fp32' or 'bf16'"),
        ({"run.name.first": "x"}, "run.name.first", "is a value"),
        ({"optim.lr": "-1"}, "optim.lr", "above 0"),
        ({"optim.micro_tokens": "0"}, "optim.micro_tokens", "at least 1"),
        ({"data.picture_share": "2"}, "data.picture_share", "0 to 1"),
        ({"run.fraction": "0"}, "run.fraction", "above 0"),
    ],
)
def test_wrong_settings_name_file_and_key(changes: dict[str, str], where: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem) as caught:
        load_recipe(FOUND[0], changes)
    assert where in str(caught.value)


def test_instruction_data_that_cannot_serve(base: Path, tmp_path: Path) -> None:
    from lcbm_model.errors import TableError
    from lcbm_model.training.bases import prompt_encoder, resolve_base
    from lcbm_model.training.instructions import instruction_rows
    from lcbm_model.training.prepare import Encoder
    from lcbm_model.training.settings import BaseSettings

    encoder = Encoder(prompt_encoder(resolve_base(BaseSettings(model=str(base)))), end_id=0, max_length=300)
    file = tmp_path / "asked.jsonl"
    file.write_text('{"instruction": "Count", "answer": "one"}\n{"instruction": "Count", "answer": ""}\n', "utf-8")
    rows = instruction_rows(file, encoder)
    first = next(rows)
    assert len(first.ids) - first.target_start == len("one") + 1  # the answer's bytes and the closing token
    with pytest.raises(TableError, match=r"row 2, column 'answer': is empty"):
        next(rows)
    file.write_text('{"question": "Count"}\n', "utf-8")
    with pytest.raises(TableError, match="instruction"):
        next(instruction_rows(file, encoder))


def test_files_that_are_no_recipe(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("- 1")
    (tmp_path / "broken.yaml").write_text("a: [")
    (tmp_path / "twice.yaml").write_text("run: {seed: 1, seed: 2}")
    for name, problem in (
        ("twice", "stands twice"),
        ("none", "no such file"),
        ("list", "must be a mapping"),
        ("broken", "cannot be read"),
    ):
        with pytest.raises(SettingsError, match=problem):
            load_recipe(tmp_path / f"{name}.yaml")


def test_numbers_are_read_as_people_write_them() -> None:
    recipe = load_recipe(RECIPES / "embedded" / "smol_gpu.yaml", {"optim.lr": "1e-4", "data.sources": "[reddit]"})
    assert recipe.optim.lr == 1e-4
    assert recipe.data.sources == ("reddit",)
    assert recipe_from(dataclasses.asdict(recipe)) == recipe
