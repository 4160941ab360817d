"""Every kind of index: the same answers as brute force wherever exactness is promised, and never fewer results."""

from __future__ import annotations

import gc
import io
from functools import lru_cache
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.library import index as index_module
from agents.library import indexes
from agents.library.index import VectorIndex
from agents.library.indexes import gpu
from agents.library.indexes.tuning import TARGET, sample_queries
from lcbm_model.errors import LibraryError, SettingsError

N, D = 10_000, 16
NO_GPU = pytest.mark.skipif(not gpu.available(), reason="FAISS sees no GPU here: the GPU index is NOT tested")
KINDS = ["flat", "hnsw", "ivfpq", pytest.param("gpu", marks=[pytest.mark.gpu, NO_GPU])]


@lru_cache
def clustered(n: int = N, d: int = D) -> np.ndarray:
    """(n, d) unit vectors around 50 centres, the first 40 all alike as re-posted texts are."""
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(50, d))
    vectors = centres[rng.integers(0, 50, n)] + 0.6 * rng.normal(size=(n, d))
    vectors[:40] = vectors[0]
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@lru_cache
def built(kind: str) -> VectorIndex:
    return VectorIndex.build(clustered(), kind)


def brute(query: np.ndarray, k: int, allowed: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    cosines = clustered() @ (query / np.linalg.norm(query))
    rows = np.arange(N) if allowed is None else np.flatnonzero(allowed)
    order = rows[np.lexsort((rows, -cosines[rows]))][:k]
    return cosines[order], order


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1), k=st.integers(1, 60), share=st.sampled_from([0.0, 0.0002, 0.001, 0.01, 0.3, 1.0])
)
def test_a_filter_loses_nothing(kind: str, seed: int, k: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    allowed, query = rng.random(N) < share, rng.normal(size=D).astype(np.float32)
    cosines, rows = built(kind).search(query, k, allowed)
    expected, _ = brute(query, k, allowed)
    assert allowed[rows].all()
    assert len(set(rows.tolist())) == len(rows) == min(k, int(allowed.sum()))
    if share < 1:
        assert cosines == pytest.approx(expected, abs=1e-5)
        assert cosines == pytest.approx(clustered()[rows] @ (query / np.linalg.norm(query)), abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.05, 0.2, 0.6])
