"""Finished runs compared: a better run is better by its interval, and what a run changed is told."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from lcbm_model.errors import CheckpointError
from lcbm_model.evaluation.benchmark_record import BenchmarkRecord
from lcbm_model.training.corpus_rows import prepare_recipe
from lcbm_model.training.data import Prepared
from lcbm_model.training.recipes import override, recipe_from
from tests.lcbm_model.tiny_model import write_tiny_model
from tests.lcbm_model.training_rows import tiny_recipe, write_upworthy

ROOT = Path(__file__).resolve().parents[2]


def write_run(folder: Path, data: Prepared, utility: np.ndarray, **changes: object) -> Path:
    folder.mkdir()
    bins = np.eye(10)[np.argsort(np.argsort(-utility)) * 10 // len(utility)]  # they say the opposite of the utility
    np.savez(folder / "predictions.npz", row=np.arange(len(utility)), joint=utility, bins=bins)
    recipe = recipe_from(override(data.manifest["recipe"], changes)).to_dict()  # type: ignore[arg-type]
    (folder / "summary.json").write_text(json.dumps({"recipe": recipe}), "utf-8")
    return folder


def _compared(folder: Path, runs: list[Path], *options: str) -> BenchmarkRecord:
    out = folder / "again.json"
    importlib.import_module("ablations").main([str(folder / "prepared"), *map(str, runs), "--out", str(out), *options])
    return BenchmarkRecord.model_validate_json(out.read_bytes())


def test_what_helps_stands_out_with_its_interval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    base = write_tiny_model(tmp_path / "base", layers=4)
    data = prepare_recipe(tiny_recipe(base, write_upworthy(tmp_path / "data", tests=60)))
    data.save(tmp_path / "prepared")
    truth = data.rows.value.astype(np.float64)
    noise = np.random.default_rng(0).standard_normal(len(truth))
    runs = [
        write_run(tmp_path / "plain", data, noise),
        write_run(tmp_path / "silent", data, np.zeros(len(truth))),
        write_run(tmp_path / "knowing", data, truth, **{"run.fraction": "0.5"}),
    ]
    out = tmp_path / "ablations.json"
    importlib.import_module("ablations").main([str(tmp_path / "prepared"), *map(str, runs), "--out", str(out)])
    record = BenchmarkRecord.model_validate_json(out.read_bytes())
    assert "`knowing`: run.fraction = 0.5" in record.told
    assert "`plain`: as prepared" in record.told
    assert str(tmp_path) not in record.command
    (table,) = [table for table in record.tables if table.title == "upworthy, click_rate"]
    lines = {line[0]: line[1:] for line in table.rows}
    assert lines["plain"][3:] == (None, None, None)
    assert lines["silent"][0] == pytest.approx(0.5)
    assert lines["knowing"][0] == pytest.approx(1.0)
    low = lines["knowing"][4]
    assert isinstance(low, float)
    assert low > 0.1
    (line,) = _compared(tmp_path, [runs[2]], "--readout", "bins").tables[0].rows
    assert line[1] == pytest.approx(0.0, abs=0.1)
    # A run that was prepared apart holds its own copy: fewer rows under other numbers, found by their names.
    own = prepare_recipe(tiny_recipe(base, tmp_path / "data", data={"text_examples": 0, "max_held": 9}))
    apart = write_run(tmp_path / "apart", own, own.rows.value.astype(np.float64))
    own.save(apart / "prepared")
    assert own.select(split="test").tolist() != data.select(split="test").tolist()[: len(own.select(split="test"))]
    table = _compared(tmp_path, [apart]).tables[0]
    assert table.rows[0][1] == pytest.approx(1.0)
    assert table.told.startswith("9 rows")
    (tmp_path / "unfinished").mkdir()
    with pytest.raises(CheckpointError, match=r"unfinished: is no finished run"):
        _compared(tmp_path, [tmp_path / "unfinished"])
    whole = (runs[0] / "predictions.npz").read_bytes()
    for damaged in (b"", b"no archive", whole[: len(whole) // 2]):
        (tmp_path / "unfinished" / "predictions.npz").write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"unfinished: is no finished run"):
            _compared(tmp_path, [tmp_path / "unfinished"])


@pytest.mark.parametrize(("recipe", "runs"), [("smol_probe", "ablations"), ("smol_terms", "terms")])
def test_every_listed_run_is_a_recipe(recipe: str, runs: str) -> None:
    from lcbm_model.training.recipes import load_recipe

    folder = ROOT / "train_recipes" / "embedded"
    prepared = load_recipe(folder / f"{recipe}.yaml").to_dict()
    listed = json.loads((folder / f"{runs}.json").read_text("utf-8"))
    names = [recipe_from(override(prepared, changes)).run.name for changes in listed]
    assert len(set(names)) == len(names) >= 5
