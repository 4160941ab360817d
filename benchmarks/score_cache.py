"""How fast cached scores are read: batch sizes, cold and warm, several processes on one file.

    python benchmarks/score_cache.py             writes benchmarks/results/score_cache.json
    python benchmarks/score_cache.py --quick     small sizes, to see that it runs

Run it on an idle machine. Only the cache is timed: the simulator inside answers from a table. What is counted are whole
look-ups, `Content` in and validated `Prediction` out, with the key made of every field.
"""

from __future__ import annotations

import argparse
import json
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from measuring import machine, run

from lcbm_model.content import Communicator, Content
from lcbm_model.evaluation.benchmark_record import BenchmarkRecord, Table
from lcbm_model.metrics import Metric, get_metric
from lcbm_model.prediction import Prediction, SimulatorIdentity, win_probabilities
from lcbm_model.simulator.base import Context, Known
from lcbm_model.simulator.score_cache import CachedSimulator

METRIC = "click_rate"
EXAMPLES = tuple(Known(text=f"A past post, number {i}, with its result", percentile=i) for i in range(8))
CONTEXT = Context(examples=EXAMPLES)
RESULTS = Path(__file__).parent / "results" / "score_cache.json"
REPEATS = 7


class Answers:
    """Answers at once, with every number a calibrated simulator gives."""

    identity = SimulatorIdentity(backend="table", checkpoint="table", checkpoint_hash="0" * 64, tuned=True)

    def __init__(self) -> None:
        self.asked = 0

    def predict(
        self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None
    ) -> list[Prediction]:
        self.asked += len(contents)
        return [self._one(len(c.text) % 10, get_metric(metric).name) for c in contents]

    def _one(self, top: int, metric: str) -> Prediction:
        weights = [1.0 / (1 + abs(b - top)) for b in range(10)]
        more = {"utility": top / 7, "raw": top / 300, "raw_low": top / 400, "raw_high": top / 200}
        return Prediction.from_bins(metric, self.identity, weights).model_copy(update=more)

    def win_chances(self, predictions: Sequence[Prediction], *, channel: str = "") -> list[float]:
        return win_probabilities([p.bins for p in predictions])

    def compare(self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None) -> list[float]:
        return self.win_chances(self.predict(contents, metric, context))


def contents(n: int) -> list[Content]:
    """n posts of one brief that differ in their text alone, as candidates do."""
    who = Communicator(name="Bakery", description="Bread and rolls, baked through the night", followers=5200)
    text = "Why our oven opens at four in the morning, and who eats loaf number {}"
    setting = {"channel": "post", "topic": "bread", "audience": "people who get up early", "communicator": who}
    return [Content(text=text.format(i), **setting) for i in range(n)]


def ask(simulator: CachedSimulator, posts: Sequence[Content], batch: int) -> None:
    for start in range(0, len(posts), batch):
        simulator.predict(posts[start : start + batch], METRIC, CONTEXT)


def seconds(work: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


Rates = tuple[int, float, float]
"""Batch, look-ups a second the first time, and again."""


def in_one_process(path: Path, n: int) -> tuple[float, float, tuple[Rates, ...]]:
    """Scores written a second, bytes a score, and the rates of reading."""
    posts, inner = contents(n), Answers()
    writer = CachedSimulator(inner, path)
    written = n / seconds(lambda: ask(writer, posts, 256))
    writer.close()
    size = path.stat().st_size / n
    rows: list[Rates] = []
    for batch in (32, 256, 1024, n):
        cold, warm = [], []
        for _ in range(REPEATS):
            reader = CachedSimulator(inner, path)  # a connection of its own, so an empty page cache of SQLite's
            cold.append(seconds(lambda r=reader, b=batch: ask(r, posts, b)))
            warm.append(seconds(lambda r=reader, b=batch: ask(r, posts, b)))
            reader.close()
        rows.append((batch, n / statistics.median(cold), n / statistics.median(warm)))
        print(f"  batches of {batch}: {rows[-1][1]:,.0f}/s first, {rows[-1][2]:,.0f}/s again")
    assert inner.asked == n, "something was not read from the cache"
    return written, size, tuple(rows)


def in_processes(path: Path, n: int, processes: int) -> tuple[int, float]:
    """All read the same scores at once; the rate counts the look-ups of all, over the slowest one's time."""
    command = [sys.executable, __file__, "--reader", str(path), str(n)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    took = [float(json.loads(p.communicate()[0])["seconds"]) for p in started]
    assert all(p.returncode == 0 for p in started)
    print(f"  {processes} processes: {processes * n / max(took):,.0f}/s")
    return processes, processes * n / max(took)


def reader(path: Path, n: int) -> None:
    """One of several processes: reads everything twice, prints the seconds of the second time."""
    simulator, posts = CachedSimulator(Answers(), path), contents(n)
    ask(simulator, posts, 256)
    print(json.dumps({"seconds": seconds(lambda: ask(simulator, posts, 256))}))
    simulator.close()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--reader", nargs=2, metavar=("FILE", "N"), help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.reader:
        reader(Path(asked.reader[0]), int(asked.reader[1]))
        return
    n = 2_000 if asked.quick else 30_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.sqlite"
        print(f"{n} scores")
        written, size, read = in_one_process(path, n)
        several = tuple(in_processes(path, n, processes) for processes in (1, 2, 4))
    record(n, written, size, read, several).save(asked.out)
    print(f"wrote {asked.out}")


def record(
    n: int, written: float, size: float, read: tuple[Rates, ...], several: tuple[tuple[int, float], ...]
) -> BenchmarkRecord:
    """As it goes into docs/performance.md."""
    told = (
        f"{n:,} scores, {size:.0f} bytes each, written at {written:,.0f} a second. What is counted are whole look-ups: "
        "a content in, a validated prediction out, with the key made of every field. 'First' reads from the file with "
        "an empty page cache of SQLite's; 'again' asks the same process a second time.",
    )
    return BenchmarkRecord(
        page="performance",
        title="Score cache",
        command="python benchmarks/score_cache.py",
        machine=machine(torch.device("cpu")),
        versions={"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version},
        told=told,
        tables=(
            Table(title="One process", columns=("batch", "first, look-ups/s", "again, look-ups/s"), rows=read),
            Table(title="Several processes on one file", columns=("processes", "again, look-ups/s"), rows=several),
        ),
    )


if __name__ == "__main__":
    run(main)
