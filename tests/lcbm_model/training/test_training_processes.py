"""Several processes train one model: what they end with is what one process ends with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lcbm_model.errors import SettingsError
from lcbm_model.training.data import Prepared
from lcbm_model.training.recipes import override, recipe_from
from tests.lcbm_model import evaluation_data
from tests.lcbm_model.tiny_model import write_tiny_model
from tests.lcbm_model.tiny_vl import write_tiny_llava
from tests.lcbm_model.training_rows import tiny_recipe, write_upworthy

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402

from lcbm_model.training.base import load_base  # noqa: E402
from lcbm_model.training.corpus_rows import prepare_recipe  # noqa: E402
from lcbm_model.training.fit import run_fit  # noqa: E402
from lcbm_model.training.processes import Processes  # noqa: E402
from lcbm_model.training.run import train_recipe  # noqa: E402

SCRIPT = Path(__file__).parents[1] / "run_in_processes.py"
ROOT = Path(__file__).parents[3]
ENCODER = {"rank": 2, "steps": 3, "tokens_per_step": 300, "eval_every": 2, "max_tokens": 24}
NO_DIGITS = {"loss.bins": 0, "loss.value": 0, "loss.pairs_bins": 0}
STEPS = {"optim.steps": 4, "optim.lr": 0.003, "optim.micro_tokens": 1, "run.eval_every": 2, "run.save_every": 2}
"""A pass for every comparison: then sums over passes do not depend on who does which."""


class Folder:
    """A prepared folder and the base it is for."""

    def __init__(self, path: Path, base: Path, recipe: Any) -> None:
        self.path, self.base = path, base
        prepare_recipe(recipe).save(path)

    def alone(self, out: Path, changes: dict[str, Any]) -> None:
        data = Prepared.load(self.path)
        recipe = recipe_from(override(data.manifest["recipe"], changes), where="changes")
        run_fit(data, load_base(self.base), recipe, out, processes=Processes())

    def together(self, out: Path, kind: str, changes: dict[str, Any], kill: str = "") -> int:
        """Two processes; the launcher's exit status."""
        launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(SCRIPT)]
        done = subprocess.run(
            [*launch, str(self.path), str(self.base), str(out), kind, json.dumps(changes), kill],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"},
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert kill or done.returncode == 0, done.stderr[-3000:]
        return done.returncode


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = tmp_path_factory.mktemp("words")
    base, rows = write_tiny_model(folder / "base", layers=4), write_upworthy(folder / "data")
    lora = {"rank": 4, "dropout": 0.0, "first_layer": 1}
    return Folder(folder / "prepared", base, tiny_recipe(base, rows, text_encoder=ENCODER, lora=lora))


@pytest.fixture(scope="module")
def sights(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Photographs, captions without pictures, and texts to write: passes reach different weights."""
    folder = tmp_path_factory.mktemp("sights")
    (folder / "data").mkdir()
    base = write_tiny_llava(folder / "base")
    # Frozen weights of 16 bits beside learning ones of 32, as a 7B has them.
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "dtype": "bfloat16"}))
    for file in base.glob("*.safetensors"):
        save_file({k: v.to(torch.bfloat16) for k, v in load_file(file).items()}, file, metadata={"format": "pt"})
    evaluation_data.oasis(folder / "data", n=16)
    evaluation_data.caption_contest(folder / "data", contests=5, captions=4)
    recipe = tiny_recipe(
        base, folder / "data",
        base={"architecture": "llava"}, data={"sources": ["oasis", "caption_contest"], "text_examples": 20},
        readout={"layers": [2], "last_layers": [3], "picture": True},
        run={"mix": {"oasis": 1.0, "caption_contest": 1.0, "text": 0.5}},
    )  # fmt: skip
    return Folder(folder / "prepared", base, recipe)


def weights_of(run: Path) -> dict[str, Any]:
    files = sorted((run / "adapter").glob("*.safetensors"))
    return {f"{file.name}/{name}": value for file in files for name, value in load_file(file).items()}


def learned_by(run: Path) -> dict[str, Any]:
    """What a run has at its last step; its adapter has what was best on validation."""
    state = run / "state" / "state.safetensors"
    found = load_file(state) if state.exists() else {}
    return {name: value for name, value in found.items() if name.startswith("weights/")}


def losses_of(run: Path) -> list[dict[str, float]]:
    events = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in e.items() if k != "tokens_per_second"} for e in events if "tokens_per_second" in e]


def assert_same_run(one: Path, other: Path) -> None:
    """Losses, weights, adapters and predictions of two runs, but for what sums in another order leave."""
    for mine, theirs in zip(losses_of(one), losses_of(other), strict=True):
        assert mine == pytest.approx(theirs, rel=0.01, abs=1e-4)
    for mine, theirs, near in ((learned_by(one), learned_by(other), 0.02), (weights_of(one), weights_of(other), 0.05)):
        assert set(mine) == set(theirs)
        for name, value in mine.items():
            gap, size = (float(v.float().norm()) for v in (value.float() - theirs[name].float(), value))
            assert gap <= near * size + 1e-6, (name, gap, size)
    with np.load(one / "predictions.npz") as mine, np.load(other / "predictions.npz") as theirs:
        assert np.array_equal(mine["row"], theirs["row"])
        assert np.allclose(mine["joint"], theirs["joint"], atol=0.02 * mine["joint"].std())
    best = [json.loads((run / "summary.json").read_text())["best_step"] for run in (one, other)]
    assert best[0] == best[1]


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("whole", {"text_encoder.rank": 2}),
        ("pieces", {}),
        pytest.param("whole", {"lora.rank": 0, "optim.steps": 0}, marks=pytest.mark.slow, id="whole-heads"),
        pytest.param("whole", {"optim.cache_states": True}, marks=pytest.mark.slow, id="whole-cached"),
        pytest.param("pieces", {"optim.share_prefix": True}, marks=pytest.mark.slow, id="pieces-shared"),
        pytest.param("pieces", {"run.precision": "bf16"}, marks=pytest.mark.slow, id="pieces-bf16"),
    ],
)
def test_two_processes_end_like_one(kind: str, changes: dict[str, Any], words: Folder, tmp_path: Path) -> None:
    changes = {**STEPS, "text_encoder.rank": 0, **changes}
    words.alone(tmp_path / "alone", changes)
    words.together(tmp_path / "together", kind, changes)
    if changes.get("run.precision") == "bf16":  # four steps of it are mostly rounding
        for mine, theirs in zip(losses_of(tmp_path / "alone"), losses_of(tmp_path / "together"), strict=True):
            assert mine == pytest.approx(theirs, rel=0.05, abs=1e-3)
    else:
        assert_same_run(tmp_path / "alone", tmp_path / "together")


@pytest.mark.parametrize("kind", ["whole", "pieces"])
def test_passes_that_reach_different_weights_do_not_part_the_processes(
    kind: str, sights: Folder, tmp_path: Path
) -> None:
    changes = {**STEPS, **NO_DIGITS}
    sights.alone(tmp_path / "alone", changes)
    sights.together(tmp_path / "together", kind, changes)
    assert_same_run(tmp_path / "alone", tmp_path / "together")


def test_a_killed_run_of_several_processes_goes_on(words: Folder, tmp_path: Path) -> None:
    changes = {**STEPS, "optim.steps": 6}
    words.together(tmp_path / "unbroken", "pieces", changes)
    assert words.together(tmp_path / "broken", "pieces", changes, kill="4") != 0
    assert not (tmp_path / "broken" / "summary.json").exists()
    words.together(tmp_path / "broken", "pieces", changes)
    unbroken, broken = weights_of(tmp_path / "unbroken"), weights_of(tmp_path / "broken")
    assert all(torch.equal(value, broken[name]) for name, value in unbroken.items())


def test_recipes_are_prepared_before_several_processes_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SettingsError, match="prepare-only"):
        train_recipe(tiny_recipe(tmp_path, tmp_path), tmp_path / "run")
