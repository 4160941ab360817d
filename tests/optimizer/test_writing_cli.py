"""`lcbm evaluate writing` as scripts and people call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import lcbm_model.simulator
from lcbm_model.evaluation.tables import generate
from optimizer.cli import run
from tests.fakes import FakeSimulator
from tests.lcbm_model import evaluation_data as invented


@pytest.fixture(autouse=True)
def _models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(lcbm_model.simulator, "load_simulator", lambda name: FakeSimulator(name=name))
    monkeypatch.setattr("optimizer.writing.runner.CachedEmbedder", invented.BagEmbedder)


def test_it_prints_the_benchs_object_and_records_what_tables_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, recorded = invented.upworthy(tmp_path, tests=24), tmp_path / "results" / "writing.json"
    command = ["evaluate", "writing", "--data", str(file), "--split", "test", "--writers", "edits", "--limit", "3"]
    assert run([*command, "--judge", "a/b", "--out", str(recorded), "--json"]) == 0
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert said.err == ""
    assert (answer["suite"], answer["model"], answer["groups"]) == ("writing-upworthy-judged-by-a-b", "edits", 3)
    assert set(answer["baselines"]) == {"draft", "another_arm", "best_arm", "best_arm_significant"}
    assert answer["baselines"]["draft"]["share_preferred"] == 0.5
    files = generate(recorded.parent)
    page = files["results.md"]
    assert "## writing-upworthy-judged-by-a-b, test split, 12 rows in 3 groups" in page
    assert "| model | `share_preferred` | `mean_gain` | `n_texts` | `passes_guard` | `facts_kept` |" in page
    assert "| model | `distinct_1` |" in page
    assert "perplexity_winners" not in page, "nobody wrote with a model"
    assert page.count("| draft | ") == 2
    assert page.count("| draft | 0.500 [0.500, 0.500] | 0.000 [0.000, 0.000] | 3 |") == 1
    assert "share_preferred" in files["figures/results-writing-upworthy-judged-by-a-b-test-12.svg"]


def test_people_get_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = invented.upworthy(tmp_path, tests=24)
    assert run(["evaluate", "writing", "--data", str(file), "--writers", "edits", "--rewrites", "1"]) == 0
    said = capsys.readouterr()
    assert "writing-upworthy-judged-by-lcbm-smol-b, test" in " ".join(said.out.split())
    assert "up to 1 rewrites a draft" in said.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--writers", "buzz"], "unknown writer"),
        (["--controls"], "--controls"),
        (["--baselines", "all"], "--baselines all"),
        (["--limit", "0"], "--limit"),
        (["--rewrites", "0"], "--rewrites"),
        (["--split", "winter", "--writers", "edits"], "no such split"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    tmp_path: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = invented.upworthy(tmp_path, tests=6)
    assert run(["evaluate", "writing", "--data", str(file), *arguments, "--json"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert told in json.loads(said.err)["error"]
