"""What near posts say of a new one: the estimate, the interval, and how both fall back where nothing is near."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from agents import Library
from agents.library.evidence import UNKNOWN, Evidence, usual_similarity, weigh
from lcbm_model.errors import LibraryError, MetricError
from tests.agents.hashing_embedder import HashingEmbedder

neighbours = st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 100)), max_size=30)


def of(pairs: list[tuple[float, float]], *, usual: float = 0.1, level: float = 0.8) -> Evidence:
    cosines, ranks = [c for c, _ in pairs], [r for _, r in pairs]
    return weigh(cosines, ranks, [f"p{i}" for i in range(len(pairs))], metric="likes", usual=usual, level=level)


@given(neighbours, st.floats(-0.9, 0.9), st.floats(0.05, 0.95))
def test_the_interval_is_the_mixture_s_quantiles(pairs: list[tuple[float, float]], usual: float, level: float) -> None:
    """Against the definition, read off a fine grid of the distribution function."""
    seen = of(pairs, usual=usual, level=level)
    weights = np.array([np.clip((c - usual) / (1 - usual), 0, 1) ** 2 for c, _ in pairs])
    ranks = np.array([r for _, r in pairs])
    grid = np.linspace(0, 100, 20_001)
    share = (np.sum(weights[:, None] * (ranks[:, None] <= grid), axis=0) + UNKNOWN * grid / 100) / (
        weights.sum() + UNKNOWN
    )
    for end, q in ((seen.low, (1 - level) / 2), (seen.high, (1 + level) / 2)):
        first = grid[np.argmax(share >= q - 1e-12)]
        assert end == pytest.approx(first, abs=0.01)
    assert seen.low <= seen.high
    assert seen.estimate == pytest.approx((weights @ ranks + UNKNOWN * 50) / (weights.sum() + UNKNOWN))
    assert 0 <= seen.effective_n <= len(pairs) + 1e-9


def test_far_neighbours_say_nothing() -> None:
    far = of([(0.1, 95.0)] * 20)
    assert (far.estimate, far.strength, far.effective_n) == (50, 0, 0)
    assert (far.low, far.high) == pytest.approx((10, 90))


def test_near_neighbours_are_believed() -> None:
    near = of([(0.98, 80.0)] * 20)
    assert near.estimate == pytest.approx(78.5, abs=0.5)
    assert (near.low, near.high) == (80, 80)
    assert near.effective_n == pytest.approx(20)


@given(neighbours.filter(bool))
def test_a_nearer_neighbour_never_counts_less(pairs: list[tuple[float, float]]) -> None:
    before, after = of(pairs), of([(min(c + 0.05, 1), r) for c, r in pairs])
    assert after.strength >= before.strength


def test_nobody_there() -> None:
    nothing = of([])
    assert (nothing.n, nothing.estimate, nothing.low, nothing.high) == pytest.approx((0, 50, 10, 90))
    assert nothing.similarity is None
    assert nothing.sentence == "No past post with a result is comparable."


def test_the_sentence_says_its_n_and_level() -> None:
    said = of([(0.9, 48.0), (0.9, 62.0), (0.9, 77.0)]).sentence
    assert said.startswith("The 3 most similar past posts landed at 59, ")
    assert "80% interval; nearest similarity 0.90" in said
    assert of([(0.9, 60.0)]).sentence.startswith("The most similar past post landed at")


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, float("nan")])
def test_a_level_that_is_none(level: float) -> None:
    with pytest.raises(LibraryError, match="level: must lie between 0 and 1"):
        of([(0.5, 50.0)], level=level)


def test_usual_similarity() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(2000, 32)) + 0.5
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    cosines = (unit @ unit.T)[np.triu_indices(2000, 1)]
    assert usual_similarity(unit) == pytest.approx(float(np.median(cosines)), abs=0.01)
    assert usual_similarity(unit[:1]) == 0
    assert usual_similarity(np.repeat(unit[:1], 5, axis=0)) == pytest.approx(0.9)


@pytest.fixture(scope="module")
def library() -> Library:
    """Posts about rain do well, posts about trains badly, with noise; some were never measured."""
    rng = np.random.default_rng(1)
    subjects = [("rain clouds umbrella", 70), ("train delay platform", 30)]
    rows = []
    for i in range(300):
        words, level = subjects[i % 2]
        text = " ".join([*rng.permutation(words.split()), *rng.choice(["today", "again", "soon", "why", "now"], 2)])
        measured = i % 10 != 9
        rows.append((f"p{i}", text, "post" if i < 250 else "advert", level + rng.normal(0, 12) if measured else None))
    frame = pl.DataFrame(rows, schema=["id", "text", "channel", "likes"], orient="row")
    return Library.from_frame(frame.with_columns(pl.col("likes").clip(0)), embedder=HashingEmbedder(), metric="likes")


def test_new_posts_are_ranked_by_what_like_posts_did(library: Library) -> None:
    rain, train, neither = library.evidence_for(["rain umbrella today", "train platform soon", "bread oven crust"])
    assert rain.estimate > 60 > 40 > train.estimate
    assert rain.n == 20
    assert neither.strength < 0.3 < rain.strength
    assert neither.high - neither.low > rain.high - rain.low
    assert rain == library.evidence("rain umbrella today")
    assert set(rain.neighbours) <= {p.id for p in library.posts if "likes" in p.percentiles}


def test_intervals_hold_what_they_promise_when_posts_are_left_out(library: Library) -> None:
    measured = [p for p in library.posts if "likes" in p.percentiles]
    truth = np.array([p.percentiles["likes"] for p in measured])
    seen = [library.evidence(p.text, leave_out=[p.id]) for p in measured]
    held = np.mean([e.low <= t <= e.high for e, t in zip(seen, truth, strict=True)])
    assert 0.7 <= held <= 0.92
    assert stats.spearmanr([e.estimate for e in seen], truth).statistic > 0.6
    assert all(p.id not in e.neighbours for p, e in zip(measured, seen, strict=True))


def test_conditions(library: Library) -> None:
    adverts = library.evidence("rain", channel="advert", k=7, level=0.5)
    ids = {p.id for p in library.posts if p.channel == "advert"}
    assert (adverts.n, adverts.level) == (7, 0.5)
    assert set(adverts.neighbours) <= ids
    assert library.evidence("rain", channel="nowhere").n == 0
    few = library.evidence("rain", filters={"id": ["p0", "p1", "p2"]})
    assert set(few.neighbours) == {"p0", "p1", "p2"}


def test_wrong_questions(library: Library) -> None:
    with pytest.raises(LibraryError, match="text 2: is empty"):
        library.evidence_for(["a", " "])
    with pytest.raises(MetricError, match="Measured there: likes"):
        library.evidence("a", metric="shares")
    with pytest.raises(LibraryError, match="k: must be at least 1"):
        library.evidence("a", k=0)
    assert library.evidence_for([]) == []
