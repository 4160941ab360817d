"""Scores are asked once, and never read back for anything else."""

from __future__ import annotations

from pathlib import Path

from lcbm_model.content import Content, Media
from lcbm_model.simulator.base import Context, Known
from optimizer.loop.scoring import ScoreCache, Scorer
from tests.fakes import FakeSimulator

PLAIN = Context()


def _scorer(path: Path, name: str = "fake", metric: str = "click_rate") -> tuple[Scorer, FakeSimulator]:
    simulator = FakeSimulator(name=name)
    return Scorer(simulator, metric, ScoreCache(path)), simulator


def test_a_score_is_asked_once_even_by_another_process(tmp_path: Path) -> None:
    contents = [Content(text="one"), Content(text="two words")]
    first, simulator = _scorer(tmp_path / "s.sqlite")
    answers = first.predict(contents, PLAIN)
    assert simulator.calls == 2
    second, other = _scorer(tmp_path / "s.sqlite")
    assert second.predict(contents[::-1], PLAIN) == answers[::-1]
    assert other.calls == 0


def test_another_model_metric_context_or_picture_is_another_score(tmp_path: Path) -> None:
    path, content = tmp_path / "s.sqlite", Content(text="one")
    picture = tmp_path / "p.png"
    picture.write_bytes(b"a")
    pictured = content.model_copy(update={"media": (Media(path=picture),)})
    _scorer(path)[0].predict([content, pictured], PLAIN)
    for name, metric in (("other", "click_rate"), ("fake", "shares")):
        scorer, simulator = _scorer(path, name, metric)
        scorer.predict([content], PLAIN)
        assert simulator.calls == 1
    scorer, simulator = _scorer(path)
    scorer.predict([content], Context(examples=(Known(text="x", percentile=9),)))
    assert simulator.calls == 1
    picture.write_bytes(b"b")
    scorer.predict([pictured], PLAIN)
    assert simulator.calls == 2


def test_failures_are_not_kept(tmp_path: Path) -> None:
    scorer, simulator = _scorer(tmp_path / "s.sqlite")
    for _ in range(2):
        assert not scorer.predict([Content(text="broken")], PLAIN)[0].ok
    assert simulator.calls == 2


def test_comparisons_cost_no_call(tmp_path: Path) -> None:
    scorer, simulator = _scorer(tmp_path / "s.sqlite")
    long, short = scorer.predict([Content(text="x" * 60), Content(text="x" * 50)], PLAIN)
    win = scorer.win(long, short, channel="post")
    assert win > 0.5
    assert simulator.calls == 2
    assert abs(scorer.win(short, long, channel="post") - (1 - win)) < 1e-9


def test_a_whole_run_asks_nothing_twice_and_the_judge_once(tmp_path: Path) -> None:
    from tests.optimizer.parts import FakeLibrary, bakery, run

    class Watching(FakeSimulator):
        def __init__(self, name: str) -> None:
            super().__init__(name=name)
            self.asked: list[tuple[str, str]] = []
            self.batches = 0

        def predict(self, contents, metric, context=None):  # type: ignore[no-untyped-def]
            self.batches += 1
            self.asked += [(content.content_hash(), str(metric)) for content in contents]
            return super().predict(contents, metric, context)

    simulator, judge = Watching("proxy"), Watching("judge")
    brief = bakery(budget={"rounds": 4, "candidates": 8, "patience": 9}, objectives=({"metric": "shares"},))
    result = run(tmp_path, brief, simulator=simulator, judge=judge, library=FakeLibrary())
    assert len(result.rounds) == 4
    assert len(simulator.asked) == len(set(simulator.asked)) == result.simulator_calls
    assert simulator.batches <= 3 * 5  # metric, objective and the leading draft's parts: the original, and each round
    assert judge.batches == 1
    assert len(judge.asked) == 2
