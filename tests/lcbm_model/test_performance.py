"""The scoring benchmark runs, and its table is a pure function of what it wrote."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from lcbm_model.errors import TableError
from lcbm_model.evaluation.performance import Record, performance_files
from tests.lcbm_model.tiny_model import write_tiny_model

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_the_benchmark_runs_and_its_record_becomes_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    model, out = write_tiny_model(tmp_path / "model"), tmp_path / "results" / "scoring.json"
    arguments = ["--model", str(model), "--device", "cpu", "--dtype", "float32", "--quick", "--skip-cold"]
    importlib.import_module("scoring").main([*arguments, "--repeats", "1", "--out", str(out)])
    record = Record.model_validate_json(out.read_bytes())
    (run,) = record.runs
    ways = {way.name: way for way in run.first_case.ways}
    assert ways["one-by-one forward"].times_one_by_one == 1
    for name in ("shared prefix tree", "one padded batch"):
        assert ways[name].difference is not None
        assert ways[name].difference < 1e-4
    assert [cell.candidates for cell in run.scaling] == [8, 16]
    for cell in run.scaling:
        own = cell.candidates * run.first_case.own_tokens
        assert cell.prefix_tokens < cell.tokens < cell.prefix_tokens + 1.5 * own
        assert 0 < cell.limit_seconds < cell.seconds
    text = performance_files(out.parent)["performance.md"]
    assert text == performance_files(out.parent)["performance.md"]
    assert "shared prefix tree" in text
    assert f"{run.scaling[1].tokens:,}" in text


def test_no_record_no_table(tmp_path: Path) -> None:
    assert performance_files(tmp_path) == {}
    (tmp_path / "bad.json").write_text("{}", "utf-8")
    with pytest.raises(TableError, match="no benchmark record"):
        performance_files(tmp_path)
