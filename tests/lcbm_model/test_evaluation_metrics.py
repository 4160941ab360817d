"""The bench's figures against brute force, library functions and known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lcbm_model.evaluation.bootstrap import Count, OfSums, PooledSpearman, divide, mean_of_groups, ratio
from lcbm_model.evaluation.metrics import (
    accuracy_of_distinct_pairs,
    coverage,
    credit,
    expected_calibration_error,
    members,
    pair_accuracy,
    reliability,
    spearman_within,
)


def test_credit_gives_half_for_ties_of_the_scores() -> None:
    right = credit(np.array([2.0, 1.0, 1.0]), np.array([1.0, 2.0, 1.0]), np.array([5.0, 5, 5]), np.array([4.0, 4, 4]))
    assert right.tolist() == [1.0, 0.0, 0.5]


def test_constant_scores_get_exactly_what_a_coin_gets() -> None:
    rng = np.random.default_rng(0)
    truth, groups, flat = rng.normal(size=60), np.repeat(np.arange(4), 15), np.full(60, 3.0)
    assert spearman_within(flat, truth, groups).value() == 0
    assert accuracy_of_distinct_pairs(flat, truth, groups, gap=0.1).value() == 0.5
    assert PooledSpearman(flat, truth).value() == 0


def test_members_finds_each_row_once_under_its_group() -> None:
    groups = np.array(["b", "a", "b", "c", "a"])
    assert [g.tolist() for g in members(groups)] == [[1, 4], [0, 2], [3]]
    assert list(members(np.array([]))) == []


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=40))
def test_distinct_pairs_equal_brute_force(rows: list[tuple[int, int, int]]) -> None:
    scores, truth, groups = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    right, total = 0.0, 0
    for i in range(len(rows)):
        for j in range(len(rows)):
            if groups[i] == groups[j] and truth[i] - truth[j] > 0.2:
                total += 1
                right += 1.0 if scores[i] > scores[j] else 0.5 if scores[i] == scores[j] else 0.0
    found = accuracy_of_distinct_pairs(scores, truth, groups, gap=0.2).value()
    assert found == (pytest.approx(right / total) if total else None)


def test_spearman_within_is_the_mean_over_groups_that_rank() -> None:
    rng = np.random.default_rng(1)
    scores, truth = rng.normal(size=45), rng.normal(size=45)
    groups = np.array([0] * 20 + [1] * 20 + [2] * 5)
    truth[40:] = 7.0  # a page whose posts all did the same ranks nothing
    expected = np.mean([stats.spearmanr(scores[g], truth[g]).statistic for g in (slice(0, 20), slice(20, 40))])
    assert spearman_within(scores, truth, groups).value() == pytest.approx(expected)


def test_spearman_within_of_groups_too_small_is_undefined() -> None:
    statistic = spearman_within(np.arange(4.0), np.arange(4.0), np.zeros(4))
    assert statistic.value() is None
    assert statistic.interval() is None


def test_coverage_counts_ends_in_and_leaves_missing_intervals_out() -> None:
    truth = np.array([10.0, 50.0, 90.0, 50.0])
    low, high = np.array([10.0, 0.0, 0.0, np.nan]), np.array([20.0, 49.0, 90.0, np.nan])
    assert coverage(truth, low, high, np.arange(4)).value() == pytest.approx(2 / 3)


def test_calibration_error_is_small_for_honest_and_large_for_boastful_probabilities() -> None:
    rng = np.random.default_rng(2)
    p = rng.uniform(0, 1, 20_000)
    won, groups = (rng.uniform(size=20_000) < p).astype(float), np.arange(20_000) // 10
    assert expected_calibration_error(p, won, groups).value() < 0.01
    coin = (rng.uniform(size=20_000) < 0.5).astype(float)
    assert expected_calibration_error(np.full(20_000, 0.9), coin, groups).value() == pytest.approx(0.4, abs=0.02)


def test_calibration_error_does_not_depend_on_the_order_inside_pairs() -> None:
    rng = np.random.default_rng(3)
    p, groups = rng.uniform(0, 1, 500), np.arange(500)
    won = (rng.uniform(size=500) < 0.6).astype(float)
    turned = expected_calibration_error(1 - p, 1 - won, groups).value()
    assert expected_calibration_error(p, won, groups).value() == pytest.approx(turned)


def test_interval_of_ungrouped_mean_agrees_with_scipy() -> None:
    values = np.random.default_rng(4).normal(3, 2, 200)
    ours = mean_of_groups(values).interval()
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=4000, rng=5).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.05)


def test_rows_that_rise_together_widen_the_interval() -> None:
    rng = np.random.default_rng(5)
    stories = np.repeat(np.arange(30), 20)
    credits = (np.repeat(rng.uniform(size=30), 20) > 0.4).astype(float)
    clustered = pair_accuracy(credits, stories).interval()
    alone = pair_accuracy(credits, np.arange(600)).interval()
    assert clustered is not None
    assert alone is not None
    assert clustered[1] - clustered[0] > 3 * (alone[1] - alone[0])


def test_intervals_are_the_same_every_time_and_hold_the_figure() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(size=80)
    statistic = PooledSpearman(x, x + rng.normal(size=80))
    first, value = statistic.interval(), statistic.value()
    assert first == statistic.interval()
    assert first is not None
    assert value is not None
    assert first[0] < value < first[1]
    assert value == pytest.approx(stats.spearmanr(statistic.scores, statistic.truth).statistic)


def test_undefined_and_single_group_figures_have_no_interval() -> None:
    assert OfSums(np.zeros((0, 2)), divide).value() is None
    assert ratio(np.ones(3), np.ones(3), np.zeros(3)).interval() is None
    assert Count(7).interval() == (7, 7)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.integers(0, 3)), min_size=1, max_size=40))
def test_reliability_bins_add_up_to_the_calibration_error(pairs: list[tuple[float, bool, int]]) -> None:
    p, won, groups = (np.asarray(column) for column in zip(*pairs, strict=True))
    bins = reliability(p, won.astype(float), groups)
    assert sum(n for *_, n in bins) == len(pairs)
    assert all(0.5 <= stated <= 1 and 0 <= (share.value() or 0) <= 1 for stated, share, _ in bins)
    error = sum(n * abs(stated - (share.value() or 0)) for stated, share, n in bins) / len(pairs)
    assert error == pytest.approx(expected_calibration_error(p, won.astype(float), groups).value())
