import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcbm_model.behavior import N_BINS, PercentileScale, percentile_to_bin
from lcbm_model.prediction import Prediction, SimulatorIdentity, quantiles, win_probabilities

IDENTITY = SimulatorIdentity(backend="fake", checkpoint="x", checkpoint_hash="0", tuned=True)
weights = st.lists(st.floats(0, 1), min_size=N_BINS, max_size=N_BINS).filter(lambda w: sum(w) > 0.01)


def normal(w: list[float]) -> list[float]:
    return (np.asarray(w) / np.sum(w)).tolist()


def brute_force(bins: list[list[float]]) -> list[float]:
    wins = np.zeros(len(bins))
    for draw in itertools.product(range(N_BINS), repeat=len(bins)):
        chance = float(np.prod([p[b] for p, b in zip(bins, draw, strict=True)]))
        top = [i for i, b in enumerate(draw) if b == max(draw)]
        wins[top] += chance / len(top)
    return wins.tolist()


@settings(deadline=None, max_examples=25)
@given(st.lists(weights, min_size=1, max_size=3))
def test_win_probabilities_equal_full_enumeration(drawn: list[list[float]]) -> None:
    bins = [normal(w) for w in drawn]
    assert win_probabilities(bins) == pytest.approx(brute_force(bins), abs=1e-9)


@settings(deadline=None)
@given(st.lists(weights, min_size=1, max_size=12), st.randoms())
def test_win_probabilities_sum_to_one_and_follow_their_content(drawn: list[list[float]], random) -> None:
    bins = [normal(w) for w in drawn]
    wins = win_probabilities(bins)
    assert sum(wins) == pytest.approx(1)
    order = list(range(len(bins)))
    random.shuffle(order)
    assert win_probabilities([bins[i] for i in order]) == pytest.approx([wins[i] for i in order], abs=1e-9)


def test_equal_contents_share_the_win() -> None:
    certain = [0.0] * 9 + [1.0]
    assert win_probabilities([certain] * 4) == pytest.approx([0.25] * 4)
    assert win_probabilities([certain, [1.0] + [0.0] * 9]) == pytest.approx([1, 0])
    assert win_probabilities([]) == []


def test_thousands_of_contents_are_compared() -> None:
    rng = np.random.default_rng(0)
    wins = win_probabilities(rng.dirichlet(np.ones(N_BINS), size=3000).tolist())
    assert sum(wins) == pytest.approx(1)
    assert min(wins) >= 0


@given(weights, st.floats(0.1, 0.95))
def test_intervals_hold_their_share_and_stay_inside(drawn: list[float], level: float) -> None:
    prediction = Prediction.from_bins("click_rate", IDENTITY, drawn, level=level)
    assert prediction.low is not None
    assert prediction.high is not None
    assert 0 <= prediction.low <= prediction.high <= 100
    assert sum(prediction.bins) == pytest.approx(1)


def test_uniform_bins_have_straight_quantiles() -> None:
    assert quantiles([0.1] * 10, (0.0, 0.1, 0.5, 1.0)) == pytest.approx((0, 10, 50, 100), abs=1e-6)


@pytest.mark.parametrize("bad", [[0.1] * 9, [0.0] * 10, [-1.0] + [1.0] * 9, [float("nan")] + [1.0] * 9])
def test_bad_bins_are_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="bin weights"):
        Prediction.from_bins("click_rate", IDENTITY, bad)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_percentile_scale_is_monotone_and_bounded(values: list[float]) -> None:
    scale = PercentileScale.fit(values)
    ranks = [scale.to_percentile(v) for v in sorted(values)]
    assert ranks == sorted(ranks)
    assert all(0 <= r <= 100 for r in ranks)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_where_less_is_better_the_scale_is_the_mirrored_one(values: list[float]) -> None:
    scale, mirrored = (PercentileScale.fit(values, higher_is_better=better) for better in (True, False))
    for value in values:
        assert mirrored.to_percentile(value) == pytest.approx(100 - scale.to_percentile(value))
    for percentile in (0.0, 20.0, 50.0, 77.0, 100.0):
        assert mirrored.to_raw(percentile) == pytest.approx(scale.to_raw(100 - percentile))
    assert PercentileScale.model_validate_json(mirrored.model_dump_json()) == mirrored


def test_percentile_to_bin_takes_both_ends() -> None:
    assert [percentile_to_bin(p) for p in (0, 9.99, 10, 99.9, 100)] == [0, 0, 1, 9, 9]
    with pytest.raises(ValueError, match=r"0\.\.100"):
        percentile_to_bin(101)
