"""The judge: proxy gain and judge gain side by side, and no claim without an interval that excludes none."""

from __future__ import annotations

from pathlib import Path

import pytest

from lcbm_model.errors import BackendError, SettingsError
from lcbm_model.simulator.ensemble import EnsembleSimulator
from lcbm_model.simulator.score_cache.cached import CachedSimulator
from optimizer.parts import resolve_judge
from tests.fakes import FakeSimulator
from tests.optimizer.parts import Baker, bakery, run


def _judge(**settings):  # type: ignore[no-untyped-def]
    return FakeSimulator(**({"name": "judge"} | settings))


def test_a_judge_that_agrees_confirms(tmp_path: Path) -> None:
    judgement = run(tmp_path, judge=_judge(spread=4)).judge
    assert judgement is not None
    assert judgement.reliable
    assert judgement.verdict.startswith("The judge confirms")
    assert judgement.proxy_gain == pytest.approx(judgement.judge_gain, abs=5)
    assert judgement.simulator.checkpoint == "judge"


def test_a_judge_that_disagrees_is_shown_beside_the_proxy(tmp_path: Path) -> None:
    judgement = run(tmp_path, judge=_judge(score=lambda text: 90.0 - len(text))).judge
    assert judgement is not None
    assert judgement.proxy_gain is not None
    assert judgement.judge_gain is not None
    assert judgement.proxy_gain > 0 > judgement.judge_gain
    assert not judgement.reliable
    assert "No reliable improvement" in judgement.verdict


def test_an_unsure_judge_claims_nothing(tmp_path: Path) -> None:
    judgement = run(tmp_path, judge=_judge(spread=60)).judge
    assert judgement is not None
    assert judgement.win_probability is not None
    assert 0.5 < judgement.win_probability < 0.9
    assert not judgement.reliable
    assert "interval includes none" in judgement.verdict


def test_an_untuned_judge_is_no_evidence(tmp_path: Path) -> None:
    judgement = run(tmp_path, judge=_judge(spread=4, tuned=False)).judge
    assert judgement is not None
    assert not judgement.reliable
    assert "never saw behaviour" in judgement.verdict


def test_no_draft_beat_the_original(tmp_path: Path) -> None:
    judgement = run(tmp_path, bakery(draft="Rye bread " * 12, max_length=400), judge=_judge()).judge
    assert judgement is not None
    assert (judgement.proxy_gain, judgement.judge_gain) == (0.0, 0.0)
    assert judgement.verdict == "No reliable improvement found: no draft reliably beat the original."


def test_without_an_original_there_is_no_verdict(tmp_path: Path) -> None:
    judgement = run(tmp_path, bakery(draft=None), judge=_judge()).judge
    assert judgement is not None
    assert judgement.judge_gain is None
    assert judgement.verdict.startswith("No verdict")


def test_the_judge_is_asked_only_at_the_end(tmp_path: Path) -> None:
    judge = _judge()
    run(tmp_path, judge=judge)
    assert judge.calls == 2  # comparing what was predicted costs nothing


def test_the_loops_own_simulator_cannot_judge(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot judge"):
        run(tmp_path, judge=FakeSimulator())


def test_a_judge_that_holds_the_optimised_model_cannot_judge(tmp_path: Path) -> None:
    optimised, other = FakeSimulator(), FakeSimulator(name="other")
    cached = CachedSimulator(EnsembleSimulator([FakeSimulator(), other]), tmp_path / "scores.sqlite")
    for simulator, judge in ((optimised, cached), (EnsembleSimulator([optimised, other]), other)):
        with pytest.raises(SettingsError, match="cannot judge"):
            resolve_judge(judge, simulator)
    assert resolve_judge(other, optimised) is other
    cached.store.close()


def test_a_judge_that_is_down_leaves_a_warning(tmp_path: Path) -> None:
    class Down(FakeSimulator):
        def predict(self, contents, metric, context=None):  # type: ignore[no-untyped-def]
            raise BackendError("judge: connection refused")

    result = run(tmp_path, judge=Down(name="down"))
    assert result.judge is None
    assert result.status == "finished"
    assert any("connection refused" in w for w in result.warnings)


def test_what_is_no_evidence_is_said(tmp_path: Path) -> None:
    untuned = run(tmp_path, simulator=FakeSimulator(tuned=False), writers=[Baker()])
    assert any("untuned" in w and "no evidence" in w for w in untuned.warnings)
    assert any("No independent judge" in w for w in untuned.warnings)


def test_a_judge_that_never_saw_the_metric_confirms_nothing(tmp_path: Path) -> None:
    judge = _judge(spread=4)
    judge.identity = judge.identity.model_copy(update={"metrics": ("shares",)})
    judgement = run(tmp_path, judge=judge).judge
    assert judgement is not None
    assert not judgement.reliable
    assert "the judge was never tuned on click_rate" in judgement.verdict


def test_a_best_that_the_judge_does_not_confirm_stays_and_is_labelled(tmp_path: Path) -> None:
    from optimizer.report.page import seal

    result = run(tmp_path, judge=_judge(spread=60))
    assert result.improved
    assert result.gain is not None
    assert result.judge_gain is not None
    assert "No reliable improvement" in result.finding
    assert seal(result) == ("open", "not confirmed by the judge")
    summary = result.summary()
    assert (summary["proxy_gain"], summary["judge_gain"], summary["reliable"]) == (
        result.gain,
        result.judge_gain,
        False,
    )


def test_a_metric_the_checkpoint_never_saw_is_said(tmp_path: Path) -> None:
    simulator = FakeSimulator()
    simulator.identity = simulator.identity.model_copy(update={"metrics": ("shares", "likes")})
    result = run(tmp_path, simulator=simulator)
    assert any("tuned on shares, likes, not on click_rate" in w for w in result.warnings)
