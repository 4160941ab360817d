"""`lcbm evaluate` and `lcbm results tables` as scripts call them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from optimizer.cli import run
from tests.lcbm_model import evaluation_data as invented

CONTRACT = {"suite", "n", "model", "seconds", "metrics", "intervals", "baselines"}


def test_evaluate_prints_the_contracts_object_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, recorded = invented.upworthy(tmp_path), tmp_path / "results" / "upworthy.json"
    command = ["evaluate", "upworthy", "--data", str(file), "--split", "test", "--model", "text_length"]
    assert run([*command, "--baselines", "none", "--out", str(recorded), "--json"]) == 0
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert set(answer) >= CONTRACT
    assert answer["suite"] == "upworthy"
    assert answer["n"] > 0
    assert set(answer["intervals"]) == set(answer["metrics"])
    assert isinstance(answer["metrics"]["n_significant"], int)
    assert said.err == ""
    assert json.loads(recorded.read_text()) == answer
    assert answer["asked"] == {"limit": None, "pictures": False}


def test_evaluate_prints_a_table_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = invented.reddit(tmp_path)
    assert run(["evaluate", "reddit", "--data", str(file), "--model", "chance", "--baselines", "none"]) == 0
    said = capsys.readouterr().out
    assert "reddit, test: 90 rows, 3 groups" in said
    assert "chance" in said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["buzzfeed", "--data", "x.parquet"], "unknown suite"),
        (["upworthy", "--data", "missing.parquet"], "no such file"),
        (["upworthy", "--data", "x.parquet", "--limit", "0"], "--limit"),
        (["upworthy", "--data", "x.parquet", "--baselines", "some"], "--baselines"),
        (["upworthy"], "--data"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", *arguments, "--model", "chance", "--json"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert told in json.loads(said.err)["error"]


def test_out_must_be_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = invented.reddit(tmp_path)
    assert run(["evaluate", "reddit", "--data", str(file), "--model", "chance", "--out", str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err


def test_tables_are_written_once_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, recorded, docs = invented.reddit(tmp_path), tmp_path / "results", tmp_path / "docs"
    evaluate = ["evaluate", "reddit", "--data", str(file), "--model", "chance", "--baselines", "none"]
    assert run([*evaluate, "--out", str(recorded / "chance.json"), "--json"]) == 0
    capsys.readouterr()
    tables = ["results", "tables", "--results", str(recorded), "--docs", str(docs), "--json"]
    assert run([*tables, "--check"]) == 1
    assert not docs.exists()
    assert json.loads(capsys.readouterr().out)["different"] == ["figures/results-reddit-test-90.svg", "results.md"]
    assert run(tables) == 0
    assert json.loads(capsys.readouterr().out)["written"] == ["figures/results-reddit-test-90.svg", "results.md"]
    assert run([*tables, "--check"]) == 0
    (docs / "results.md").write_text("another page")
    assert run([*tables, "--check"]) == 1
