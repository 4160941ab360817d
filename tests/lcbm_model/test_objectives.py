"""Objectives of a linear read-out: each learns what the states show, out of fold, and nothing from noise."""

from __future__ import annotations

import importlib
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from lcbm_model.errors import CheckpointError
from lcbm_model.evaluation.benchmark_record import BenchmarkRecord, Table
from lcbm_model.training.corpus_rows import prepare_recipe
from lcbm_model.training.data import Prepared
from lcbm_model.training.frozen_states import FrozenStates
from lcbm_model.training.recipes import recipe_from
from tests.lcbm_model.tiny_model import write_tiny_model
from tests.lcbm_model.training_rows import tiny_recipe, write_upworthy

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    base = write_tiny_model(tmp_path / "base", layers=4)
    prepared = prepare_recipe(tiny_recipe(base, write_upworthy(tmp_path / "data", tests=100)))
    prepared.save(tmp_path / "prepared")
    return prepared


def keep_states(data: Prepared, folder: Path, *, informed: bool) -> Path:
    """States of noise; one column of them tells the outcome."""
    states = np.random.default_rng(0).standard_normal((len(data.rows), 6)).astype(np.float32)
    if informed:
        states[:, 2] = data.rows.value * 100
    readout = recipe_from(data.manifest["recipe"]).readout
    kept = FrozenStates(data, readout, folder, size=6)
    kept.put(np.flatnonzero(data.rows.metric >= 0), torch.from_numpy(states[data.rows.metric >= 0]))
    return folder


def tabled(folder: Path, frozen: Path) -> Table:
    out = folder / "objectives.json"
    importlib.import_module("objectives").main([str(folder / "prepared"), str(frozen), "--out", str(out)])
    record = BenchmarkRecord.model_validate_json(out.read_bytes())
    assert str(folder) not in record.command
    (table,) = record.tables
    return table


def test_every_objective_finds_what_the_states_show(data: Prepared, tmp_path: Path) -> None:
    table = tabled(tmp_path, keep_states(data, tmp_path / "frozen", informed=True))
    found = {line[0]: line[1] for line in table.rows}
    assert next(iter(found)) == "pairs"
    assert len(found) == 7
    assert min(found.values()) > 0.9
    assert table.told == f"{3 * 48} rows in 48 groups."  # four of five folds


def test_no_objective_finds_what_is_not_there(data: Prepared, tmp_path: Path) -> None:
    table = tabled(tmp_path, keep_states(data, tmp_path / "frozen", informed=False))
    for name, _, low, *_ in table.rows:
        assert low < 0.5, name


def test_wrong_input_is_said(data: Prepared, tmp_path: Path) -> None:
    main = importlib.import_module("objectives").main
    with pytest.raises(CheckpointError, match="holds no states of a run"):
        main([str(tmp_path / "prepared"), str(tmp_path / "nowhere")])
    frozen = keep_states(data, tmp_path / "frozen", informed=True)
    with pytest.raises(CheckpointError, match=r"has no such metric.*tears"):
        main([str(tmp_path / "prepared"), str(frozen), "--metrics", "tears"])


def test_numbers_are_written_as_one_would_and_expected_as_they_are_written(data: Prepared) -> None:
    module = importlib.import_module("objectives")
    assert module.written(torch.tensor([0.0137, 0.2504, 1.0]), rates=True).tolist() == [
        [0, 1, 3, 7], [2, 5, 0, 4], [9, 9, 9, 9]
    ]  # fmt: skip
    assert module.written(torch.tensor([7.4, 50.0, 100.0]), rates=False).tolist() == [[0, 7], [5, 0], [9, 9]]
    numbers = module.written(torch.tensor([0.0137, 0.2504]), rates=True)
    sure = torch.zeros(2, 310)
    for row, number in enumerate(numbers.tolist()):
        sure[row, number[0]] = 50.0
        for place, (before, digit) in enumerate(itertools.pairwise(number)):
            sure[row, 10 + 100 * place + 10 * before + digit] = 50.0
    assert module.expected_number(sure).tolist() == pytest.approx([0.137, 2.504])
    assert module.expected_number(torch.zeros(1, 310)).tolist() == pytest.approx([4.9995])
