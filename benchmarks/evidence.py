"""How well the nearest past posts foretell a new one, on held-out posts and headlines.

    python benchmarks/evidence.py --data FOLDER      FOLDER holds facebook_posts.parquet and upworthy.parquet
    ... --limit 300 --quick                          to see that it runs

Facebook: each page of the split is a team of its own. Its earlier posts are its library, its last quarter (by date) is
held out. Upworthy: the library is the headlines of the train split, the held-out ones are those of the test split. The
estimate stands beside a coin and beside the team's mean (the page's, or that of all headlines), which ranks nothing
inside a page. Rank correlation is averaged over pages, or over tests with three headlines or more, and bootstrapped
over them. Coverage is the share of held-out ranks inside the 80 % interval. Kernel and constants were settled on the
train and validation pages. Writes benchmarks/results/evidence.json.
"""

from __future__ import annotations

import argparse
import datetime
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agents.library.evidence import LEVEL, NEIGHBOURS, usual_similarity, weigh
from agents.library.index import VectorIndex
from agents.library.percentiles import shrink
from lcbm_model.behavior import PercentileScale
from lcbm_model.corpus.record import Record
from lcbm_model.corpus.registry import get_reader
from lcbm_model.evaluation.bootstrap import PooledSpearman, Statistic
from lcbm_model.evaluation.embedding_cache import CachedEmbedder
from lcbm_model.evaluation.metrics import coverage, members, spearman_within

OUT = Path(__file__).parent / "results" / "evidence.json"
HELD_OUT = 0.25
LEAST_LIBRARY = 50
"""Past posts a page must have."""


def main(arguments: Sequence[str] | None = None) -> None:
    asked = _arguments(arguments)
    embedder = CachedEmbedder()
    record: dict[str, Any] = {
        "measured": datetime.date.today().isoformat(),
        "neighbours": NEIGHBOURS,
        "level": LEVEL,
        "split": asked.split,
        "facebook": facebook(asked, embedder),
        "upworthy": upworthy(asked, embedder),
    }
    print(json.dumps(record, indent=1))
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def facebook(asked: argparse.Namespace, embedder: CachedEmbedder) -> dict[str, Any]:
    """A page's later posts by its earlier ones, for shares and reactions."""
    rows = [r for r in _records("facebook", asked.data / "facebook_posts.parquet", asked) if r.content.text]
    pages = np.asarray([r.context for r in rows])
    teams = []
    for group in members(pages):
        ordered = group[np.argsort([str(rows[i].content.date) for i in group], kind="stable")]
        if asked.limit:
            ordered = ordered[: asked.limit]
        cut = int(len(ordered) * (1 - HELD_OUT))
        if cut >= LEAST_LIBRARY:
            teams.append((ordered[:cut], ordered[cut:]))
    if not teams:
        return {"n": 0}
    used = np.unique(np.concatenate([np.concatenate(team) for team in teams]))
    vectors = np.zeros((len(rows), embedder.dimension), np.float32)
    vectors[used] = embedder.embed([rows[i].content.text for i in used])
    return {m: _facebook_metric(m, rows, pages, teams, vectors) for m in ("shares", "reactions")}


def _facebook_metric(metric: str, rows: list[Record], pages: Any, teams: list[Any], vectors: Any) -> dict[str, Any]:
    values = np.asarray([_value(r, metric) for r in rows])
    held, estimates, in_raw, low, high, truth, means = [], [], [], [], [], [], []
    for past, new in teams:
        scale = PercentileScale.fit(values[past])
        ranks = np.interp(values[past], scale.values, scale.percentiles)
        seen = _foretell(vectors[past], ranks, vectors[new], metric)
        held.append(new)
        estimates += [e.estimate for e in seen]
        in_raw += [scale.to_raw(e.estimate) for e in seen]
        low += [e.low for e in seen]
        high += [e.high for e in seen]
        truth += np.interp(values[new], scale.values, scale.percentiles).tolist()
        means += [float(np.mean(values[past]))] * len(new)
    new = np.concatenate(held)
    figures = _figures(
        np.asarray(estimates), np.asarray(truth), pages[new], np.asarray(means), np.asarray(in_raw), values[new]
    )
    inside = coverage(np.asarray(truth), np.asarray(low), np.asarray(high), pages[new])
    width = float(np.mean(np.subtract(high, low)))
    return {"pages": len(teams), "n": len(new), **figures, "coverage": _told(inside), "mean_width": width}


