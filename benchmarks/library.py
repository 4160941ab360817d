"""The library at size: building, exact and approximate search, filters, opening.

    python benchmarks/library.py                    a million vectors of 384 numbers, on an idle machine
    python benchmarks/library.py --rows 20000 --texts 300 --quick     to see that it runs

Vectors are synthetic: clusters on the sphere whose nearest neighbours are as near as those of sentence embeddings of
short posts. Every way takes its turn in every repeat. Writes benchmarks/results/library.json.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import polars as pl
import torch
from measuring import command_line, machine, run
from threadpoolctl import threadpool_info

from agents import Embedder, Library, load_embedder
from agents.library.index import VectorIndex
from agents.library.indexes.exact import nearest
from lcbm_model.evaluation.benchmark_record import BenchmarkRecord, Table, Value

OUT = Path(__file__).parent / "results" / "library.json"
K = 10
SELECTED = 0.01
SPOKEN = """rain umbrella coat boots train platform ticket delay bread oven crust flour river boat bridge lamp desk
paper coffee morning garden spade seed tomato bicycle helmet road school teacher lesson music drum winter snow"""
WORDS = SPOKEN.split()


def main(arguments: Sequence[str] | None = None) -> None:
    asked = _arguments(arguments)
    asked.command = command_line(__file__, arguments)
    figures: dict[str, Any] = {}
    if asked.texts:
        figures["build"] = build(asked.texts, asked.repeats)
        _tell("build", figures["build"])
    if asked.building:
        known = BenchmarkRecord.model_validate_json(asked.out.read_text("utf-8"))
        built_anew(known, figures["build"]).save(asked.out)
        return
    vectors = clustered(asked.rows, asked.dimension)
    queries = clustered(asked.queries, asked.dimension, seed=1, rows=vectors)
    truth = [nearest(vectors, query, K)[1] for query in queries]
    figures["exact"] = exact(vectors, queries, asked.repeats)
    _tell("exact", figures["exact"])
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        for kind in asked.kinds:
            figures[kind] = one_kind(kind, vectors, queries, truth, Path(folder))
            _tell(kind, figures[kind])
        figures["open"] = opening(vectors, asked.kinds[-1], Path(folder))
        _tell("open", figures["open"])
    made = record(asked, figures)
    made.save(asked.out)
    print(made.markdown())


def record(asked: argparse.Namespace, figures: dict[str, Any]) -> BenchmarkRecord:
    """As it goes into docs/performance.md."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    threads = ", ".join(sorted({f"{p['internal_api']} {p['num_threads']}" for p in threadpool_info()}))
    tables = []
    if built := figures.get("build"):
        tables.append(_building(built))
    found = figures["exact"]
    tables.append(
        Table(
            title="Exact search",
            told=f"One query after the other over all vectors, the ten nearest; numpy's product alone sorts nothing. "
            f"The library takes {found['over_numpy']:.2f} times the product.",
            columns=("numpy's product, ms", "library, ms", "FAISS flat, ms"),
            rows=((found["numpy_product_ms"], found["library_ms"], found["faiss_flat_ms"]),),
        )
    )
    tables.append(
        Table(
            title="Indexes",
            told=f"Read from disk, memory-mapped; {asked.queries} queries, recall at 10 against exact search. With a "
            f"filter: {SELECTED:.0%} of the rows allowed, others for each query.",
            columns=(
                "index",
                "build, s",
                "file, MB",
                "opened, s",
                "p50, ms",
                "p95, ms",
                "recall",
                "filtered p95, ms",
                "filtered recall",
            ),
            rows=tuple(_index_line(kind, figures[kind]) for kind in asked.kinds),
        )
    )
    opened = figures["open"]
    tables.append(
        Table(
            title="Opening",
            told=f"A saved library of all rows, index {asked.kinds[-1]}. Every file over 64 MB is known by its stamp; "
            "the full check hashes all of them.",
            columns=("save, s", "open, s", "open and first search, s", "full check, s"),
            rows=((opened["save_s"], opened["open_s"], opened["open_and_first_search_s"], opened["full_check_s"]),),
        )
    )
    return BenchmarkRecord(
        page="performance",
        title=f"Library: {asked.rows:,} vectors of {asked.dimension} numbers",
        command=asked.command,
        machine=machine(torch.device("cpu")) | {"threads of": threads},
        versions={n: importlib.metadata.version(n) for n in ("faiss-cpu", "numpy", "polars", "torch")},
        told=(
            "Synthetic vectors: clusters on the sphere whose nearest neighbours are as near as those of sentence "
            f"embeddings of short posts. Peak memory of the whole process, all indexes and copies: {peak:,.0f} MB.",
        ),
        tables=tuple(tables),
    )