def test_large_subsets_go_through_the_index_and_are_still_complete(
    kind: str, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a library so large that comparing all allowed rows would be slow."""
    monkeypatch.setattr(index_module, "FLAT_ROWS", 100)
    rng = np.random.default_rng(1)
    allowed = rng.random(N) < share
    found = true = 0
    for query in sample_queries(clustered()):
        _, rows = built(kind).search(query, 10, allowed)
        assert len(rows) == 10
        assert allowed[rows].all()
        found += len(set(rows.tolist()) & set(brute(query, 10, allowed)[1].tolist()))
        true += 10
    assert found / true >= (1.0 if share < index_module.LEAST_SHARE else 0.9)


@pytest.mark.parametrize("kind", KINDS)
def test_recall_reaches_its_target(kind: str) -> None:
    index = built(kind)
    assert index.recall() >= TARGET
    queries = clustered()[100:200] + 0.05
    found = sum(len(set(index.search(q, 10)[1].tolist()) & set(brute(q, 10)[1].tolist())) for q in queries)
    assert found / 1000 >= 0.9
    assert (index.kind, len(index), index.dimension) == (kind, N, D)


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivfpq"])
def test_written_and_opened_it_answers_the_same(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "vectors.faiss"
    built(kind).write(path)
    opened = VectorIndex.read(path)
    assert opened.kind == kind
    assert opened.vectors.flags.aligned or kind != "flat"  # askew, exact search takes many times as long
    assert np.array_equal(opened.vectors, built(kind).vectors)
    for query in clustered()[:5]:
        for k in (1, 10, 2000):
            a, b = built(kind).search(query, k), opened.search(query, k)
            assert np.array_equal(a[0], b[0])
            assert np.array_equal(a[1], b[1])


def test_more_results_than_a_graph_can_give_are_looked_up_exactly() -> None:
    query = np.ones(D, np.float32)
    cosines, rows = built("hnsw").search(query, N + 5)
    assert np.array_equal(rows, brute(query, N)[1])
    assert len(cosines) == N


def test_equal_vectors_are_all_found_in_row_order() -> None:
    _, rows = built("flat").search(clustered()[0], 40)
    assert rows.tolist() == list(range(40))
    _, rows = built("flat").search(clustered()[0], 7)
    assert rows.tolist() == list(range(7))


def test_what_a_graph_misses_is_made_up_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph whose entry sees a few hundred rows at most cannot fill k: the answer must still be whole."""
    monkeypatch.setattr(index_module, "FLAT_ROWS", 0)
    monkeypatch.setattr(index_module, "LEAST_SHARE", 0.0)
    allowed = np.zeros(N, bool)
    allowed[-5:] = True
    query = clustered()[0]
    for kind in ("hnsw", "ivfpq"):
        cosines, rows = built(kind).search(query, 5, allowed)
        assert np.array_equal(rows, brute(query, 5, allowed)[1])
        assert cosines == pytest.approx(brute(query, 5, allowed)[0], abs=1e-6)


def test_the_kind_follows_the_size_and_can_be_named() -> None:
    assert [indexes.kind_for(n) for n in (1, 200_000, 200_001, 2_000_000, 2_000_001)] == [
        "flat", "flat", "hnsw", "hnsw", "ivfpq",
    ]  # fmt: skip
    assert VectorIndex.build(clustered()[:50]).kind == "flat"
    assert VectorIndex.build(clustered()[:50]).suffix == "npy"
    assert VectorIndex.build(clustered()[:50], "hnsw").kind == "hnsw"
    with pytest.raises(LibraryError, match=r"'ivfpq' needs 10000 posts.*got 50"):
        VectorIndex.build(clustered()[:50], "ivfpq")
    with pytest.raises(LibraryError, match="multiple of 4 dimensions"):
        VectorIndex.build(np.ones((10_000, 5), np.float32), "ivfpq")
    with pytest.raises(SettingsError, match=r"no such kind.*'annoy'.*auto, flat, hnsw, ivfpq, gpu"):
        VectorIndex.build(clustered()[:50], "annoy")


@pytest.mark.skipif(gpu.available(), reason="there is a GPU here")
def test_without_a_gpu_the_remedy_is_told() -> None:
    for ask in (lambda: VectorIndex.build(clustered()[:50], "gpu"), lambda: built("flat").on_gpu()):
        with pytest.raises(SettingsError, match=r"no GPU that FAISS can use.*faiss-gpu"):
            ask()


@pytest.mark.gpu
@NO_GPU
def test_a_written_index_moves_to_the_gpu(tmp_path: Path) -> None:
    built("hnsw").write(tmp_path / "vectors.faiss")
    moved = VectorIndex.read(tmp_path / "vectors.faiss").on_gpu()
    query = np.ones(D, np.float32)
    assert moved.kind == "gpu"
    assert moved.search(query, 10)[0] == pytest.approx(brute(query, 10)[0], abs=1e-5)
    moved.write(tmp_path / "again.faiss")
    assert VectorIndex.read(tmp_path / "again.faiss").kind == "flat"


def test_libraries_written_before_still_open(tmp_path: Path) -> None:
    old = faiss.IndexIDMap2(faiss.IndexFlatIP(D))
    old.add_with_ids(clustered()[:100], np.arange(100, dtype=np.int64))
    faiss.write_index(old, str(tmp_path / "old.faiss"))
    opened = VectorIndex.read(tmp_path / "old.faiss")
    assert opened.vectors.flags.aligned
    del old
    gc.collect()
    assert np.array_equal(opened.vectors, clustered()[:100])
    assert opened.search(clustered()[50], 1)[1].tolist() == [50]


def test_an_id_map_of_other_numbers_is_refused(tmp_path: Path) -> None:
    other = faiss.IndexIDMap2(faiss.IndexFlatIP(D))
    other.add_with_ids(clustered()[:3], np.array([5, 6, 7], dtype=np.int64))
    faiss.write_index(other, str(tmp_path / "other.faiss"))
    with pytest.raises(LibraryError, match="another kind of index"):
        VectorIndex.read(tmp_path / "other.faiss")


def _array(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nothing of the kind",
        b"IxFI" + bytes(100),
        b"\x93NUMPY",
        _array(np.ones((5, 4), np.float64)),
        _array(np.ones(5, np.float32)),
        _array(np.array([{}])),
        _array(np.ones((500, 4), np.float32))[:-9],
    ],
)
def test_what_is_no_index_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.faiss"
    path.write_bytes(content)
    with pytest.raises(LibraryError, match=r"x\.faiss"):
        VectorIndex.read(path)


def test_vectors_not_of_unit_length_are_refused_at_opening(tmp_path: Path) -> None:
    raw = faiss.IndexFlatIP(D)
    raw.add(clustered()[:100] * 2)
    faiss.write_index(raw, str(tmp_path / "x.faiss"))
    with pytest.raises(LibraryError, match="not of unit length"):
        VectorIndex.read(tmp_path / "x.faiss")


def test_a_similarity_that_cannot_be_is_damage(tmp_path: Path) -> None:
    from agents.library.indexes.exact import nearest

    for bad in (np.nan, np.inf, 3e30):
        vectors = clustered()[:100].copy()
        vectors[60, 3] = bad
        with pytest.raises(LibraryError, match="vectors: are damaged"):
            nearest(vectors, clustered()[1], 5)


def test_vectors_outlive_their_index_and_cannot_be_written(tmp_path: Path) -> None:
    built("hnsw").write(tmp_path / "v.faiss")
    vectors = VectorIndex.read(tmp_path / "v.faiss").vectors
    gc.collect()
    assert vectors == pytest.approx(clustered(), abs=1e-6)
    with pytest.raises(ValueError, match="read-only"):
        vectors[0] = 0


@pytest.mark.parametrize("shape", [(D + 1,), (1, D), (0,)])
def test_a_query_of_another_dimension(shape: tuple[int, ...]) -> None:
    with pytest.raises(LibraryError, match="is no vector of 16 numbers"):
        built("flat").search(np.ones(shape, np.float32), 3)


def test_a_query_without_direction() -> None:
    for bad in (0.0, np.nan, np.inf):
        with pytest.raises(LibraryError, match="without direction"):
            built("flat").search(np.full(D, bad, np.float32), 3)
