"""What a draft promises at first look, and whom to ask about next."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.loop.promise import NOISE, SLOPE, Promise, most_promising, promises

POINTS = st.floats(0, 100)


@settings(deadline=None)
@given(POINTS, st.floats(0.5, 20), st.floats(0.01, 5))
def test_at_its_reservation_value_a_call_gains_its_price(mean: float, spread: float, price: float) -> None:
    promise = Promise(mean, spread)
    assert promise.expected_gain(promise.reservation(price)) == pytest.approx(price, rel=1e-3, abs=1e-6)


@settings(deadline=None)
@given(POINTS, st.floats(0.5, 20), POINTS)
def test_the_expected_gain_is_that_of_draws(mean: float, spread: float, best: float) -> None:
    draws = mean + spread * np.random.default_rng(0).standard_normal(20_000)
    assert Promise(mean, spread).expected_gain(best) == pytest.approx(
        float(np.maximum(draws - best, 0).mean()), abs=0.05 * spread
    )


def test_dearer_calls_are_stopped_sooner_and_free_ones_never() -> None:
    promise = Promise(50, 3)
    assert promise.reservation(0) == float("inf")
    assert promise.reservation(0.1) > promise.reservation(0.5) > promise.reservation(2)


def test_the_run_s_own_scores_correct_the_first_look() -> None:
    looks = [float(look) for look in range(0, 40, 2)]
    steep = promises([(look, 40 + 2 * look) for look in looks], [50.0])[0]
    assert steep.mean == pytest.approx(140, abs=2)
    assert steep.spread == pytest.approx(NOISE, rel=0.4)
    before = promises([(0.0, 40.0)], [5.0])[0]
    assert before.mean == pytest.approx(40 + 5 * SLOPE, abs=1)
    assert before.spread > steep.spread


def test_the_most_promising_come_first_until_none_is_worth_a_call() -> None:
    known = [(0.0, 50.0)]
    assert most_promising(known, [1.0, 9.0, 4.0], 50.0, 0.25, 2) == [1, 2]
    assert most_promising(known, [-40.0, -60.0], 50.0, 0.25, 2) == []
    assert most_promising(known, [-40.0, -60.0], 50.0, 0.0, 2) == [0, 1], "free calls are made while drafts last"
    assert most_promising([], [1.0, 2.0], None, 0.25, 1) == [1]
    assert most_promising(known, [], 50.0, 0.25, 1) == []
