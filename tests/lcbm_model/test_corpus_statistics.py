"""Shrinkage, percentiles, soft targets and pairs, against scipy, statsmodels and plain sense."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportions_ztest

from lcbm_model.behavior import Observation, PercentileScale
from lcbm_model.content import Content
from lcbm_model.corpus.pairs import arm_pairs, context_pairs, standing_z, two_proportion_z
from lcbm_model.corpus.record import Record
from lcbm_model.corpus.shrinkage import (
    decile_target,
    fit_beta_prior,
    percentiles,
    shrink_rates,
    shrink_ratings,
)


def test_the_beta_prior_is_recovered() -> None:
    draw = np.random.default_rng(1)
    exposures = draw.integers(200, 5000, size=3000).astype(float)
    counts = draw.binomial(exposures.astype(int), draw.beta(2.0, 98.0, size=3000)).astype(float)
    prior = fit_beta_prior(counts, exposures)
    assert prior.mean == pytest.approx(0.02, rel=0.05)
    assert prior.strength == pytest.approx(100, rel=0.15)


def test_the_prior_maximises_the_beta_binomial_of_scipy() -> None:
    counts, exposures = np.array([3.0, 10, 2, 40]), np.array([100.0, 200, 150, 300])
    prior = fit_beta_prior(counts, exposures)

    def likelihood(mean: float, strength: float) -> float:
        return float(stats.betabinom.logpmf(counts, exposures, mean * strength, (1 - mean) * strength).sum())

    best = likelihood(prior.mean, prior.strength)
    for mean, strength in ((0.9, 1), (1.1, 1), (1, 0.8), (1, 1.25)):
        assert likelihood(prior.mean * mean, prior.strength * strength) < best


def test_a_rate_from_forty_impressions_is_not_a_fact() -> None:
    counts, exposures = np.array([4.0, 300, 10, 25, 60]), np.array([40.0, 10_000, 1000, 1000, 1000])
    rates, reliability = shrink_rates(counts, exposures, fit_beta_prior(counts, exposures))
    assert rates[0] < 0.06
    assert rates[1] == pytest.approx(0.03, rel=0.05)
    assert reliability[0] < reliability[1]


def test_no_exposure_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="no exposure"):
        fit_beta_prior(np.zeros(3), np.zeros(3))


def test_ratings_shrink_by_their_votes() -> None:
    draw = np.random.default_rng(2)
    truth = draw.normal(1.5, 0.2, size=400)
    votes = draw.integers(5, 400, size=400).astype(float)
    means = truth + draw.normal(0, 0.7 / np.sqrt(votes))
    shrunken, reliability = shrink_ratings(means, np.full(400, 0.49), votes)
    assert np.mean((shrunken - truth) ** 2) < 0.8 * np.mean((means - truth) ** 2)
    assert np.corrcoef(reliability, votes)[0, 1] > 0.5
    same, flat = shrink_ratings(np.full(5, 1.4), np.full(5, 0.5), np.full(5, 50.0))
    assert same == pytest.approx(1.4)
    assert (flat == flat[0]).all()


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_percentiles_are_mid_ranks(values: list[float]) -> None:
    data = np.array(values)
    expected = [stats.percentileofscore(data, v, kind="mean") for v in data]
    assert percentiles(data) == pytest.approx(expected)
    assert percentiles(data) == pytest.approx([PercentileScale.fit(values).to_percentile(v) for v in values])


@given(st.floats(0, 100), st.floats(0, 1))
def test_soft_targets_are_distributions(percentile: float, reliability: float) -> None:
    bins = decile_target(percentile, reliability)
    assert len(bins) == 10
    assert sum(bins) == pytest.approx(1)
    assert min(bins) >= 0
    mirrored = decile_target(100 - percentile, reliability)
    assert bins == pytest.approx(mirrored[::-1], abs=1e-6)


def test_evidence_sharpens_the_soft_target() -> None:
    assert int(np.argmax(decile_target(73, 0.98))) == 7
    assert max(decile_target(73, 0.98)) > max(decile_target(73, 0.6)) > max(decile_target(73, 0.1))
    assert decile_target(73, 0.0) == pytest.approx([0.1] * 10, abs=0.03)


def test_soft_targets_hold_the_truth_as_often_as_they_say() -> None:
    draw = np.random.default_rng(3)
    truth = draw.normal(size=20_000)
    seen = truth + draw.normal(scale=1.0, size=20_000)  # reliability 0.5
    ranks, true_bins = percentiles(seen), np.minimum((percentiles(truth) / 10).astype(int), 9)
    for low, high in ((0, 10), (45, 55), (90, 100)):
        rows = (ranks >= low) & (ranks < high)
        told = np.mean([decile_target(p, 0.5) for p in ranks[rows]], axis=0)
        found = np.bincount(true_bins[rows], minlength=10) / rows.sum()
        assert told == pytest.approx(found, abs=0.03)


@given(st.integers(0, 300), st.integers(1, 3000), st.integers(0, 300), st.integers(1, 3000))
def test_z_is_the_pooled_test_of_statsmodels(clicks_a: int, more_a: int, clicks_b: int, more_b: int) -> None:
    n_a, n_b = clicks_a + more_a, clicks_b + more_b
    ours = two_proportion_z(*(np.array([float(v)]) for v in (clicks_a, n_a, clicks_b, n_b)))[0]
    if clicks_a + clicks_b == 0:
        assert ours == 0
        return
    theirs, _ = proportions_ztest([clicks_a, clicks_b], [n_a, n_b])
    assert ours == pytest.approx(theirs, abs=1e-9)


def arm(i: int, clicks: int, *, shown: int = 2000, arms: str | None = "t/p", text: str | None = None) -> Record:
    seen = Observation(
        metric="click_rate", value=clicks / shown, count=clicks, exposure=shown, percentile=min(clicks, 100)
    )
    content = Content(text=text or f"Headline number {i}", channel="headline")
    return Record(
        id=f"r{i}", source="s", content=content, observations=(seen,), context="c", group="g", arms=arms, weight=0.5
    )


def test_arm_pairs_stay_inside_their_comparison() -> None:
    records = [arm(1, 20), arm(2, 60), arm(3, 21), arm(4, 60, arms="other"), arm(5, 60, arms=None)]
    pairs = list(arm_pairs(records, "click_rate"))
    assert [(p.first.id, p.second.id) for p in pairs] == [("r1", "r2"), ("r1", "r3"), ("r2", "r3")]
    clear, even, _ = pairs
    assert clear.significant
    assert clear.target < 0.001
    assert clear.weight == 2.0
    assert not even.significant
    assert even.target == pytest.approx(0.44, abs=0.03)
    assert even.weight < 0.2
    assert list(arm_pairs(records, "shares")) == []


def test_arms_of_equal_words_make_no_pair() -> None:
    assert list(arm_pairs([arm(1, 20, text="Same"), arm(2, 60, text="Same ")], "click_rate")) == []


def test_context_pairs_are_the_same_for_the_same_seed() -> None:
    records = [arm(i, i, arms=None) for i in range(40)]
    first, again, other = (list(context_pairs(records, "click_rate", seed=s)) for s in (1, 1, 2))
    assert first == again
    assert first != other
    assert len(first) == 40
    assert all(p.first.id != p.second.id for p in first)
    assert len(list(context_pairs(records, "click_rate", per_record=2.5))) == 100
    assert list(context_pairs(records[:1], "click_rate")) == []


def test_standing_needs_evidence() -> None:
    low, high = arm(1, 10), arm(2, 90)
    weak = [r.model_copy(update={"weight": 0.02}) for r in (low, high)]
    assert standing_z(high, low, "click_rate") == pytest.approx(1.81, abs=0.02)
    assert abs(standing_z(*weak, "click_rate")) < 0.4
    assert standing_z(low, high, "click_rate") == -standing_z(high, low, "click_rate")
    assert standing_z(low, high, "shares") is None
