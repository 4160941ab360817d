"""Runs by name: listed, opened, set side by side, by Python and by the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from lcbm_model.content import Content
from lcbm_model.errors import SettingsError
from lcbm_model.prediction import Prediction, win_probabilities
from lcbm_model.simulator.calibration import compare_predictions
from optimizer.campaigns import compare_runs, list_campaigns, open_run
from optimizer.cli import run
from tests.fakes import FakeSimulator, FakeWriter
from tests.optimizer.campaign_runs import TEXTS, write_run
from tests.optimizer.parts import bakery
from tests.optimizer.parts import run as optimized


def test_runs_come_latest_first_and_by_name(tmp_path: Path) -> None:
    write_run(tmp_path, "a-1", minutes=0)
    write_run(tmp_path, "b-1", name="Autumn", minutes=9, status="stopped")
    write_run(tmp_path, "c-1", minutes=4, status=None)
    found, problems = list_campaigns(tmp_path)
    assert [c.run_id for c in found] == ["b-1", "c-1", "a-1"]
    assert [c.status for c in found] == ["stopped", "unfinished", "finished"]
    assert [c.resumable for c in found] == [True, True, False]
    assert problems == []
    first = found[-1]
    assert first.best_text == TEXTS[2]
    assert first.gain is not None
    assert first.gain > 0
    assert (first.judge_gain, first.reliable, first.candidates) == (12.0, True, 4)
    assert [c.run_id for c in list_campaigns(tmp_path, name="aUTumn")[0]] == ["b-1"]
    assert [c.run_id for c in list_campaigns(tmp_path, limit=1)[0]] == ["b-1"]
    assert list_campaigns(tmp_path / "nowhere") == ([], [])


def test_a_damaged_run_is_told_and_the_others_are_listed(tmp_path: Path) -> None:
    write_run(tmp_path, "good")
    write_run(tmp_path, "bad")
    (tmp_path / "bad" / "result.json").write_text("{")
    (tmp_path / "worse").mkdir()
    (tmp_path / "worse" / "run.json").write_bytes(b"\xff\xfe")
    (tmp_path / "odd name!").mkdir()
    (tmp_path / "odd name!" / "run.json").write_text("{}")
    found, problems = list_campaigns(tmp_path)
    assert [c.run_id for c in found] == ["good"]
    assert len(problems) == 3
    with pytest.raises(SettingsError, match="cannot be read"):
        open_run("bad", tmp_path)


def test_two_runs_are_compared_where_they_can_be(tmp_path: Path) -> None:
    long = write_run(tmp_path, "long")
    short = write_run(tmp_path, "short", texts=("Pan",))
    other = write_run(tmp_path, "other", channel="headline")
    goal = write_run(tmp_path, "goal", metric="shares")
    model = write_run(tmp_path, "model", simulator=FakeSimulator(name="another"))
    assert long
    assert short
    assert other
    assert goal
    assert model
    pair = compare_runs(long, short)
    assert pair.chance is not None
    assert pair.chance > 0.9
    swapped = compare_runs(short, long).chance
    assert swapped is not None
    assert swapped + pair.chance == pytest.approx(1)
    assert "channels" in compare_runs(long, other).why_not
    assert "goals" in compare_runs(long, goal).why_not
    assert "different models" in compare_runs(long, model).why_not
    assert compare_runs(long, model).chance is None


def test_two_runs_are_compared_as_their_simulator_would_compare_them(tmp_path: Path) -> None:
    class Useful(FakeSimulator):
        """States utilities, each unit of which is worth three in log-odds: far more than its bins tell."""

        def _one(self, content: Content, metric: str) -> Prediction:
            return super()._one(content, metric).model_copy(update={"utility": len(content.text) / 100})

        def win_chances(self, predictions: Sequence[Prediction], *, channel: str = "") -> list[float]:
            return compare_predictions(predictions, temperature=1 / 3)

    simulator, texts = Useful(spread=60.0), ("We bake rye bread " * 3, "We bake rye")
    long, short = (
        optimized(tmp_path / f"{i}", bakery(draft=text), simulator=simulator, writers=[FakeWriter(texts=[text])])
        for i, text in enumerate(texts)
    )
    bests = [run.best.prediction for run in (long, short) if run.best]
    chance = compare_runs(long, short).chance
    assert chance == pytest.approx(simulator.win_chances([p for p in bests if p])[0])
    assert long.utility_worth == pytest.approx(3)
    older = [run.model_copy(update={"utility_worth": None}) for run in (long, short)]
    assert compare_runs(*older).chance == pytest.approx(win_probabilities([p.bins for p in bests if p])[0])


def test_a_store_that_is_a_file_is_refused_and_one_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "runs.txt"
    file.write_text("no runs", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"runs\.txt: is no folder of runs"):
        list_campaigns(file)
    assert run(["campaign", "list", "--store", str(file)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "is no folder of runs" in told.err
    assert run(["campaign", "list", "--store", str(tmp_path / "nowhere")]) == 0
    assert f"no runs here yet ({tmp_path / 'nowhere'})" in capsys.readouterr().out


def test_the_command_line_lists_shows_and_compares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LCBM_RUNS", str(tmp_path))
    assert run(["campaign", "list"]) == 0
    assert f"no runs here yet ({tmp_path})" in capsys.readouterr().out
    write_run(tmp_path, "a-1")
    write_run(tmp_path, "b-1", minutes=2, texts=("Pan",))
    write_run(tmp_path, "c-1", minutes=3, status=None)
    assert run(["campaign", "list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [r["run_id"] for r in told["runs"]] == ["c-1", "b-1", "a-1"]
    assert run(["campaign", "list", "--name", "autumn"]) == 0
    assert f"no run here whose name or id holds 'autumn' ({tmp_path})" in capsys.readouterr().out
    assert told["runs"][0]["resumable"] is True
    assert run(["campaign", "list"]) == 0
    assert "Kupferhain spring" in capsys.readouterr().out
    assert run(["campaign", "show", "a-1"]) == 0
    assert TEXTS[2] in capsys.readouterr().out
    assert run(["campaign", "show", "a-1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["run_id"] == "a-1"
    assert run(["campaign", "compare", "a-1", "b-1"]) == 0
    assert "does better:" in capsys.readouterr().out
    assert run(["campaign", "compare", "a-1", "b-1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["chance_of_first"] > 0.5


def test_the_command_line_names_what_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LCBM_RUNS", str(tmp_path))
    write_run(tmp_path, "c-1", status=None)
    assert run(["campaign", "show", "c-1"]) == 2
    assert "has no result yet" in capsys.readouterr().err
    assert run(["campaign", "show", "nowhere"]) == 2
    assert "c-1" in capsys.readouterr().err
    assert run(["campaign", "resume", "nowhere"]) == 2
    assert "no such run" in capsys.readouterr().err
