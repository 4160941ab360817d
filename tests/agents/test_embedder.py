"""Which embedder is meant, and the packaged one on real texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from agents import Embedder, Library, load_embedder
from agents.library.embedding import embed_posts
from lcbm_model.embedder import SentenceEmbedder, unit_rows
from lcbm_model.errors import CheckpointError, LibraryError
from tests.agents.hashing_embedder import HashingEmbedder


@pytest.fixture(scope="module")
def minilm() -> Embedder:
    return load_embedder()


def test_an_embedder_is_taken_as_it_is() -> None:
    embedder = HashingEmbedder()
    assert isinstance(embedder, Embedder)
    assert load_embedder(embedder) is embedder


def test_neither_folder_nor_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for name in ("no/such-model-here", "not a name at all!", ""):
        with pytest.raises(CheckpointError, match="neither a folder nor a hub model"):
            load_embedder(name)
    with pytest.raises(CheckpointError, match=r"no .*safetensors"):
        load_embedder(tmp_path)


def test_the_packaged_model_is_loaded_once_and_by_two_names(minilm: Embedder) -> None:
    assert load_embedder("minilm") is minilm
    assert minilm.dimension == 384
    assert len(minilm.hash) == 64


def test_meaning_and_order(minilm: Embedder) -> None:
    texts = ["The bus is late again", "Recipe for apple cake", "Public transport was delayed today", "x " * 40]
    vectors = minilm.embed(texts)
    assert vectors.shape == (4, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert vectors[0] @ vectors[2] > 0.5 > vectors[0] @ vectors[1]
    assert minilm.embed(texts[::-1]) == pytest.approx(vectors[::-1], abs=1e-5), "batches do not mix texts up"
    assert minilm.embed([]).shape == (0, 384)


def test_the_end_of_a_long_text_counts(minilm: Embedder) -> None:
    filler = "The committee met on Tuesday and approved the minutes of the last meeting. " * 40
    plain, ending = minilm.embed([filler, filler + "Penguins dance the tango in Lisbon. " * 40])
    about = minilm.embed(["penguins dancing tango"])[0]
    assert ending @ about > plain @ about + 0.2


def test_chunks_weigh_by_their_tokens_and_short_texts_are_left_alone(minilm: Embedder) -> None:
    words = "tango penguins dancing in Lisbon tonight "
    whole = minilm.embed([words * 200])[0]
    assert whole @ minilm.embed([words * 30])[0] > 0.95, "saying it again changes little"
    tail = minilm.embed([words * 200 + "The invoice is overdue."])[0]
    assert whole @ tail > 0.95, "four words at the end weigh as four words"


def test_vectors_without_direction_are_refused() -> None:
    good = unit_rows(np.array([[3.0, 4.0], [0.0, 2.0]], dtype=np.float32), "tiny")
    assert good == pytest.approx(np.array([[0.6, 0.8], [0.0, 1.0]]))
    for bad in (0.0, np.nan, np.inf):
        with pytest.raises(CheckpointError, match=r"without direction for text 2 of 2 \(got 'tiny'\)"):
            unit_rows(np.array([[1.0, 0.0], [bad, bad]], dtype=np.float32), "tiny")


def test_posts_embedded_before_are_looked_up(minilm: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCBM_CACHE", str(tmp_path))
    texts = ["Copper pans", "Soup for four", "Copper pans"]
    said: list[tuple[int, int]] = []
    first = embed_posts(minilm, texts, lambda done, total: said.append((done, total)))
    assert said == [(2, 2)]
    assert np.array_equal(first[0], first[2])
    monkeypatch.setattr(SentenceEmbedder, "embed", lambda *_: pytest.fail("embedded again"))
    assert np.array_equal(embed_posts(minilm, texts[::-1]), first[::-1])


def test_a_cache_that_cannot_be_written_costs_the_cache_only(
    minilm: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("LCBM_CACHE", str(tmp_path / "file"))
    with pytest.warns(RuntimeWarning, match="embeddings are not kept for the next time"):
        vectors = embed_posts(minilm, ["Copper pans"])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    damaged = tmp_path / "cache" / "embeddings"
    damaged.mkdir(parents=True)
    (damaged / f"{minilm.hash[:16]}.sqlite").write_bytes(b"no database" * 100)
    monkeypatch.setenv("LCBM_CACHE", str(tmp_path / "cache"))
    with pytest.warns(RuntimeWarning, match="not kept"):
        assert np.allclose(embed_posts(minilm, ["Copper pans"]), vectors)


def test_a_library_with_the_packaged_model(minilm: Embedder, tmp_path: Path) -> None:
    texts = ["Sourdough in one evening", "Our new e-bike climbs any hill", "Five soups for cold days", "Helmet sale"]
    frame = pl.DataFrame({"text": texts, "likes": [1, 2, 3, 4]})
    Library.from_frame(frame, metric="likes").save(tmp_path)
    library = Library.open(tmp_path)
    assert library.embedder is minilm
    assert {h.post.text for h in library.search("cycling", 2)} == {texts[1], texts[3]}
    assert library.search("warm food for winter", 1)[0].post.text == texts[2]
    with pytest.raises(LibraryError, match=r"made by the embedder 'all-MiniLM-L6-v2'"):
        Library.open(tmp_path, embedder=HashingEmbedder())
