"""The bandit over writers: drafts go where gains came from, everyone keeps one, the same seed gives the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.bandit import Gains, shares

GOOD = Gains(20, 160.0, 1400.0)
IDLE = Gains(20)

arms = st.dictionaries(
    st.sampled_from("abcde"),
    st.lists(st.floats(0, 60, allow_nan=False), max_size=12).map(lambda gains: Gains().add(gains, len(gains) + 2)),
    min_size=1,
    max_size=5,
)


@given(st.integers(0, 40), arms, st.integers(0, 2**31))
def test_shares_are_whole_repeatable_and_leave_nobody_out(n: int, writers: dict[str, Gains], seed: int) -> None:
    given_out = shares(n, writers, seed=seed)
    assert given_out == shares(n, writers, seed=seed)
    assert list(given_out) == list(writers)
    assert sum(given_out.values()) == n
    assert min(given_out.values()) >= (1 if n >= len(writers) else 0)


def test_most_drafts_go_where_the_gains_came_from() -> None:
    counts = [shares(8, {"idle": IDLE, "good": GOOD}, seed=seed)["good"] for seed in range(30)]
    assert sum(counts) / len(counts) > 6
    assert max(counts) == 7


def test_a_single_draft_goes_to_the_better_writer() -> None:
    assert shares(1, {"idle": IDLE, "good": GOOD}, seed=0) == {"idle": 0, "good": 1}


def test_a_writer_that_was_hardly_tried_is_tried_again() -> None:
    given_out = [shares(12, {"idle": IDLE, "new": Gains(1), "good": GOOD}, seed=seed) for seed in range(30)]
    assert sum(each["new"] for each in given_out) > 1.2 * sum(each["idle"] for each in given_out)


def test_one_lucky_draft_does_not_decide() -> None:
    lucky = Gains().add([9.0], 1)
    counts = [shares(8, {"steady": GOOD, "lucky": lucky}, seed=seed)["lucky"] for seed in range(30)]
    assert 1 < sum(counts) / len(counts) < 7


def test_before_the_first_score_all_get_the_same() -> None:
    assert shares(8, {"a": Gains(), "b": Gains(), "c": Gains()}, seed=5) == {"a": 3, "b": 3, "c": 2}
    assert shares(2, {"a": Gains(), "b": Gains(), "c": Gains()}, seed=5) == {"a": 1, "b": 1, "c": 0}
    assert shares(8, {}, seed=0) == {}


def test_drafts_that_brought_nothing_count() -> None:
    assert Gains().add([4.0, 2.0], 5) == Gains(5, 6.0, 20.0)
    assert Gains().add([], 3).n == 3


@pytest.mark.parametrize(("gains", "asked"), [([1.0, 2.0], 1), ([-1.0], 3)])
def test_senseless_gains_raise(gains: list[float], asked: int) -> None:
    with pytest.raises(ValueError, match="expected at most"):
        Gains().add(gains, asked)


def test_senseless_numbers_raise() -> None:
    with pytest.raises(ValueError, match="n >= 0"):
        shares(-1, {"a": Gains()}, seed=0)


def test_with_fewer_drafts_than_writers_each_is_asked_now_and_then() -> None:
    known = {"first": Gains(5, 0.0, 0.0), "second": Gains(5, 0.0, 0.0), "third": Gains(0, 0.0, 0.0)}
    asked = [shares(2, known, seed=seed) for seed in range(40)]
    assert all(sum(one.values()) == 2 for one in asked)
    assert min(sum(one[name] for one in asked) for name in known) > 5
