"""`lcbm train` as people and scripts call it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from optimizer.cli import run
from tests.lcbm_model.tiny_model import write_tiny_model
from tests.lcbm_model.training_rows import TINY, write_upworthy


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("cli")
    base = write_tiny_model(folder / "base")
    recipe = folder / "tiny.yaml"
    raw = {**TINY, "base": {"model": str(base)}, "lora": {"rank": 0}}
    raw["data"] = {**TINY["data"], "text_examples": 0}
    recipe.write_text(yaml.safe_dump(raw), "utf-8")
    return str(recipe), str(write_upworthy(folder / "data"))


def test_a_dry_run_says_what_a_run_would_take(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, data = files
    assert run(["train", recipe, "--data", data, "--dry-run", "--out", str(tmp_path / "run"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["examples"]["upworthy/click_rate"] == {"train": 54, "validation": 18, "test": 18}
    assert told["tokens"]["p5"] <= told["tokens"]["p50"] <= told["tokens"]["longest"]
    assert told["supervised_tokens"] == 54
    assert told["estimate"]["memory_gb"] >= 0
    assert told["estimate"]["minutes"] >= 0
    assert not (tmp_path / "run").exists()


def test_a_run_prints_its_figures_and_leaves_an_adapter(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, data = files
    out = tmp_path / "run"
    assert run(["train", recipe, "--data", data, "--out", str(out), "--set", "run.name=mine"]) == 0
    said = capsys.readouterr()
    assert "name: mine" in said.out
    assert "pairs_significant" in said.out
    assert json.loads((out / "adapter" / "lcbm.json").read_text())["name"] == "mine"
    assert run(["compare", "one", "two", "--metric", "click_rate", "--model", str(out / "adapter"), "--json"]) == 0


def test_examples_are_prepared_here_and_fitted_elsewhere(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    from lcbm_model.training.fit import main as fit

    recipe, data = files
    prepared = str(tmp_path / "prepared")
    assert run(["train", recipe, "--data", data, "--prepare-only", "--out", prepared, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["examples"] == 90
    base = yaml.safe_load(Path(recipe).read_text())["base"]["model"]
    runs = tmp_path / "runs.json"
    runs.write_text(json.dumps([{"run.name": "a", "run.half": "a"}]), "utf-8")
    fit([prepared, "--base", base, "--runs", str(runs), "--out", str(tmp_path / "out")])
    assert json.loads(capsys.readouterr().out)["name"] == "a"
    assert (tmp_path / "out" / "a" / "adapter" / "lcbm.json").exists()
    with pytest.raises(SystemExit) as left:
        fit([prepared, "--base", base, "--runs", str(runs), "--only", "b", "--out", str(tmp_path / "out")])
    assert left.value.code == 2
    assert capsys.readouterr().err == "error: --only: names no run (got 'b'). Known: a\n"


@pytest.mark.parametrize("name", ["2024-05-01", "run #1", "null"])
def test_a_folder_s_name_is_no_yaml(files: tuple[str, str], tmp_path: Path, name: str) -> None:
    shutil.copytree(files[1], tmp_path / name)
    out = str(tmp_path / "prepared")
    assert run(["train", files[0], "--data", str(tmp_path / name), "--prepare-only", "--out", out]) == 0
    kept = json.loads((Path(out) / "manifest.json").read_text())["recipe"]["data"]["folder"]
    assert kept == str(tmp_path / name)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--set", "optim.speed=3"], "optim.speed: unknown key"),
        (["--set", "nothing"], "--set: is no change"),
        (["--set", "optim.steps=many"], "optim.steps"),
        (["--data", "nowhere"], "data.folder: no such folder"),
    ],
)
def test_mistakes_are_told_on_one_line(
    files: tuple[str, str], arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", files[0], *arguments]) == 2
    error = capsys.readouterr().err
    assert problem in error
    assert error.count("\n") == 1
