"""Search: exact under every filter, checked against brute force."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import Library, Retriever
from agents.library.index import VectorIndex
from lcbm_model.errors import LibraryError, MetricError
from tests.agents.hashing_embedder import HashingEmbedder

WORDS = ["rain", "pan", "train", "bread", "river", "night", "coat", "lamp"]
CHANNELS = ["post", "email_subject", "advert"]


@pytest.fixture(scope="module")
def library() -> Library:
    rng = np.random.default_rng(3)
    n = 200
    frame = pl.DataFrame(
        {
            "id": [f"p{i}" for i in range(n)],
            "text": [" ".join(rng.choice(WORDS, 3)) for _ in range(n)],
            "channel": rng.choice(CHANNELS, n, p=[0.8, 0.18, 0.02]),
            "date": [date(2024, 1, 1) + timedelta(days=int(d)) if d < 300 else None for d in rng.integers(0, 330, n)],
            "audience": [None if a == "" else str(a) for a in rng.choice(["parents", "students", ""], n)],
            "likes": [None if v > 950 else int(v) for v in rng.integers(0, 1000, n)],
            "shares": rng.integers(0, 50, n),
        }
    )
    return Library.from_frame(frame, embedder=HashingEmbedder(), metric="likes")


def test_it_is_a_retriever_and_finds_the_post_itself(library: Library) -> None:
    assert isinstance(library, Retriever)
    post = library.posts[17]
    hits = library.search(post.text, 3)
    assert hits[0].similarity == pytest.approx(1, abs=1e-5)
    assert hits[0].post.text == post.text
    assert [h.similarity for h in hits] == sorted((h.similarity for h in hits), reverse=True)
    assert hits[0].metric == "likes"
    assert hits[0].value == hits[0].post.values.get("likes")
    shares = library.search(post.text, 1, metric="shares")[0]
    assert (shares.metric, shares.value) == ("shares", shares.post.values["shares"])


def _allowed(library: Library, **conditions: Any) -> list[int]:
    """Brute force over posts, one by one."""
    low, high = conditions["likes"]
    day = conditions["date"]
    kept = []
    for i, p in enumerate(library.posts):
        likes, rank = p.values.get("likes"), p.percentiles.get("likes")
        floor = conditions["min_percentile"]
        if floor is not None and (rank is None or rank < floor):
            continue
        if conditions["channel"] is not None and p.channel != conditions["channel"]:
            continue
        if conditions["audience"] is not None and p.audience not in conditions["audience"]:
            continue
        if day is not None and (p.date is None or p.date < day):
            continue
        bounded = (low, high) != (None, None)
        if bounded and (likes is None or likes < (low or 0) or likes > (1000 if high is None else high)):
            continue
        kept.append(i)
    return kept


@settings(deadline=None)  # a shared machine is slow now and then
@given(
    query=st.lists(st.sampled_from([*WORDS, "unknown"]), min_size=1, max_size=4).map(" ".join),
    k=st.integers(1, 250),
    min_percentile=st.none() | st.floats(0, 100),
    channel=st.none() | st.sampled_from([*CHANNELS, "video"]),
    audience=st.none() | st.lists(st.sampled_from(["parents", "students", "nobody"])),
    day=st.none() | st.dates(date(2023, 12, 1), date(2024, 12, 31)),
    low=st.none() | st.integers(0, 1000),
    high=st.none() | st.integers(0, 1000),
)
def test_filtered_search_is_brute_force(
    library: Library,
    query: str,
    k: int,
    min_percentile: float | None,
    channel: str | None,
    audience: list[str] | None,
    day: date | None,
    low: int | None,
    high: int | None,
) -> None:
    filters: dict[str, Any] = {}
    if audience is not None:
        filters["audience"] = audience
    if day is not None:
        filters["date"] = (day, None)
    if (low, high) != (None, None):
        filters["likes"] = (low, high)
    hits = library.search(query, k, min_percentile=min_percentile, channel=channel, filters=filters)

    rows = _allowed(
        library, min_percentile=min_percentile, channel=channel, audience=audience, date=day, likes=(low, high)
    )
    embedder = HashingEmbedder()
    cosines = embedder.embed([library.posts[i].text for i in rows]) @ embedder.embed([query])[0]
    best = np.sort(cosines)[::-1][:k]
    assert len(hits) == min(k, len(rows)), "a filter loses no result"
    assert [h.similarity for h in hits] == pytest.approx(best.tolist(), abs=1e-5)
    assert {h.post.id for h in hits} <= {library.posts[i].id for i in rows}
    assert len({h.post.id for h in hits}) == len(hits)


def test_one_eligible_among_many_is_found(library: Library) -> None:
    last = library.posts[-1]
    (hit,) = library.search("words that stand nowhere", 5, filters={"id": last.id})
    assert hit.post == last


def test_channels_are_found_however_they_are_written(library: Library) -> None:
    found = library.search("rain", 500, channel="Email Subject")
    assert len(found) == library.channels["email_subject"] > 0
    assert found == library.search("rain", 500, filters={"channel": ["email-subject"]})


def test_dates_as_text_and_as_times(library: Library) -> None:
    day = library.search("rain", 500, filters={"date": ("2024-03-01", "2024-03-31")})
    assert day == library.search("rain", 500, filters={"date": (datetime(2024, 3, 1, 12), date(2024, 3, 31))})
    assert day


@pytest.mark.parametrize(
    ("query", "options", "error", "said"),
    [
        ("  ", {}, LibraryError, "query: is empty"),
        ("a", {"k": 0}, LibraryError, "k: must be at least 1"),
        ("a", {"min_percentile": 101}, LibraryError, "must lie in 0..100"),
        ("a", {"min_percentile": float("nan")}, LibraryError, "must lie in 0..100"),
        ("a", {"metric": "shares_"}, MetricError, "Did you mean 'shares'"),
        ("a", {"metric": "click_rate"}, MetricError, "Measured there: likes, shares"),
        ("a", {"filters": {"mood": "good"}}, LibraryError, "no such field.*'mood'.*Known: id, channel"),
        ("a", {"filters": {"likes": 3}}, LibraryError, r"takes a range \(low, high\)"),
        ("a", {"filters": {"likes": ("few", None)}}, LibraryError, "not a number"),
        ("a", {"filters": {"date": ("March", None)}}, LibraryError, "not a date"),
        ("a", {"filters": {"audience": 3}}, LibraryError, "takes a text or a list of texts"),
    ],
)
def test_wrong_questions(library: Library, query: str, options: dict[str, Any], error: type, said: str) -> None:
    with pytest.raises(error, match=said):
        library.search(query, **options)


def test_hostile_queries_are_only_words(library: Library) -> None:
    for query in ("\ud800 half", "\0", "a" * 50_000, "'; DROP TABLE posts; --", "🦊"):
        assert len(library.search(query, 2)) == 2


def test_the_better_end_of_a_metric_where_lower_is_better() -> None:
    from lcbm_model.metrics import Metric

    metric = Metric(
        name="test_bounces", title="bounces", kind="count", unit="bounces", verb="leave", higher_is_better=False
    )
    frame = pl.DataFrame({"text": list("abcd"), "test_bounces": [1, 2, 3, 4]})
    library = Library.from_frame(frame, embedder=HashingEmbedder(), metric=metric)
    assert {h.post.text for h in library.search("a", 4, min_percentile=60)} == {"a"} | {
        p.text for p in library.posts if p.percentiles["test_bounces"] <= 40
    }


def test_vectors_without_direction_are_refused() -> None:
    for bad in (0.0, np.nan, np.inf):
        vectors = np.ones((3, 4), dtype=np.float32)
        vectors[1] = bad
        with pytest.raises(LibraryError, match="without direction for text 2"):
            VectorIndex.build(vectors)


def test_vectors_are_brought_to_unit_length() -> None:
    index = VectorIndex.build(np.array([[3.0, 4.0], [0.0, 9.0]], dtype=np.float32))
    cosines, rows = index.search(np.array([0.0, 2.0], dtype=np.float32), 5)
    assert cosines.tolist() == pytest.approx([1.0, 0.8])
    assert rows.tolist() == [1, 0]
