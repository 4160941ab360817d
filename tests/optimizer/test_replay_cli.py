"""`lcbm evaluate replay` as scripts and people call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import lcbm_model.simulator
from lcbm_model.evaluation.tables import generate
from lcbm_model.simulator import EnsembleSimulator
from lcbm_model.simulator.base import Simulator
from optimizer.cli import run
from tests.fakes import FakeSimulator
from tests.lcbm_model import evaluation_data as invented


def fake(name: str) -> Simulator:
    if "+" in name:
        return EnsembleSimulator([FakeSimulator(name=part) for part in name.split("+")])
    return FakeSimulator(name=name)


@pytest.fixture(autouse=True)
def _models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lcbm_model.simulator, "load_simulator", fake)


def test_it_prints_the_benchs_object_and_records_what_tables_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, recorded = invented.upworthy(tmp_path, tests=12), tmp_path / "results" / "replay.json"
    command = ["evaluate", "replay", "--data", str(file), "--split", "test", "--model", "a+b", "--baselines", "none"]
    assert run([*command, "--out", str(recorded), "--json"]) == 0
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert said.err == ""
    assert (answer["suite"], answer["model"]) == ("replay-upworthy", "a+b")
    assert answer["metrics"]["lift_over_mean"] > 1
    assert set(answer["baselines"]) == {"best_of_n_by_mean", "random_arm", "best_arm_possible"}
    page = generate(recorded.parent)["results.md"]
    assert "## replay-upworthy, test split" in page
    assert "| the loop, a + b (ensemble, tuned, uncalibrated) |" in page
    assert "| best_of_n_by_mean, a + b |" in page


def test_people_get_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = invented.caption_contest(tmp_path, contests=7, captions=20)
    command = ["evaluate", "replay", "--suite", "caption-contest", "--data", str(file), "--baselines", "none"]
    assert run([*command, "--per-round", "8", "--seed", "3"]) == 0
    said = capsys.readouterr()
    assert "replay-caption-contest, test: 32 rows, 2 groups" in said.out
    assert "deck of sixteen captions" in said.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--suite", "reddit"], "no arms"),
        (["--controls"], "--controls"),
        (["--baselines", "all"], "--baselines all"),
        (["--per-round", "0"], "--per-round"),
        (["--split", "winter"], "no such split"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    tmp_path: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = invented.upworthy(tmp_path, tests=6)
    assert run(["evaluate", "replay", "--data", str(file), *arguments, "--json"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert told in json.loads(said.err)["error"]
