"""`lcbm cache` and `--no-cache`: scores outlive a command, in a folder of the test's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lcbm_model.simulator
from optimizer import score
from tests.fakes import FakeSimulator
from tests.optimizer.calls import BRIEF, Lcbm, answer


@pytest.fixture
def folder(lcbm: Lcbm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LCBM_SCORE_CACHE", str(tmp_path / "kept"))
    return tmp_path / "kept"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "t.csv"
    path.write_text("text\nRye bread\nbroken oven\nWarm rolls\nRye bread\n")
    return path


def stats(lcbm: Lcbm) -> dict[str, Any]:
    found: dict[str, Any] = answer(lcbm("cache", "stats", "--json"))
    return found


def test_a_second_command_reads_what_the_first_has_made(lcbm: Lcbm, folder: Path, table: Path) -> None:
    before = stats(lcbm)
    assert (before["on"], before["entries"], folder.exists()) == (True, 0, False)
    first = answer(lcbm("score", table, "--metric", "shares", "--json"))
    made = stats(lcbm)
    assert (made["entries"], made["hits"], made["misses"]) == (2, 0, 3)  # the failure is made and not kept
    assert answer(lcbm("score", table, "--metric", "shares", "--json")) == first
    lcbm("compare", "Rye bread", "Warm rolls", "--metric", "shares")
    read = stats(lcbm)
    assert read["entries"] == 2
    assert read["path"] == str(folder / "scores.sqlite")
    assert 0 < read["bytes"] < read["max_bytes"]
    assert [c["checkpoint_hash"] for c in read["checkpoints"]] == [
        FakeSimulator(name="embedded").identity.checkpoint_hash
    ]


@pytest.mark.parametrize("command", ["score", "compare", "optimize"])
def test_no_cache_neither_reads_nor_writes(lcbm: Lcbm, folder: Path, table: Path, tmp_path: Path, command: str) -> None:
    brief = tmp_path / "brief.yaml"
    brief.write_text(BRIEF)
    arguments = {
        "score": [table, "--metric", "shares"],
        "compare": ["a", "b", "--metric", "shares"],
        "optimize": [brief],
    }[command]
    answer(lcbm(command, *arguments, "--no-cache", "--json"))
    assert not folder.exists()
    answer(lcbm(command, *arguments, "--json"))  # the switch is over with its command
    assert stats(lcbm)["entries"] > 0


def test_a_second_run_of_the_loop_costs_no_scoring(
    lcbm: Lcbm, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brief = tmp_path / "brief.yaml"
    brief.write_text(BRIEF)
    made: list[FakeSimulator] = []

    def load(name: str) -> FakeSimulator:
        made.append(FakeSimulator(name=name, spread=20))
        return made[-1]

    monkeypatch.setattr(lcbm_model.simulator, "load_simulator", load)
    runs = [answer(lcbm("optimize", brief, "--seed", "5", "--json")) for _ in range(2)]
    assert runs[0]["candidates"] == runs[1]["candidates"]
    assert made[0].calls > 0
    assert made[1].calls == 0


def test_an_object_is_taken_as_it_is(folder: Path) -> None:
    assert score(["Rye bread"], "shares", simulator=FakeSimulator())[0].ok
    assert not folder.exists()


def test_stats_for_people_and_clear(lcbm: Lcbm, folder: Path, table: Path) -> None:
    lcbm("score", table, "--metric", "shares")
    told = lcbm("cache", "stats")
    assert told.stdout.startswith("2 scores, ")
    assert "embedded (fake, untuned, uncalibrated)" in told.stdout
    assert answer(lcbm("cache", "clear", "--json")) == {"path": str(folder / "scores.sqlite"), "dropped": 2}
    assert lcbm("cache", "clear").stdout.startswith("Dropped 0 scores from ")
    assert lcbm("cache", "stats").stdout.startswith("0 scores, ")


def test_a_cache_that_is_off_says_so(lcbm: Lcbm, monkeypatch: pytest.MonkeyPatch, table: Path) -> None:
    monkeypatch.setenv("LCBM_SCORE_CACHE", "off")
    answer(lcbm("score", table, "--metric", "shares", "--json"))
    assert stats(lcbm)["on"] is False
    assert "is off" in lcbm("cache", "stats").stdout
    assert answer(lcbm("cache", "clear", "--json")) == {"path": None, "dropped": 0}


def test_bad_settings_end_with_one_line(lcbm: Lcbm, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    (folder / "scores.sqlite").mkdir()
    done = lcbm("cache", "clear")
    assert done.returncode == 2
    assert "cannot be emptied" in done.stderr
    monkeypatch.setenv("LCBM_SCORE_CACHE_MB", "many")
    done = lcbm("compare", "a", "b", "--metric", "shares")
    assert done.returncode == 2
    assert "LCBM_SCORE_CACHE_MB" in done.stderr
