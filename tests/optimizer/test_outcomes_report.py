"""Predictions beside what happened, and a calibration of the team's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import Library
from lcbm_model.behavior import BIN_CENTRES, PercentileScale
from lcbm_model.content import Content
from lcbm_model.errors import InputError, MetricError
from lcbm_model.metrics import Metric, register_metric
from lcbm_model.prediction import Prediction
from lcbm_model.simulator.calibration import Calibration
from optimizer.outcomes import Outcome, OutcomeStore, TeamCalibration, fit_team, note_text
from optimizer.outcomes.calibration import shifted
from optimizer.outcomes.reporting import report
from tests.agents.hashing_embedder import HashingEmbedder
from tests.fakes import FakeSimulator

SIMULATOR = FakeSimulator(spread=14.0)


def outcomes(
    n: int, *, bias: float = 0.0, noise: float = 10.0, seed: int = 0, simulator: FakeSimulator = SIMULATOR
) -> list[Outcome]:
    """Texts of lengths 15..85, whose result lies `bias` points from the prediction, give or take `noise`."""
    random = np.random.default_rng(seed)
    made = []
    for i in range(n):
        text = f"{i:03d}" + "x" * int(random.integers(12, 82))
        [predicted] = simulator.predict([Content(text=text)], "click_rate")
        assert predicted.expected is not None
        observed = float(np.clip(predicted.expected + bias + random.normal(0, noise), 0, 100))
        made.append(
            Outcome(
                text=text,
                metric="click_rate",
                value=observed / 1000,
                predicted=predicted,
                percentile=observed,
                noted_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=i),
            )
        )
    return made


def test_good_predictions_are_found_good() -> None:
    found = report(outcomes(80))
    assert found.n == 80
    assert found.bias is not None
    assert found.bias_low is not None
    assert found.bias_high is not None
    assert found.bias_low < 0.5 < found.bias_high + 3
    assert abs(found.bias) < 4
    assert found.rank_correlation is not None
    assert found.rank_correlation > 0.7
    assert found.error is not None
    assert found.error_of_middle is not None
    assert found.error < found.error_of_middle
    assert len(found.bands) == 5
    assert [b.n for b in found.bands] == [16] * 5
    observed = [b.observed for b in found.bands]
    assert observed == sorted(observed)
    assert found.missing_to_calibrate == 0
    [coverage] = found.coverage
    assert coverage.level == 0.8
    assert coverage.held.share == np.mean([p.held for p in found.points])
    assert coverage.held.low < coverage.held.share < coverage.held.high
    assert "did better" in found.finding


def test_results_below_the_predictions_are_said_to_be_below() -> None:
    found = report(outcomes(60, bias=-25.0))
    assert found.bias is not None
    assert found.bias < -15
    assert "below the prediction" in found.finding
    assert "fewer than promised" in found.finding


def test_few_results_say_nothing() -> None:
    found = report(outcomes(7))
    assert found.bias is None
    assert found.bands == ()
    assert "too few" in found.finding
    assert found.missing_to_calibrate == 43
    nothing = report([])
    assert nothing.total == nothing.n == 0
    assert nothing.coverage == ()


def test_what_cannot_be_compared_is_counted_and_told() -> None:
    made = outcomes(12)
    alone = made[0].model_copy(update={"predicted": None})
    failed = made[1].model_copy(
        update={"predicted": Prediction.failed("click_rate", SIMULATOR.identity, "cannot be scored")}
    )
    nowhere = made[2].model_copy(update={"percentile": None})
    found = report([alone, failed, nowhere, *made[3:]])
    assert (found.total, found.n) == (12, 9)
    assert any("2 results have no prediction" in note for note in found.notes)
    assert any("1 results have no place" in note for note in found.notes)


def test_without_a_library_enough_results_rank_among_themselves() -> None:
    made = [o.model_copy(update={"percentile": None}) for o in outcomes(30)]
    found = report(made)
    assert found.n == 30
    assert any("ranked among themselves" in note for note in found.notes)
    assert np.mean([p.observed for p in found.points]) == pytest.approx(50, abs=0.5)
    assert found.missing_to_calibrate == 50  # ranks among themselves are no places to fit a range to


def test_a_newer_scale_places_them_anew() -> None:
    scale = PercentileScale.fit([0.2, 0.3])
    found = report(outcomes(12), scale_of=lambda metric, channel: scale)
    assert {p.observed for p in found.points} == {25.0}


def test_results_where_less_is_better_rank_from_the_worse_end() -> None:
    metric = Metric(
        name="test_bounce_rate", title="bounces", kind="rate", unit="bounces per visit", verb="leave",
        higher_is_better=False,
    )  # fmt: skip
    register_metric(metric)
    scale = PercentileScale.fit([0.1, 0.2, 0.3, 0.4], higher_is_better=False)
    few, many = (note_text(f"text {count}", metric.name, count=count, exposure=100, scale=scale) for count in (12, 38))
    for noted in (few, many):
        assert noted.low is not None
        assert noted.low < (noted.percentile or 0.0) < (noted.high or 0.0)
    assert (few.percentile or 0.0) > 80 > 20 > (many.percentile or 100.0)


def test_ranges_that_are_right_hold_what_they_promise_on_a_librarys_scale() -> None:
    random = np.random.default_rng(1)
    posts, new = (random.binomial(200, random.beta(60, 140, n)) for n in (2000, 1000))
    frame = pl.DataFrame({"text": [f"post {i}" for i in range(2000)], "clicks": posts, "impressions": [200] * 2000})
    scale = Library.from_frame(frame, embedder=HashingEmbedder()).scale("click_rate", "post")
    right = Prediction.from_bins("click_rate", SIMULATOR.identity, [0.1] * 10).model_copy(
        update={"low": 10.0, "high": 90.0, "level": 0.8}
    )
    noted = [
        note_text(f"text {i}", "click_rate", count=int(k), exposure=200, scale=scale, predicted=right)
        for i, k in enumerate(new)
    ]
    [coverage] = report(noted).coverage
    assert coverage.held.share == pytest.approx(0.8, abs=0.04)


def test_only_one_metric_on_request() -> None:
    other = outcomes(3)[0].model_copy(update={"metric": "shares"})
    assert report([*outcomes(3), other], metric="shares").total == 1
    with pytest.raises(MetricError):
        report([], metric="applause")


def test_constant_predictions_have_no_order() -> None:
    constant = FakeSimulator(lambda _: 60.0)
    found = report(outcomes(20, simulator=constant))
    assert found.rank_correlation is None
    assert "rank correlation" not in found.finding


# A calibration of the team's own ------------------------------------------------------------------------------------


def test_a_team_calibration_moves_the_middle_and_holds_its_share() -> None:
    fitted = fit_team(outcomes(300, bias=-18.0, noise=9.0))
    assert isinstance(fitted, Calibration)
    [entry] = fitted.entries
    assert entry.offset == pytest.approx(-18, abs=3)
    assert entry.n == 300
    assert entry.held_before < 0.75
    assert 0.72 < entry.held_after < 0.9
    fresh = outcomes(400, bias=-18.0, noise=9.0, seed=1)
    held = []
    for outcome in fresh:
        assert outcome.predicted is not None
        own = fitted.apply(outcome.predicted, "post")
        assert own.low is not None
        assert own.high is not None
        assert outcome.percentile is not None
        held.append(own.low <= outcome.percentile <= own.high)
    assert 0.74 < np.mean(held) < 0.87


def test_it_is_shown_as_such_and_only_where_it_was_fitted() -> None:
    fitted = fit_team(outcomes(60, bias=10.0))
    [mine] = SIMULATOR.predict([Content(text="y" * 40)], "click_rate")
    own = fitted.apply(mine)
    assert own.simulator.calibration_id == fitted.id
    assert own.expected is not None
    assert mine.expected is not None
    assert own.expected > mine.expected
    [other] = SIMULATOR.predict([Content(text="y" * 40)], "shares")
    assert fitted.apply(other) == other
    [stranger] = FakeSimulator(name="another").predict([Content(text="y" * 40)], "click_rate")
    assert fitted.apply(stranger) == stranger
    failed = Prediction.failed("click_rate", SIMULATOR.identity, "cannot be scored")
    assert fitted.apply(failed) == failed


def test_too_few_results_fit_nothing() -> None:
    with pytest.raises(InputError, match=r"needs 50.*got 49"):
        fit_team(outcomes(49))
    with pytest.raises(InputError, match="got 0"):
        fit_team([])
    mixed = [*outcomes(30), *outcomes(30, simulator=FakeSimulator(name="another"))]
    with pytest.raises(InputError, match="got 30"):
        fit_team(mixed)


def test_the_order_of_noting_does_not_matter() -> None:
    made = outcomes(60, bias=5.0)
    first, second = fit_team(made), fit_team(made[::-1])
    assert first.entries == second.entries
    assert first.id == second.id


def test_it_is_kept_beside_the_results(tmp_path: Path) -> None:
    store = OutcomeStore(tmp_path / "o.sqlite")
    assert store.calibration() is None
    fitted = fit_team(outcomes(50))
    store.keep_calibration(fitted)
    assert OutcomeStore(tmp_path / "o.sqlite").calibration() == fitted
    again = TeamCalibration(fitted_at=fitted.fitted_at, entries=fitted.entries)
    assert again.id == fitted.id
    store.keep_calibration(None)
    assert store.calibration() is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.0, 1.0), min_size=10, max_size=10).filter(lambda b: sum(b) > 0.01), st.floats(-40, 40))
def test_moving_a_distribution_keeps_it_one(bins: list[float], offset: float) -> None:
    before = Prediction.from_bins("click_rate", SIMULATOR.identity, bins)
    after = shifted(before, offset)
    assert sum(after.bins) == pytest.approx(1.0)
    assert min(after.bins) >= -1e-12
    assert after.expected == pytest.approx(sum(b * c for b, c in zip(after.bins, BIN_CENTRES, strict=True)))
    assert before.expected is not None
    assert after.expected is not None
    moved = after.expected - before.expected
    assert moved * offset >= -1e-6
    assert abs(moved) <= abs(offset) + 1e-6
    assert after.low is not None
    assert after.high is not None
    assert 0 <= after.low <= after.high <= 100
