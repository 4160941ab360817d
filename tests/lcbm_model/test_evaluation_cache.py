"""Cached embeddings equal fresh ones, and nothing is embedded twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lcbm_model.evaluation.embedding_cache import CachedEmbedder
from tests.lcbm_model.evaluation_data import BagEmbedder


class Counting(BagEmbedder):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.seen += texts
        return super().embed(texts)


TEXTS = ["bright lamp", "dull river window", "bright lamp", "piano", "", "a lone surrogate \ud800"]


def test_cached_vectors_equal_fresh_ones_and_come_in_order(tmp_path: Path) -> None:
    inner = Counting()
    first = CachedEmbedder(lambda: inner, tmp_path).embed(TEXTS)
    assert sorted(inner.seen) == sorted(set(TEXTS))
    again = CachedEmbedder(lambda: inner, tmp_path).embed(TEXTS[::-1])
    assert len(inner.seen) == len(set(TEXTS))
    np.testing.assert_array_equal(first, BagEmbedder().embed(TEXTS))
    np.testing.assert_array_equal(again, first[::-1])
    assert CachedEmbedder(lambda: inner, tmp_path).embed([]).shape == (0, 12)


def test_another_embedder_has_its_own_file_and_a_damaged_row_is_made_anew(tmp_path: Path) -> None:
    class Other(Counting):
        hash = "1" * 64

    CachedEmbedder(Counting, tmp_path).embed(["piano"])
    other = Other()
    CachedEmbedder(lambda: other, tmp_path).embed(["piano"])
    assert other.seen == ["piano"]
    with sqlite3.connect(tmp_path / f"{'0' * 16}.sqlite") as store:
        store.execute("UPDATE embedded SET vector = x'00'")
    store.close()
    inner = Counting()
    np.testing.assert_array_equal(CachedEmbedder(lambda: inner, tmp_path).embed(["piano"]), inner.embed(["piano"]))
    assert inner.seen == ["piano", "piano"]


def test_nothing_is_loaded_before_a_text_comes(tmp_path: Path) -> None:
    def refuse() -> BagEmbedder:
        raise AssertionError("loaded for nothing")

    embedder = CachedEmbedder(refuse, tmp_path)
    with pytest.raises(AssertionError):
        embedder.embed(["piano"])


def test_a_cache_that_cannot_be_used_costs_no_vectors(tmp_path: Path) -> None:
    damaged, blocked = tmp_path / "damaged", tmp_path / "blocked"
    CachedEmbedder(Counting, damaged).embed(TEXTS)
    (file,) = damaged.iterdir()
    file.write_bytes(b"no database " * 1000)
    blocked.write_text("a file where the folder should be", encoding="utf-8")
    for folder in (damaged, blocked):
        with pytest.warns(RuntimeWarning, match=rf"not kept for the next time: .*{file.name}"):
            vectors = CachedEmbedder(Counting, folder).embed(TEXTS)
        assert np.array_equal(vectors, BagEmbedder().embed(TEXTS))


def test_the_cache_lies_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LCBM_CACHE", "~/own")
    CachedEmbedder(Counting).embed(["piano"])
    assert [path.suffix for path in (tmp_path / "own" / "embeddings").iterdir()] == [".sqlite"]