def _building(built: dict[str, float]) -> Table:
    return Table(
        title="Building",
        told=f"{built['posts']:,} posts; the whole build beside the embedder alone on texts of the same kind.",
        columns=("build, posts/s", "embedder, posts/s", "share"),
        rows=((built["build_per_s"], built["embedder_per_s"], built["share"]),),
    )


def built_anew(known: BenchmarkRecord, built: dict[str, float]) -> BenchmarkRecord:
    """A record with its first table measured again; the others stay, so it must be the same machine."""
    here = machine(torch.device("cpu"))
    if {name: known.machine.get(name) for name in here} != here:
        raise SystemExit(f"the record is of another machine: {known.machine}; run the whole benchmark")
    rest = tuple(table for table in known.tables if table.title != "Building")
    return known.model_copy(update={"tables": (_building(built), *rest)})


def _index_line(kind: str, found: dict[str, Any]) -> tuple[Value, ...]:
    own = (found[key] for key in ("build_s", "file_mb", "read_s", "p50_ms", "p95_ms", "recall_at_10"))
    return (kind, *own, found["filtered"]["p95_ms"], found["filtered"]["recall_at_10"])


def build(n: int, repeats: int) -> dict[str, float]:
    """Posts a second of a whole build against the embedder alone on the same texts, in turns."""
    embedder = load_embedder()
    embedder.embed(["warm up"])
    rng = np.random.default_rng()
    ways: dict[str, list[float]] = {"embedder": [], "build": []}
    for _ in range(repeats):
        # New texts each time, in every run too: embeddings that were kept on disk must not help.
        texts = [" ".join(rng.choice(WORDS, rng.integers(6, 24))) + f" {rng.integers(1e9)}" for _ in range(n)]
        frame = pl.DataFrame({"text": texts, "clicks": rng.integers(0, 50, n), "impressions": [1000] * n})
        ways["embedder"].append(_seconds(embedder.embed, texts))
        frame = frame.with_columns(pl.col("text") + "!")
        ways["build"].append(_seconds(_build, frame, embedder))
    alone, whole = (statistics.median(seconds) for seconds in ways.values())
    return {"posts": n, "embedder_per_s": n / alone, "build_per_s": n / whole, "share": alone / whole}


def _build(frame: pl.DataFrame, embedder: Embedder) -> Library:
    return Library.from_frame(frame, metric="click_rate", embedder=embedder)


