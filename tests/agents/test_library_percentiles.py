"""Ranks inside a channel: shrinkage keeps small samples from winning, and recovers what made the data."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import Library
from agents.library.percentiles import fit_beta, rank, shrink
from lcbm_model.errors import MetricError
from tests.agents.hashing_embedder import HashingEmbedder


def test_the_prior_that_made_the_data_is_recovered() -> None:
    rng = np.random.default_rng(0)
    n = rng.integers(200, 5000, 4000)
    alpha, beta = fit_beta(rng.binomial(n, rng.beta(6, 294, n.size)).astype(float), n.astype(float))
    assert alpha / (alpha + beta) == pytest.approx(0.02, rel=0.02)
    assert alpha + beta == pytest.approx(300, rel=0.15)


def test_shrunk_rates_are_nearer_the_truth_than_raw_ones() -> None:
    rng = np.random.default_rng(1)
    n = rng.choice([20, 50, 5000], 600).astype(float)
    truth = rng.beta(6, 294, n.size)
    raw = rng.binomial(n.astype(int), truth) / n
    error = np.abs(shrink(raw, n) - truth).mean()
    assert error < 0.7 * np.abs(raw - truth).mean()


def test_two_clicks_of_forty_do_not_beat_a_proven_winner() -> None:
    many = [("post", c, 10_000) for c in range(150, 300, 10)]
    rows = [*many, ("post", 2, 40), ("post", 420, 10_000)]
    library = Library.from_frame(
        pl.DataFrame(
            {
                "text": [f"post {i}" for i in range(len(rows))],
                "clicks": [r[1] for r in rows],
                "impressions": [r[2] for r in rows],
            }
        ),
        embedder=HashingEmbedder(),
    )
    lucky, winner = library.posts[-2:]
    assert lucky.values["click_rate"] == 0.05 > winner.values["click_rate"] == 0.042, "raw values stay as they were"
    assert winner.percentiles["click_rate"] > 95 > 80 > lucky.percentiles["click_rate"]


def test_ranks_are_inside_the_channel() -> None:
    frame = pl.DataFrame(
        {"text": list("abcdef"), "channel": ["post"] * 3 + ["advert"] * 3, "likes": [1, 2, 3, 100, 200, 200]}
    )
    library = Library.from_frame(frame, embedder=HashingEmbedder())
    ranks = [p.percentiles["likes"] for p in library.posts]
    assert ranks == pytest.approx([100 / 6, 50, 500 / 6, 100 / 6, 200 / 3, 200 / 3])
    post, both = library.scale("likes", "Post"), library.scale("likes")
    assert post is not None
    assert both is not None
    assert (post.n, both.n) == (3, 6)
    assert post.to_percentile(2) == 50
    assert library.scale("likes", "video") is None
    with pytest.raises(
        MetricError, match=r"no post of this library was measured in it.*'shares'.*Measured there: likes"
    ):
        library.scale("shares")


def test_the_scale_places_a_new_post_as_it_was_measured_where_its_like_stands() -> None:
    rng = np.random.default_rng(1)
    clicks = rng.binomial(200, rng.beta(6, 194, 300))
    library = Library.from_frame(
        pl.DataFrame({"text": [f"post {i}" for i in range(300)], "clicks": clicks, "impressions": [200] * 300}),
        embedder=HashingEmbedder(),
    )
    scale, rates = library.scale("click_rate", "post"), library.frame["value.click_rate"].to_numpy()
    assert scale is not None
    ranks = library.frame["percentile.click_rate"].to_list()
    assert [scale.to_percentile(rate) for rate in rates] == pytest.approx(ranks)
    held = np.mean([scale.to_raw(10) <= rate <= scale.to_raw(90) for rate in rates])
    assert held == np.mean([10 <= rank <= 90 for rank in ranks]), "a translated range holds what it held in ranks"


@settings(deadline=None, max_examples=40)  # a shared machine is slow now and then
@given(
    st.lists(
        st.tuples(st.integers(1, 10**6), st.floats(0, 1)).map(lambda p: (p[0], round(p[0] * p[1]))),
        min_size=1,
        max_size=30,
    )
)
def test_shrunk_rates_lie_between_the_extremes_and_never_leave_0_1(pairs: list[tuple[int, int]]) -> None:
    n, k = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    shrunk = shrink(k / n, n)
    assert np.isfinite(shrunk).all()
    assert ((shrunk >= 0) & (shrunk <= 1)).all()


def test_unknown_exposures_and_small_or_constant_groups_stay_raw() -> None:
    rates, n = np.array([0.1, 0.2, 0.3, 0.9]), np.array([100.0, 200.0, 300.0, np.nan])
    assert shrink(rates, n)[3] == 0.9
    assert shrink(rates[:2], n[:2]).tolist() == [0.1, 0.2]
    assert shrink(np.zeros(5), np.full(5, 50.0)).tolist() == [0.0] * 5


def test_rank_leaves_posts_without_a_value_without_a_rank() -> None:
    frame = pl.DataFrame(
        {"channel": ["post"] * 3, "value.likes": [1.0, None, 2.0], "exposure.likes": [None] * 3},
        schema_overrides={"exposure.likes": pl.Float64},
    )
    assert rank(frame, ["likes"])["percentile.likes"].to_list() == [25.0, None, 75.0]
