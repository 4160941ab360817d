"""The selector: order, ties, and a slate without near-copies."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.selector import Scored, diverse, pareto, rank, select, similarity

WORDS = "copper onions supper winter garden letter morning bridge pocket window".split()  # noqa: SIM905


def scored(id_: str, text: str, expected: float, low: float | None = None) -> Scored:
    return Scored(id_, text, expected, expected - 10 if low is None else low)


drafts = st.lists(
    st.builds(
        lambda i, words, e, w: scored(f"c{i}", " ".join(words), e, e - w),
        st.integers(0, 10**6),
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=6),
        st.integers(0, 100).map(float),
        st.integers(0, 40).map(float),
    ),
    max_size=12,
    unique_by=lambda s: s.id,
)


def test_the_lower_bound_distrusts_an_unsure_score() -> None:
    sure, unsure = scored("a", "copper", 60, 50), scored("b", "garden", 70, 20)
    assert rank([sure, unsure])[0] is unsure
    assert rank([sure, unsure], by="low")[0] is sure


def test_a_slate_is_not_ten_paraphrases() -> None:
    best = scored("a", "Brown onions in 9 minutes", 80)
    copy = scored("b", "In 9 minutes: brown onions", 79)
    other = scored("c", "Why copper spreads the heat", 60)
    assert select([copy, other, best], 2) == [best, other]
    assert select([copy, other, best], 3) == [best, other]
    assert select([copy, other, best], 3, max_similarity=1) == [best, copy, other]


def test_equal_texts_are_one() -> None:
    assert len(select([scored("a", "Copper pan", 50), scored("b", "copper  PAN", 60)], 5, max_similarity=1)) == 1


@given(drafts, st.randoms(use_true_random=False), st.sampled_from(["expected", "low"]))
def test_input_order_never_matters(items: list[Scored], rng: random.Random, by: str) -> None:
    shuffled = list(items)
    rng.shuffle(shuffled)
    assert select(items, 5, by=by) == select(shuffled, 5, by=by)  # type: ignore[arg-type]


@given(drafts, st.integers(0, 6))
def test_the_slate_is_small_sorted_diverse_and_holds_the_best(items: list[Scored], k: int) -> None:
    slate = select(items, k)
    assert len(slate) <= k
    assert slate == rank(slate)
    assert all(similarity(a.text, b.text) <= 0.85 for i, a in enumerate(slate) for b in slate[:i])
    if items and k:
        assert slate[0] == rank(items)[0]


@given(st.text(max_size=40), st.text(max_size=40))
def test_similarity_is_symmetric_and_bounded(a: str, b: str) -> None:
    assert similarity(a, b) == similarity(b, a)
    assert 0 <= similarity(a, b) <= 1


def test_nothing_in_nothing_out() -> None:
    assert select([], 3) == diverse([], 3) == []


@pytest.mark.parametrize(("k", "limit"), [(-1, 0.8), (1, 1.2), (1, -0.1)])
def test_senseless_settings_raise(k: int, limit: float) -> None:
    with pytest.raises(ValueError, match="expected k"):
        select([], k, max_similarity=limit)


# The front over several objectives -----------------------------------------------------------------------------------

points = st.lists(st.tuples(*[st.integers(0, 5).map(float)] * 3), max_size=14)


def beats(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return all(x >= y for x, y in zip(a, b, strict=True)) and any(x > y for x, y in zip(a, b, strict=True))


@given(points)
def test_the_front_is_what_nothing_beats_and_beats_the_rest(items: list[tuple[float, ...]]) -> None:
    front = pareto(items)
    for i, point in enumerate(items):
        assert (i in front) == (not any(beats(other, point) for other in items))
    outside = [items[i] for i in range(len(items)) if i not in front]
    assert all(any(beats(items[i], point) for i in front) for point in outside)


def test_a_front_by_hand() -> None:
    assert pareto([(1, 9), (5, 5), (9, 1), (4, 4), (5, 5)]) == [0, 1, 2, 4]
    assert pareto([(3.0,), (7.0,), (7.0,)]) == [1, 2]
    assert pareto([]) == []
    with pytest.raises(ValueError, match="one length"):
        pareto([(1, 2), (1,)])
