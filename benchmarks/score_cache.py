"""How fast cached scores are read: batch sizes, cold and warm, several processes on one file.

    python benchmarks/score_cache.py             writes benchmarks/results/score_cache.json
    python benchmarks/score_cache.py --quick     small sizes, to see that it runs

Run it on an idle machine. Only the cache is timed: the simulator inside answers from a table. What is counted are whole
look-ups, `Content` in and validated `Prediction` out, with the key made of every field.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
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

from lcbm_model.content import Communicator, Content
from lcbm_model.metrics import Metric, get_metric
from lcbm_model.prediction import Prediction, SimulatorIdentity, win_probabilities
from lcbm_model.simulator.base import Context, Known
from lcbm_model.simulator.score_cache import CachedSimulator

METRIC = "click_rate"
EXAMPLES = tuple(Known(text=f"A past post, number {i}, with its result", percentile=i) for i in range(8))
CONTEXT = Context(examples=EXAMPLES)
RESULTS = Path(__file__).parent / "results" / "score_cache.json"
REPEATS = 7


class Table:
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


def in_one_process(path: Path, n: int) -> dict[str, Any]:
    posts, inner = contents(n), Table()
    writer = CachedSimulator(inner, path)
    found: dict[str, Any] = {"write": {"batch": 256, "per_second": n / seconds(lambda: ask(writer, posts, 256))}}
    writer.close()
    found["bytes_per_score"] = path.stat().st_size / n
    rows = []
    for batch in (32, 256, 1024, n):
        cold, warm = [], []
        for _ in range(REPEATS):
            reader = CachedSimulator(inner, path)  # a connection of its own, so an empty page cache of SQLite's
            cold.append(seconds(lambda r=reader, b=batch: ask(r, posts, b)))
            warm.append(seconds(lambda r=reader, b=batch: ask(r, posts, b)))
            reader.close()
        rates = {"cold_per_second": n / statistics.median(cold), "warm_per_second": n / statistics.median(warm)}
        rows.append({"batch": batch, **rates})
        print(f"  batches of {batch}: {rates['cold_per_second']:,.0f}/s cold, {rates['warm_per_second']:,.0f}/s warm")
    assert inner.asked == n, "something was not read from the cache"
    return {**found, "read": rows}


def in_processes(path: Path, n: int, processes: int) -> dict[str, Any]:
    """All read the same scores at once; the rate counts the look-ups of all, over the slowest one's time."""
    command = [sys.executable, __file__, "--reader", str(path), str(n)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    took = [float(json.loads(p.communicate()[0])["seconds"]) for p in started]
    assert all(p.returncode == 0 for p in started)
    print(f"  {processes} processes: {processes * n / max(took):,.0f}/s")
    return {"processes": processes, "per_second": processes * n / max(took)}


def reader(path: Path, n: int) -> None:
    """One of several processes: reads everything twice, prints the seconds of the second time."""
    simulator, posts = CachedSimulator(Table(), path), contents(n)
    ask(simulator, posts, 256)
    print(json.dumps({"seconds": seconds(lambda: ask(simulator, posts, 256))}))
    simulator.close()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--out", type=Path, default=RESULTS)
    arguments.add_argument("--reader", nargs=2, metavar=("FILE", "N"), help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.reader:
        reader(Path(asked.reader[0]), int(asked.reader[1]))
        return
    n = 2_000 if asked.quick else 30_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.sqlite"
        print(f"{n} scores")
        one = in_one_process(path, n)
        several = [in_processes(path, n, processes) for processes in (1, 2, 4)]
    result = {
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": {"processor": platform.processor() or platform.machine(), "processors": os.cpu_count()},
        "versions": {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version},
        "scores": n,
        **one,
        "several": several,
    }
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(f"wrote {asked.out}")


if __name__ == "__main__":
    main()