def upworthy(asked: argparse.Namespace, embedder: CachedEmbedder) -> dict[str, Any]:
    """Headlines of held-out stories by those of the train stories."""
    file = asked.data / "upworthy.parquet"
    past = [r for r in _records("upworthy", file, asked, split="train") if r.content.text and r.arms]
    new = [r for r in _records("upworthy", file, asked) if r.content.text and r.arms]
    if asked.limit:
        past, new = past[: 4 * asked.limit], new[: asked.limit]
    rates = np.asarray([_value(r, "click_rate") for r in past])
    shown = np.asarray([(_seen(r, "click_rate").exposure or 0.0) for r in past])
    ranked = shrink(rates, shown)
    scale = PercentileScale.fit(ranked)
    ranks = np.interp(ranked, scale.values, scale.percentiles)
    vectors = embedder.embed([r.content.text for r in (*past, *new)])
    seen = _foretell(vectors[: len(past)], ranks, vectors[len(past) :], "click_rate")
    truth = np.asarray([_value(r, "click_rate") for r in new])
    arms = np.asarray([r.arms or "" for r in new])
    estimates = np.asarray([e.estimate for e in seen])
    mean = np.full(len(new), float(rates.mean()))
    # Raw rates of the held-out headlines carry the noise of few impressions, so no coverage is stated for them.
    return {"library": len(past), "n": len(new), **_figures(estimates, truth, arms, mean, estimates, truth, minimum=3)}


def _foretell(past: np.ndarray, ranks: np.ndarray, new: np.ndarray, metric: str) -> list[Any]:
    index, usual = VectorIndex.build(past, "flat"), usual_similarity(past)
    given = []
    for vector in new:
        cosines, rows = index.search(vector, NEIGHBOURS)
        given.append(weigh(cosines, ranks[rows], [str(i) for i in rows], metric=metric, usual=usual))
    return given


def _figures(
    estimates: Any, truth: Any, groups: Any, means: Any, in_raw: Any, raw: Any, *, minimum: int = 5
) -> dict[str, Any]:
    """Rank correlations of the estimate, a coin and the mean: inside groups, and of raw values over all rows.

    Args:
        in_raw: The estimates on the raw scale of their page.
        raw: True raw values.
    """
    coin = np.random.default_rng(0).random(len(truth))
    ways = {"neighbours": estimates, "coin": coin, "mean": means}
    inside = {n: _told(spearman_within(s.astype(float), truth, groups, minimum=minimum)) for n, s in ways.items()}
    # Over all rows the mean of a page does tell: pages differ in reach.
    ways["neighbours"] = in_raw
    overall = {n: _told(PooledSpearman(s.astype(float), raw.astype(float))) for n, s in ways.items()}
    return {"spearman_within": inside, "spearman_overall_raw": overall}


def _told(statistic: Statistic) -> dict[str, Any]:
    return {"value": statistic.value(), "interval": statistic.interval()}


def _records(reader: str, file: Path, asked: argparse.Namespace, *, split: str | None = None) -> list[Record]:
    return [r for r in get_reader(reader).read(file) if r.split == (split or asked.split)]


def _seen(record: Record, metric: str) -> Any:
    seen = record.observation(metric)
    assert seen is not None
    return seen


def _value(record: Record, metric: str) -> float:
    return float(_seen(record, metric).value)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="test", choices=["validation", "test"])
    parser.add_argument("--limit", type=int, help="posts a page, and headlines, at most")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--quick", action="store_true", help="print the result, keep nothing")
    asked = parser.parse_args(arguments)
    if asked.quick:
        asked.out = Path(tempfile.gettempdir()) / f"evidence-quick-{time.time_ns()}.json"
    return asked


if __name__ == "__main__":
    main()
