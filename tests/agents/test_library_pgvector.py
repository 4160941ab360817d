"""A shared library on a real PostgreSQL with pgvector: the same answers as the library that was published."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from agents import Library, Retriever
from agents.library import pgvector
from agents.library.contrast import contrast
from agents.library.pgvector import PostgresLibrary
from lcbm_model.errors import BackendError, LibraryError, MetricError, SettingsError
from tests.agents.hashing_embedder import HashingEmbedder

pytestmark = pytest.mark.postgres
WORDS = ["rain", "pan", "train", "bread", "river", "night", "coat", "lamp"]


@pytest.fixture(scope="session")
def url(worker_id: str) -> Iterator[str]:
    """A schema of its own for each test process."""
    import sqlalchemy as sa

    found = os.environ.get("LCBM_POSTGRES_URL")
    if not found:
        pytest.skip("no PostgreSQL: set LCBM_POSTGRES_URL to what `.ci/postgres start` prints; NOT tested")
    schema = f"test_{worker_id}"

    def run(statement: str) -> None:
        with pgvector._engine(found) as engine, engine.begin() as connection:
            connection.execute(sa.text(statement))

    # The extension stays where every schema finds it.
    run("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
    run(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    run(f"CREATE SCHEMA {schema}")
    mark = "&" if "?" in found else "?"
    yield f"{found}{mark}options=-csearch_path%3D{schema},public"
    run(f"DROP SCHEMA {schema} CASCADE")


def made(n: int = 150, seed: int = 0) -> Library:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "id": [f"p{i}" for i in range(n)],
            "text": [" ".join(rng.choice(WORDS, 3)) + f" {i}" for i in range(n)],
            "channel": rng.choice(["post", "advert"], n),
            "date": [date(2024, 1, 1 + int(d)) if d < 28 else None for d in rng.integers(0, 31, n)],
            "audience": rng.choice(["parents", "students"], n),
            "likes": [None if v > 950 else int(v) for v in rng.integers(0, 1000, n)],
        }
    )
    return Library.from_frame(frame, embedder=HashingEmbedder(), metric="likes")


@pytest.fixture(scope="module")
def library() -> Library:
    return made()


@pytest.fixture(scope="module")
def shared(url: str, library: Library) -> Iterator[PostgresLibrary]:
    yield PostgresLibrary.publish(library, url, "test_shared")
    drop(url, "test_shared")


def drop(url: str, name: str) -> None:
    import sqlalchemy as sa

    with pgvector._engine(url) as engine, engine.begin() as connection:
        connection.execute(sa.text(f"DROP TABLE IF EXISTS lcbm_library_{name}"))
        connection.execute(sa.delete(pgvector.CATALOGUE).where(pgvector.CATALOGUE.c.name == name))


def facts(hits: list[Any]) -> list[tuple[Any, ...]]:
    return [(h.post, h.metric, h.value, h.percentile, pytest.approx(h.similarity, abs=1e-5)) for h in hits]


@pytest.mark.parametrize(
    "conditions",
    [
        {},
        {"min_percentile": 70},
        {"channel": "Advert"},
        {"filters": {"audience": ["parents"], "date": ("2024-01-10", None)}},
        {"filters": {"likes": (100, 500), "percentile": (None, 50)}},
        {"filters": {"id": ["p3", "p4", "nobody"]}},
        {"filters": {"audience": []}},
    ],
)
def test_it_answers_as_the_library_does(library: Library, shared: PostgresLibrary, conditions: dict[str, Any]) -> None:
    for query in ("rain pan", "night 7", "unknown words"):
        every = library.search(query, 500, **conditions)
        known = dict(zip((h.post.id for h in every), facts(every), strict=True))
        for k in (1, 10, 500):
            theirs = shared.search(query, k, **conditions)
            assert [h.similarity for h in theirs] == pytest.approx([h.similarity for h in every[:k]], abs=1e-5)
            # Equal cosines may differ in their last digit between the two: any of such posts may stand in their place.
            assert len({h.post.id for h in theirs}) == len(theirs)
            assert facts(theirs) == [known.get(h.post.id) for h in theirs]


def test_it_is_a_retriever_with_scale_evidence_and_contrast(library: Library, shared: PostgresLibrary) -> None:
    assert isinstance(shared, Retriever)
    assert (len(shared), shared.metric, shared.metrics) == (150, "likes", library.metrics)
    assert shared.scale("likes", "advert") == library.scale("likes", "advert")
    assert shared.scale("likes", "nowhere") is None
    (mine,), (theirs,) = library.evidence_for(["rain pan"]), shared.evidence_for(["rain pan"])
    assert (theirs.n, theirs.estimate, theirs.high) == pytest.approx((mine.n, mine.estimate, mine.high), abs=1)
    both = contrast(shared, "rain", 3)
    assert both.complete
    assert all(h.percentile is not None and h.percentile <= 25 for h in both.badly)


def test_a_rates_scale_is_of_what_was_measured_here_too(url: str) -> None:
    frame = pl.DataFrame({"text": ["a", "b", "c", "d"], "clicks": [1, 4, 9, 2], "impressions": [40, 50, 100, 30]})
    mine = Library.from_frame(frame, embedder=HashingEmbedder())
    theirs = PostgresLibrary.publish(mine, url, "test_rates")
    try:
        assert theirs.scale("click_rate", "post") == mine.scale("click_rate", "post")
    finally:
        drop(url, "test_rates")


def test_another_opens_it(url: str, library: Library, shared: PostgresLibrary) -> None:
    opened = PostgresLibrary.open(url, "test_shared", embedder=HashingEmbedder())
    assert facts(opened.search("bread", 5)) == facts(shared.search("bread", 5))
    with pytest.raises(LibraryError, match=r"made by the embedder 'hashing'.*publish it anew"):
        PostgresLibrary.open(url, "test_shared", embedder=HashingEmbedder("other"))
    with pytest.raises(LibraryError, match="is not in this database"):
        PostgresLibrary.open(url, "test_nothing", embedder=HashingEmbedder())


def test_publishing_again_replaces_it_whole(url: str) -> None:
    try:
        PostgresLibrary.publish(made(40), url, "test_again")
        PostgresLibrary.publish(made(60, seed=1), url, "test_again")
        opened = PostgresLibrary.open(url, "test_again", embedder=HashingEmbedder())
        assert len(opened) == len(opened.search("rain", 500)) == 60
    finally:
        drop(url, "test_again")


def test_a_failed_publication_leaves_the_old_one(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        PostgresLibrary.publish(made(40), url, "test_failed")
        real = pgvector._rows

        def failing(library: Library, start: int) -> Iterator[dict[str, Any]]:
            yield from real(library, start)
            raise RuntimeError("killed in the middle")

        monkeypatch.setattr(pgvector, "_rows", failing)
        with pytest.raises(RuntimeError, match="in the middle"):
            PostgresLibrary.publish(made(60), url, "test_failed")
        assert len(PostgresLibrary.open(url, "test_failed", embedder=HashingEmbedder()).search("rain", 500)) == 40
    finally:
        drop(url, "test_failed")


def test_two_who_publish_at_once(url: str) -> None:
    errors: list[Exception] = []

    def publish(n: int) -> None:
        try:
            PostgresLibrary.publish(made(n), url, "test_both")
        except Exception as error:
            errors.append(error)

    try:
        threads = [threading.Thread(target=publish, args=(n,)) for n in (30, 50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert errors == []
        opened = PostgresLibrary.open(url, "test_both", embedder=HashingEmbedder())
        assert len(opened) == len(opened.search("rain", 500)) in (30, 50)
    finally:
        drop(url, "test_both")


def test_a_large_library_walks_its_index_and_filters_exactly(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pgvector, "FLAT_ROWS", 100)
    library = made(150)
    try:
        shared = PostgresLibrary.publish(library, url, "test_walked")
        mine, theirs = library.search("rain pan", 10), shared.search("rain pan", 10)
        assert len({h.post.id for h in mine} & {h.post.id for h in theirs}) >= 9
        last = library.posts[-1]
        assert [h.post.id for h in shared.search("nothing like it", 5, filters={"id": last.id})] == [last.id]
        assert len(shared.search("rain", 150)) == 150
    finally:
        drop(url, "test_walked")


def test_hostile_texts_are_only_texts(url: str) -> None:
    texts = ["'; DROP TABLE lcbm_libraries; --", "nul \0 inside", "%s %(x)s :name", "🦊 fox"]
    library = Library.from_frame(
        pl.DataFrame({"text": texts, "likes": [1, 2, 3, 4]}), embedder=HashingEmbedder(), metric="likes"
    )
    try:
        shared = PostgresLibrary.publish(library, url, "test_hostile")
        found = {h.post.text for h in shared.search("'; DROP TABLE lcbm_libraries; -- \ud800", 9)}
        assert found == {p.text.replace("\0", "\ufffd") for p in library.posts}
        assert shared.search("x", 3, filters={"id": "' OR 1=1"}) == []
    finally:
        drop(url, "test_hostile")


def test_wrong_questions(shared: PostgresLibrary) -> None:
    with pytest.raises(LibraryError, match="query: is empty"):
        shared.search(" ")
    with pytest.raises(LibraryError, match="k: must be at least 1"):
        shared.search("a", 0)
    with pytest.raises(MetricError, match="Measured there: likes"):
        shared.search("a", metric="shares")
    with pytest.raises(LibraryError, match="no such field"):
        shared.search("a", filters={"value.likes; --": (1, 2)})


@pytest.mark.parametrize("name", ["", "A", "1a", "a b", "a;drop", "a" * 41, "a\n"])
def test_names_that_name_no_table(url: str, library: Library, name: str) -> None:
    with pytest.raises(SettingsError, match="cannot name a table"):
        PostgresLibrary.publish(library, url, name)


def test_no_database_there() -> None:
    for bad in ("no url", "sqlite:///x"):
        with pytest.raises(SettingsError, match="database"):
            PostgresLibrary.open(bad, "a", embedder=HashingEmbedder())
    with pytest.raises(BackendError, match=r"the database failed") as told:
        PostgresLibrary.open("postgresql://u:secret@127.0.0.1:9/x", "a", embedder=HashingEmbedder())
    assert "secret" not in str(told.value)
