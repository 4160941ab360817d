"""Benchmarks run, and docs pages are a pure function of what they wrote."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from lcbm_model.errors import TableError
from lcbm_model.evaluation.benchmark_pages import benchmark_files
from lcbm_model.evaluation.benchmark_record import BenchmarkRecord, Table, cell
from lcbm_model.evaluation.performance import Record
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
    assert [size.candidates for size in run.scaling] == [8, 16]
    for size in run.scaling:
        own = size.candidates * run.first_case.own_tokens
        assert size.prefix_tokens < size.tokens < size.prefix_tokens + 1.5 * own
        assert 0 < size.limit_seconds < size.seconds
    text = benchmark_files(out.parent)["performance.md"]
    assert text == benchmark_files(out.parent)["performance.md"]
    assert "shared prefix tree" in text
    assert f"{run.scaling[1].tokens:,}" in text


def test_vllm_stands_beside_with_its_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    against = importlib.import_module("against_vllm")
    seconds = {"local first": 2.0, "vllm first": 3.0, "local next": 2.0, "vllm next": 1.0}
    page = against.record(
        [against.Case(32, 400, seconds, 1e-5)], "A model.", {"processors": 2}, {"vllm": "0"}
    ).markdown()
    assert "| 32 | 400 | 2 | 3 | 1.5 | 2 | 1 | 0.5 | 1.0e-05 |" in page


def test_no_record_no_table(tmp_path: Path) -> None:
    assert benchmark_files(tmp_path) == {}
    (tmp_path / "bad.json").write_text("{}", "utf-8")
    with pytest.raises(TableError, match="no benchmark record"):
        benchmark_files(tmp_path)


def test_records_of_one_page_stand_on_it_together(tmp_path: Path) -> None:
    for name in ("first", "second"):
        BenchmarkRecord(
            page="two-of-them",
            title=f"The {name}",
            command=f"python benchmarks/{name}.py",
            measured="2030-01-02",
            machine={"processor": "a | b", "processors": 2},
            versions={"Python": "3.11"},
            told=("One sentence.",),
            tables=(Table(title="Rates", columns=("way", "a second"), rows=(("plain | odd", 1234.5), ("none", None))),),
        ).save(tmp_path / f"{name}.json")
    pages = benchmark_files(tmp_path)
    assert list(pages) == ["two-of-them.md"]
    text = pages["two-of-them.md"]
    assert text.startswith("# Two of them\n")
    assert text.index("## The first") < text.index("## The second")
    assert text.count("| plain \\| odd | 1,234 |\n| none | – |") == 2


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), ("x", "x"), (12345, "12,345"), (0.0, "0"), (0.12345, "0.123"), (99.96, "100"), (123.4, "123"),
     (12345.6, "12,346"), (-0.00001, "-1.0e-05"), (7.0, "7")],
)  # fmt: skip
def test_a_number_is_shown_to_three_figures(value: str | float | None, shown: str) -> None:
    assert cell(value) == shown


def test_the_score_cache_benchmark_writes_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    out = tmp_path / "score_cache.json"
    importlib.import_module("score_cache").main(["--quick", "--out", str(out)])
    record = BenchmarkRecord.model_validate_json(out.read_bytes())
    assert record.page == "performance"
    assert [row[0] for row in record.tables[0].rows] == [32, 256, 1024, 2000]
    assert benchmark_files(tmp_path)["performance.md"].count("|---") == 5
