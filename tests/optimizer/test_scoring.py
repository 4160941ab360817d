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