def exact(vectors: np.ndarray, queries: np.ndarray, repeats: int) -> dict[str, float]:
    """One query after the other: our exact search, numpy's product alone, FAISS's flat search."""
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(vectors)
    index = VectorIndex.build(vectors, "flat")
    few = queries[:20]
    ways: dict[str, Callable[[np.ndarray], Any]] = {
        "numpy_product": lambda q: vectors @ q,
        "library": lambda q: index.search(q, K),
        "faiss_flat": lambda q: flat.search(q[None], K),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            taken = [_seconds(way, q) for q in few]
            if turn:
                seconds[name] += taken
    found = {f"{name}_ms": 1000 * statistics.median(taken) for name, taken in seconds.items()}
    return found | {"over_numpy": found["library_ms"] / found["numpy_product_ms"]}


def one_kind(kind: str, vectors: np.ndarray, queries: np.ndarray, truth: list[Any], folder: Path) -> dict[str, Any]:
    """Build, write, read back memory-mapped; search with and without a filter."""
    made: list[VectorIndex] = []
    seconds = _seconds(lambda: made.append(VectorIndex.build(vectors, kind)))
    path = folder / f"{kind}.faiss"
    made.pop().write(path)
    opened = _seconds(lambda: made.append(VectorIndex.read(path)))
    index = made[0]
    for query in queries[:20]:
        index.search(query, K)  # pages that every search reads come from the file once
    times, hits = [], 0
    for query, true in zip(queries, truth, strict=True):
        began = time.perf_counter()
        _, rows = index.search(query, K)
        times.append(time.perf_counter() - began)
        hits += len(set(rows.tolist()) & set(true.tolist()))
    return {
        "build_s": seconds,
        "file_mb": path.stat().st_size / 1e6,
        "read_s": opened,
        "effort": index._kind.effort,
        **_quantiles(times),
        "recall_at_10": hits / (K * len(queries)),
        "filtered": filtered(index, vectors, queries),
    }


def filtered(index: VectorIndex, vectors: np.ndarray, queries: np.ndarray) -> dict[str, float]:
    """One row in a hundred allowed, another hundredth for each query."""
    rng = np.random.default_rng(2)
    times, hits, total = [], 0, 0
    for query in queries[:100]:
        allowed = rng.random(len(vectors)) < SELECTED
        true = nearest(vectors, query, K, np.flatnonzero(allowed))[1]
        began = time.perf_counter()
        _, rows = index.search(query, K, allowed)
        times.append(time.perf_counter() - began)
        hits, total = hits + len(set(rows.tolist()) & set(true.tolist())), total + len(true)
    return {"share_allowed": SELECTED, **_quantiles(times), "recall_at_10": hits / total}


class _Vectors:
    """Stands for the embedder of the synthetic vectors: no model is loaded, so opening is measured alone."""

    name, hash = "synthetic", "0" * 64

    def __init__(self, vectors: np.ndarray) -> None:
        self._vectors, self.dimension = vectors, vectors.shape[1]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return self._vectors[[int(text.split()[0]) for text in texts]]


def opening(vectors: np.ndarray, kind: str, folder: Path) -> dict[str, float]:
    """A saved library of all rows: opened, and opened with every byte checked."""
    n, rng = len(vectors), np.random.default_rng(3)
    frame = pl.DataFrame(
        {
            "id": [f"p{i}" for i in range(n)],
            "text": [f"{i} " + " ".join(words) for i, words in enumerate(rng.choice(WORDS, (n, 12)))],
            "likes": rng.integers(0, 1000, n),
        }
    )
    embedder = _Vectors(vectors)
    library = Library.from_frame(frame, metric="likes", embedder=embedder)
    if library.index.kind != kind:
        library.use_index(kind)
    saved = _seconds(library.save, folder / "library")
    times = [_seconds(lambda: Library.open(folder / "library", embedder=embedder)) for _ in range(3)]
    first = _seconds(lambda: Library.open(folder / "library", embedder=embedder).search("7 first", 5))
    whole = _seconds(lambda: Library.check(folder / "library"))
    return {"save_s": saved, "open_s": min(times), "open_and_first_search_s": first, "full_check_s": whole}


def clustered(n: int, d: int, *, seed: int = 0, rows: np.ndarray | None = None) -> np.ndarray:
    """(n, d) float32 unit vectors: 1,000 clusters of 32 directions each, or queries near given rows."""
    rng = np.random.default_rng(seed)
    vectors = np.empty((n, d), np.float32)
    centres, spans = rng.normal(size=(1000, d)).astype("f4"), rng.normal(size=(1000, 32, d)).astype("f4")
    for start in range(0, n, 50_000):
        m = min(50_000, n - start)
        if rows is not None:
            part = rows[rng.integers(0, len(rows), m)] + 0.5 / np.sqrt(d) * rng.normal(size=(m, d)).astype("f4")
        else:
            which = np.sort(rng.integers(0, 1000, m))
            part = centres[which]
            weights = rng.normal(size=(m, 32)).astype("f4") * 0.2
            for c in np.unique(which):
                here = which == c
                part[here] += weights[here] @ spans[c]
        vectors[start : start + m] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return vectors[rng.permutation(n)] if rows is None else vectors


def _quantiles(times: list[float]) -> dict[str, float]:
    return {"p50_ms": 1000 * float(np.quantile(times, 0.5)), "p95_ms": 1000 * float(np.quantile(times, 0.95))}


def _seconds(work: Callable[..., Any], *arguments: Any) -> float:
    began = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - began


def _tell(name: str, figures: Any) -> None:
    print(name, json.dumps(figures), flush=True)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--texts", type=int, default=5000, help="posts of the build; 0 leaves it out")
    parser.add_argument("--building", action="store_true", help="measure that alone, into the record there is")
    parser.add_argument("--kinds", nargs="+", default=["flat", "hnsw", "ivfpq"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where the files go while it runs; several gigabytes")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--quick", action="store_true", help="few queries and repeats, result only printed")
    asked = parser.parse_args(arguments)
    if asked.quick:
        asked.queries, asked.repeats, asked.out = 40, 1, Path(tempfile.gettempdir()) / "library-quick.json"
    return asked


if __name__ == "__main__":
    run(main)
