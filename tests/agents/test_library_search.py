"""Search: exact under every filter, checked against brute force."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from agents import Hit, Library, Retriever
from agents.library.contrast import contrast
from agents.library.fusion import fuse
from agents.library.index import VectorIndex
from agents.library.mmr import diversify
from agents.library.pictures import PictureEncoder, PictureHit, PictureShelf
from lcbm_model.errors import LibraryError, MetricError, PictureError
from lcbm_model.vision.images import open_picture
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
        ("a", {"filters": {"likes": (float("nan"), None)}}, LibraryError, "not a number"),
        ("a", {"filters": {"percentile": 3}}, LibraryError, r"takes a range \(low, high\)"),
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
        p.text for p in library.posts if p.percentiles["test_bounces"] >= 60
    }
    scale = library.scale("test_bounces")
    assert scale is not None
    assert (scale.to_percentile(1), scale.to_percentile(4)) == (87.5, 12.5)
    assert library.evidence_for(["a"], k=1, filters={"percentile": (60, 100)})[0].estimate > 50


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


# Diversity, contrast, pictures ------------------------------------------------------------------------------------


def test_diverse_results_are_less_alike_and_still_pass_every_filter(library: Library) -> None:
    def likeness(hits: list[Hit]) -> float:
        vectors = HashingEmbedder().embed([h.post.text for h in hits])
        return float((vectors @ vectors.T)[np.triu_indices(len(hits), 1)].mean())

    plain = library.search("rain train", 8, channel="post")
    diverse = library.search("rain train", 8, channel="post", diversity=0.6)
    assert diverse[0] == plain[0]
    assert likeness(diverse) < 0.9 * likeness(plain)
    assert len({h.post.id for h in diverse}) == 8
    assert {h.post.channel for h in diverse} == {"post"}
    truth = {h.post.id: h.similarity for h in library.search("rain train", len(library))}
    assert [h.similarity for h in diverse] == pytest.approx([truth[h.post.id] for h in diverse], abs=1e-5)


@pytest.mark.parametrize("diversity", [-0.1, 1.1, float("nan")])
def test_diversity_out_of_range(library: Library, diversity: float) -> None:
    with pytest.raises(LibraryError, match=r"diversity: must lie in 0\.\.1"):
        library.search("rain", diversity=diversity)


def test_mmr_by_its_definition() -> None:
    rng = np.random.default_rng(0)
    vectors = HashingEmbedder().embed([" ".join(rng.choice(WORDS, 3)) for _ in range(30)])
    relevance = rng.random(30)
    chosen = diversify(relevance, vectors, 6, 0.4).tolist()
    for place in range(1, 6):
        before = chosen[:place]
        score = 0.6 * relevance - 0.4 * (vectors @ vectors[before].T).max(axis=1)
        score[before] = -np.inf
        assert chosen[place] == int(np.argmax(score))
    assert diversify(relevance, vectors, 99, 0.0).tolist() == np.argsort(-relevance).tolist()


def test_fused_ranks() -> None:
    rows, scores = fuse([np.array([4, 2, 9]), np.array([2, 7])])
    assert rows.tolist() == [2, 4, 7, 9]
    assert scores == pytest.approx([(61 / 62 + 1) / 2, 0.5, 61 / 62 / 2, 61 / 63 / 2])
    assert fuse([np.array([3]), np.array([3])])[1].tolist() == [1.0]


def test_contrast_shows_both_sides(library: Library) -> None:
    both = library.contrast("rain pan", 4, well=70, badly=30)
    assert both.complete
    assert all(h.percentile is not None and h.percentile >= 70 for h in both.well)
    assert all(h.percentile is not None and h.percentile <= 30 for h in both.badly)
    assert ids(both.well) == ids(library.search("rain pan", 4, min_percentile=70))
    bad = {p.id for p in library.posts if p.percentiles.get("likes", 100) <= 30}
    nearest = [h for h in library.search("rain pan", len(library)) if h.post.id in bad][:4]
    assert ids(both.badly) == ids(nearest)
    only = library.contrast("rain", 4, channel="advert", filters={"audience": "nobody"})
    assert not only.complete
    for well, badly in ((25, 75), (50, 50), (101, 0), (90, -1)):
        with pytest.raises(LibraryError, match="cannot do well and badly"):
            contrast(library, "rain", well=well, badly=badly)


def test_badly_is_the_worse_end_where_lower_is_better() -> None:
    from lcbm_model.metrics import Metric

    metric = Metric(name="test_unsubscribes", title="u", kind="count", unit="u", verb="leave", higher_is_better=False)
    frame = pl.DataFrame({"text": ["a one", "a two", "a three", "a four"], "test_unsubscribes": [1, 2, 3, 4]})
    both = Library.from_frame(frame, embedder=HashingEmbedder(), metric=metric).contrast("a", 1)
    assert ([h.value for h in both.well], [h.value for h in both.badly]) == ([1.0], [4.0])


def colour(paths: Sequence[Path]) -> np.ndarray:
    """A fake tower: the mean colour of a picture."""
    return np.stack([np.asarray(open_picture(p), dtype=np.float32).mean(axis=(0, 1)) - 100 for p in paths])


@pytest.fixture
def illustrated(tmp_path: Path) -> Library:
    """Six posts; red pictures with two, blue ones with two, one broken, one without."""
    colours = {"red.png": (250, 10, 10), "rose.png": (250, 60, 60), "blue.png": (10, 10, 250), "sky.png": (60, 60, 250)}
    for name, rgb in colours.items():
        Image.new("RGB", (8, 8), rgb).save(tmp_path / name)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    rows = [("a", "warm coat", "red.png"), ("b", "night train", "rose.png"), ("c", "warm bread", "blue.png"),
            ("d", "river lamp", "sky.png"), ("e", "warm lamp", "broken.png"), ("f", "warm pan", None)]  # fmt: skip
    frame = pl.DataFrame(rows, schema=["id", "text", "image"], orient="row").with_columns(likes=pl.Series(range(6)))
    library = Library.from_frame(frame, embedder=HashingEmbedder(), folder=tmp_path, metric="likes")
    library.pictures = PictureShelf(PictureEncoder("colour", colour))
    return library


def ids(hits: Sequence[Hit]) -> list[str]:
    return [h.post.id for h in hits]


def test_found_by_picture(illustrated: Library, tmp_path: Path) -> None:
    hits = illustrated.search(image=tmp_path / "red.png", k=9)
    assert ids(hits)[:2] == ["a", "b"]
    assert set(ids(hits)) == {"a", "b", "c", "d"}, "posts without a usable picture are not found by one"
    assert hits[0].similarity == pytest.approx(1)
    assert isinstance(hits[0], PictureHit)
    assert hits[0].picture_similarity == pytest.approx(1)
    assert list(illustrated.pictures.failed) == [str((tmp_path / "broken.png").resolve())]
    assert ids(illustrated.search(image=tmp_path / "red.png", k=9, filters={"likes": (2, None)})) == ["c", "d"]


def test_found_by_words_and_picture(illustrated: Library, tmp_path: Path) -> None:
    hits = illustrated.search("warm", 6, image=tmp_path / "red.png")
    assert ids(hits)[0] == "a", "the only post that is first in both"
    assert set(ids(hits)) == set("abcdef")
    by_id = {h.post.id: h for h in hits}
    last = by_id["f"]
    assert isinstance(last, PictureHit)
    assert last.picture_similarity is None
    truth = {h.post.id: h.similarity for h in illustrated.search("warm", 6)}
    assert {i: h.similarity for i, h in by_id.items()} == pytest.approx(truth, abs=1e-5)


def test_what_was_seen_is_kept_and_looked_at_again_only_when_changed(illustrated: Library, tmp_path: Path) -> None:
    folder = illustrated.save(tmp_path / "library")
    illustrated.look_at_pictures()
    assert (folder / "pictures.safetensors").is_file()

    seen: list[str] = []

    def watching(paths: Sequence[Path]) -> np.ndarray:
        seen.extend(p.name for p in paths)
        return colour(paths)

    opened = Library.open(folder, embedder=HashingEmbedder())
    opened.pictures = PictureShelf.open(folder, PictureEncoder("colour", watching))
    opened.look_at_pictures()
    assert seen == ["broken.png"] * 2, "a batch, then one by one; the others are known"
    Image.new("RGB", (9, 9), (10, 250, 10)).save(tmp_path / "red.png")
    (tmp_path / "sky.png").unlink()
    seen.clear()
    assert opened.look_at_pictures() == 4
    assert seen == ["red.png"]
    assert ids(opened.search(image=tmp_path / "rose.png", k=1)) == ["b"]
    assert "d" in ids(opened.search(image=tmp_path / "rose.png", k=9)), "a picture that is gone keeps its vector"
    again = PictureShelf.open(folder, PictureEncoder("another tower", colour))
    assert again.vectors == {}, "vectors of another encoder are not mixed in"


@pytest.mark.parametrize("harm", ["cut", "flip"])
def test_damaged_picture_vectors_are_named(illustrated: Library, tmp_path: Path, harm: str) -> None:
    folder = illustrated.save(tmp_path / "library")
    illustrated.look_at_pictures()
    path = folder / "pictures.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data if harm == "flip" else data[:-9])
    with pytest.raises(LibraryError, match=r"pictures\.safetensors: is damaged.*Delete it"):
        PictureShelf.open(folder, PictureEncoder("colour", colour))


def test_a_query_that_is_no_picture(illustrated: Library, tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="not a picture"):
        illustrated.search(image=tmp_path / "broken.png")
    with pytest.raises(LibraryError, match="query: is empty"):
        illustrated.search()


def test_another_index_kind_is_kept_by_saving(library: Library, tmp_path: Path) -> None:
    before = library.search("rain pan", 5)
    library.use_index("hnsw")
    try:
        adverts = [h for h in library.search("rain pan", 200) if h.post.channel == "advert"]
        assert ids(library.search("rain pan", 5, channel="advert")) == ids(adverts)[:5]
        opened = Library.open(library.save(tmp_path), embedder=HashingEmbedder())
        assert opened.index.kind == "hnsw"
    finally:
        library.use_index("auto")
    assert library.index.kind == "flat"
    assert library.search("rain pan", 5) == before


def test_the_packaged_tower_sees_likeness(tmp_path: Path) -> None:
    """No fake: a turned copy of a picture is nearer to it than noise is."""
    picture = Path(__file__).resolve().parents[2] / "examples" / "kupfer_pan.png"
    with Image.open(picture) as pan:
        pan.convert("RGB").rotate(15).save(tmp_path / "turned.png")
    Image.effect_noise((256, 256), 80).save(tmp_path / "noise.png")
    frame = pl.DataFrame({"text": ["noise", "pan"], "image": ["noise.png", "turned.png"], "likes": [2, 1]})
    library = Library.from_frame(frame, embedder=HashingEmbedder(), folder=tmp_path, metric="likes")
    first, second = library.search(image=picture, k=2)
    assert [first.post.text, second.post.text] == ["pan", "noise"]
    assert first.similarity > 0.7 > 0.4 > second.similarity
