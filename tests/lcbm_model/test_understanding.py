"""Understanding before and after tuning: the label is learned from either, and the difference has its interval."""

from __future__ import annotations

import importlib
from pathlib import Path

import polars as pl
import pytest

from lcbm_model.errors import CheckpointError, TableError
from lcbm_model.evaluation.benchmark_record import BenchmarkRecord

ROOT = Path(__file__).resolve().parents[2]
THINGS = (
    "kettles",
    "bridges",
    "gardens",
    "tunnels",
    "bakeries",
    "libraries",
    "ferries",
    "markets",
    "orchards",
    "canals",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    rows = []
    for split in ("train", "test"):
        for number, thing in enumerate(THINGS, start=11 if split == "train" else 31):
            rows.append({"headline": f"{number} {thing} you will not believe are real", "clickbait": 1, "split": split})
            rows.append({"headline": f"Council opens {thing} after {number} years", "clickbait": 0, "split": split})
    pl.DataFrame(rows).write_parquet(tmp_path / "clickbait.parquet")
    return tmp_path


def test_both_parts_are_compared_with_what_they_were(folder: Path) -> None:
    out = folder / "understanding.json"
    importlib.import_module("understanding").main(["--data", str(folder), "--out", str(out)])
    record = BenchmarkRecord.model_validate_json(out.read_bytes())
    assert str(folder) not in record.command
    assert [table.title for table in record.tables] == ["Text encoder", "Last block of the language model"]
    for table in record.tables:
        assert [line[:2] for line in table.rows] == [
            (count, name) for count in (30, 100, 1000) for name in ("before tuning", "lcbm-smol")
        ]
        for _, name, accuracy, low, high, difference, *_ in table.rows:
            assert 0.8 < accuracy <= 1
            assert low <= accuracy <= high
            assert (difference is None) == (name == "before tuning")


def test_wrong_input_is_said(folder: Path) -> None:
    main = importlib.import_module("understanding").main
    with pytest.raises(CheckpointError, match="has no text encoder"):
        main(["--data", str(folder), "--checkpoints", "embedded-untuned"])
    pl.read_parquet(folder / "clickbait.parquet").with_columns(clickbait=pl.lit(1)).write_parquet(
        folder / "clickbait.parquet"
    )
    with pytest.raises(TableError, match="too few headlines of each kind"):
        main(["--data", str(folder)])
