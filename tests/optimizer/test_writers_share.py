"""Drafts follow gains, every writer stays in the game, and writers that bring nothing end the run with a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.writers.base import Draft, WriterResult, WriterUsage, WritingTask
from lcbm_model.errors import SettingsError
from optimizer.loop.yields import after_round, gains_of
from tests.fakes import FakeSimulator, FakeWriter
from tests.optimizer.parts import Baker, bakery, run


class Dull(Baker):
    """Writes new texts that are all worth little."""

    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        drafts = tuple(Draft(text=f"Bread {chr(97 + i)}{chr(97 + seed % 26)}", writer=self.name) for i in range(n))
        return WriterResult(drafts=drafts, usage=WriterUsage(calls=1))


def test_drafts_follow_gains_and_nobody_is_left_out(tmp_path: Path) -> None:
    brief = bakery(budget={"rounds": 5, "candidates": 8, "patience": 9})
    result = run(tmp_path, brief, writers=[Dull("dull"), Baker("baker")])
    assert result.rounds[0].asked == {"dull": 4, "baker": 4}
    late = [r.asked for r in result.rounds[1:]]
    assert sum(r["baker"] for r in late) > 2 * sum(r["dull"] for r in late)
    assert all(r["dull"] >= 1 and r["baker"] + r["dull"] == 8 for r in late)
    best, worst = result.writers
    assert (best.writer, worst.writer) == ("baker", "dull")
    assert best.asked + worst.asked == 40
    assert abs(best.share + worst.share - 1) < 1e-9
    assert best.best_gain is not None
    assert best.best_gain > 0
    assert worst.mean_gain < best.mean_gain
    assert best.drafts == sum(c.writer == "baker" for c in result.candidates)


def test_the_shares_depend_on_the_seed_alone(tmp_path: Path) -> None:
    brief = bakery(budget={"rounds": 4, "candidates": 6, "patience": 9})

    def shares(store: str, seed: int) -> list[dict[str, int]]:
        return [r.asked for r in run(tmp_path / store, brief, writers=[Dull("d"), Baker("b")], seed=seed).rounds]

    assert shares("a", 3) == shares("b", 3)
    assert any(shares(f"s{seed}", seed) != shares("a", 3) for seed in range(4, 10))


def test_a_writer_that_says_the_same_for_ever_ends_the_run(tmp_path: Path) -> None:
    brief = bakery(budget={"rounds": 20, "patience": 3})
    result = run(tmp_path, brief, writers=[FakeWriter(texts=["Rye bread at dawn"])])
    assert len(result.rounds) == 4
    assert result.stop_reason == "no reliable gain for 3 rounds: the writers had nothing new"
    assert result.status == "finished"
    assert result.writers[0].drafts == 1


def test_a_writer_of_nothing_ends_the_run(tmp_path: Path) -> None:
    class Silent(FakeWriter):
        def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
            return WriterResult(drafts=(), usage=WriterUsage(calls=1))

    result = run(tmp_path, bakery(budget={"rounds": 9}), writers=[Silent("silent")])
    assert (result.best_id, len(result.rounds)) == ("original", 2)
    assert "nothing new" in result.stop_reason


def test_a_writer_that_repeats_itself_loses_its_share_to_one_that_does_not(tmp_path: Path) -> None:
    brief = bakery(budget={"rounds": 5, "candidates": 8, "patience": 9})
    result = run(tmp_path, brief, writers=[FakeWriter("parrot", texts=["Rye bread now"]), Baker("baker")])
    lines = {line.writer: line for line in result.writers}
    assert lines["baker"].drafts > 4 * lines["parrot"].drafts
    # What the parrot left open went to the baker in the same round.
    assert all(r.drafted >= 6 for r in result.rounds)


def test_only_rejects_end_the_run_with_the_original(tmp_path: Path) -> None:
    brief = bakery(banned_words=("cheap",), budget={"rounds": 9, "patience": 2})
    refused = [FakeWriter(texts=[f"Cheap bread {chr(97 + i)}" for i in range(40)])]

    class Cheap(FakeWriter):
        def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
            texts = [f"Cheap bread {chr(97 + task.round)}{chr(97 + i)}" for i in range(n)]
            drafts = tuple(Draft(text=text, writer=self.name) for text in texts)
            return WriterResult(drafts=drafts, usage=WriterUsage(calls=1))

    result = run(tmp_path / "b", brief, writers=[Cheap("cheap")])
    assert result.best_id == "original"
    assert result.stop_reason == "no reliable gain for 2 rounds: every draft was rejected"
    assert result.writers[0].rejected == 8
    assert result.simulator_calls == 1
    assert run(tmp_path / "c", brief, writers=refused).best_id == "original"


def test_gains_are_counted_over_the_best_before_the_round() -> None:
    simulator, brief = FakeSimulator(), bakery()

    def made(id_: str, length: int, writer: str):  # type: ignore[no-untyped-def]
        from optimizer.result import Candidate

        prediction = simulator.predict([brief.content("x" * length)], "click_rate")[0]
        return Candidate(id=id_, text="x" * length, round=1, writer=writer, prediction=prediction)

    before = made("original", 40, "human")
    fresh = [made("r1-01", 60, "a"), made("r1-02", 30, "a"), made("r1-03", 50, "b")]
    found = after_round({}, fresh, before, {"a": 3, "b": 2}, brief)
    gains = gains_of(found, ["a", "b", "new"])
    assert (gains["a"].n, gains["b"].n, gains["new"].n) == (3, 2, 0)
    assert abs(gains["a"].total - 20) < 1
    assert abs(gains["b"].total - 10) < 1
    assert found["a"]["best"] > found["b"]["best"]


def test_two_writers_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="several have one name"):
        run(tmp_path, writers=[Baker("same"), Baker("same")])
    with pytest.raises(SettingsError, match="kept for people"):
        run(tmp_path, writers=[Baker("human")])
    assert list(tmp_path.iterdir()) == []
