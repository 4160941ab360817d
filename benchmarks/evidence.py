"""How well the nearest past posts foretell a new one, alone and beside the simulator, on held-out posts and headlines.

    python benchmarks/evidence.py --data FOLDER      FOLDER holds facebook_posts.parquet and upworthy.parquet
    ... --split validation --fit                     prints how much to trust the simulator, keeps nothing
    ... --limit 300 --model none --quick             to see that it runs

Facebook: each page of the split is a team of its own. Its earlier posts are its library, its last quarter (by date) is
held out. Upworthy: the library is the headlines of the train split, the held-out ones are those of the test split. The
estimates stand beside a coin and beside the team's mean (the page's, or that of all headlines), which ranks nothing
inside a page. Rank correlation is averaged over pages, or over tests with three headlines or more, and bootstrapped
over them. Coverage is the share of held-out ranks inside the 80 % interval. Kernel and constants were settled on the
train and validation pages. Writes benchmarks/results/evidence.json.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import machine, run
from scipy import stats

from agents.library.evidence import NEIGHBOURS, Evidence, usual_similarity, weigh
from agents.library.index import VectorIndex
from agents.library.informed import TRUST, informed
from agents.library.percentiles import shrink
from lcbm_model.behavior import PercentileScale
from lcbm_model.corpus.record import Record
from lcbm_model.corpus.registry import get_reader
from lcbm_model.evaluation.benchmark_record import BenchmarkRecord, Table, Value
from lcbm_model.evaluation.bootstrap import Floats, Statistic, mean_of_groups
from lcbm_model.evaluation.embedding_cache import CachedEmbedder
from lcbm_model.evaluation.metrics import coverage, members, spearman_within
from lcbm_model.evaluation.registry import get_suite
from lcbm_model.evaluation.rows import load_rows
from lcbm_model.evaluation.suites.base import Rows
from lcbm_model.prediction import Prediction
from lcbm_model.simulator import load_simulator
from lcbm_model.simulator.base import Simulator
from lcbm_model.simulator.score_cache import with_score_cache
from optimizer.replay.figures import figures
from optimizer.replay.stories import stories_of

OUT = Path(__file__).parent / "results" / "evidence.json"
HELD_OUT = 0.25
LEAST_LIBRARY = 50
"""Past posts a page must have."""
METRICS = ("shares", "reactions")
TRUSTS = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 20.0)
FIGURE = ("Spearman", "low", "high")


@dataclass(frozen=True)
class Foretold:
    """Held-out posts of all pages, for one metric."""

    pages: Any
    """(N,) page of each."""
    truth: Floats
    """(N,) true ranks inside the page."""
    means: Floats
    """(N,) mean value of the page's past posts."""
    evidence: list[Evidence]
    said: list[Prediction] | None
    """The simulator's predictions; None without one."""


def main(arguments: Sequence[str] | None = None) -> None:
    asked = _arguments(arguments)
    embedder = CachedEmbedder()
    simulator = None if asked.model == "none" else with_score_cache(load_simulator(asked.model))
    rows, teams, vectors = _teams(asked, embedder)
    if asked.fit:
        _fit(asked, rows, teams, vectors, simulator)
        return
    tables = [_facebook_alone(rows, teams, vectors)]
    if simulator is not None:
        few = _fewer(teams, asked.scored)
        tables += _facebook_beside(rows, few, vectors, simulator)
    tables.append(upworthy(asked, embedder))
    if simulator is not None:
        tables.append(_choices(asked, embedder, simulator))
    record = BenchmarkRecord(
        page="evidence",
        title=f"Held-out posts and headlines, {asked.split} split",
        command="python benchmarks/evidence.py --data FOLDER",
        machine=machine(torch.device("cpu")),
        versions={"Python": platform.python_version()}
        | {n: importlib.metadata.version(n) for n in ("sentence-transformers", "torch")},
        told=(
            f"The estimate rests on the {NEIGHBOURS} most similar past posts. Each page of the Facebook data is a team "
            "of its own: its earlier posts are its library, its last quarter by date is foretold. Intervals are at "
            "95 %, from a bootstrap over pages (for headlines over tests).",
        ),
        tables=tuple(tables),
    )
    record.save(asked.out)
    print(record.markdown())


def _teams(asked: argparse.Namespace, embedder: CachedEmbedder) -> tuple[list[Record], list[Any], Any]:
    """Rows, (past, new) row numbers of each page in the order of time, and (N, D) vectors of the rows in use."""
    rows = [r for r in _records("facebook", asked.data / "facebook_posts.parquet", asked) if r.content.text]
    teams = []
    for group in members(np.asarray([r.context for r in rows])):
        ordered = group[np.argsort([str(rows[i].content.date) for i in group], kind="stable")]
        ordered = ordered[: asked.limit] if asked.limit else ordered
        cut = int(len(ordered) * (1 - HELD_OUT))
        if cut >= LEAST_LIBRARY:
            teams.append((ordered[:cut], ordered[cut:]))
    if not teams:
        raise SystemExit(f"no page of the {asked.split} split has {LEAST_LIBRARY} past posts: raise --limit")
    used = np.unique(np.concatenate([np.concatenate(team) for team in teams]))
    vectors = np.zeros((len(rows), embedder.dimension), np.float32)
    vectors[used] = embedder.embed([rows[i].content.text for i in used])
    return rows, teams, vectors


def _fewer(teams: list[Any], most: int) -> list[Any]:
    """At most so many held-out posts a page, drawn with a fixed seed: a simulator is slower than a search."""
    rng = np.random.default_rng(0)
    return [(past, new[np.sort(rng.permutation(len(new))[:most])]) for past, new in teams]


def _foretell_all(
    metric: str, rows: list[Record], teams: list[Any], vectors: Any, simulator: Simulator | None = None
) -> Foretold:
    values = np.asarray([_value(r, metric) for r in rows])
    evidence: list[Evidence] = []
    truth: list[float] = []
    means: list[float] = []
    held: list[Any] = []
    for past, new in teams:
        scale = PercentileScale.fit(values[past])
        ranks = np.interp(values[past], scale.values, scale.percentiles)
        evidence += _foretell(vectors[past], ranks, vectors[new], metric)
        truth += np.interp(values[new], scale.values, scale.percentiles).tolist()
        means += [float(np.mean(values[past]))] * len(new)
        held.append(new)
    foretold = np.concatenate(held)
    said = simulator.predict([rows[i].content for i in foretold], metric) if simulator is not None else None
    pages = np.asarray([rows[i].context for i in foretold])
    return Foretold(pages, np.asarray(truth), np.asarray(means), evidence, said)


def _facebook_alone(rows: list[Record], teams: list[Any], vectors: Any) -> Table:
    """The estimate beside a coin and the mean, on every held-out post."""
    lines: list[tuple[Value, ...]] = []
    for metric in METRICS:
        found = _foretell_all(metric, rows, teams, vectors)
        coin = np.random.default_rng(0).random(len(found.truth))
        ways = {"neighbours": _estimates(found.evidence), "coin": coin, "mean of the page": found.means}
        for name, scores in ways.items():
            figure = _told(spearman_within(scores, found.truth, found.pages))
            cover = (
                _coverage(found, [e.low for e in found.evidence], [e.high for e in found.evidence])
                if name == "neighbours"
                else None
            )
            lines.append((metric, name, *figure, cover, len(found.truth)))
    return Table(
        title="Facebook, all held-out posts",
        told=f"{len(teams)} pages. Spearman is the mean rank correlation inside a page; coverage, the share of true "
        "ranks inside the 80 % interval.",
        columns=("metric", "by", *FIGURE, "coverage", "posts"),
        rows=tuple(lines),
    )


def _facebook_beside(rows: list[Record], teams: list[Any], vectors: Any, simulator: Simulator) -> list[Table]:
    """The simulator alone, the neighbours alone, and the simulator informed by them, on the same posts."""
    lines: list[tuple[Value, ...]] = []
    gains: list[tuple[Value, ...]] = []
    for metric in METRICS:
        found = _foretell_all(metric, rows, teams, vectors, simulator)
        assert found.said is not None
        told = [informed(p, e) for p, e in zip(found.said, found.evidence, strict=True)]
        for name, made in (("simulator", found.said), ("simulator and neighbours", told)):
            ends = [[getattr(p, end) for p in made] for end in ("low", "high")]
            figure = _told(spearman_within(_expected(made), found.truth, found.pages))
            lines.append((metric, name, *figure, _error(_expected(made), found.truth), _coverage(found, *ends)))
        alone = _estimates(found.evidence)
        ends = [[e.low for e in found.evidence], [e.high for e in found.evidence]]
        figure = _told(spearman_within(alone, found.truth, found.pages))
        lines.append((metric, "neighbours", *figure, _error(alone, found.truth), _coverage(found, *ends)))
        pairs = zip(_rhos(_expected(told), found), _rhos(_expected(found.said), found), strict=True)
        gains.append((metric, *_told(mean_of_groups(np.asarray([a - b for a, b in pairs])))))
    identity = simulator.identity.label
    return [
        Table(
            title="Facebook, beside the simulator",
            told=f"{identity}, on at most so many posts of each page that {len(found.truth)} are foretold. Error is "
            f"the mean absolute one, in percentile points. Together: a prediction weighs {TRUST:g} in the mean of the "
            "neighbours' ranks, which was settled on the validation pages.",
            columns=("metric", "by", *FIGURE, "error", "coverage"),
            rows=tuple(lines),
        ),
        Table(
            title="What the neighbours add to the simulator",
            told="Rank correlation inside a page, simulator and neighbours less simulator alone, paired by page.",
            columns=("metric", "difference", "low", "high"),
            rows=tuple(gains),
        ),
    ]


def _fit(
    asked: argparse.Namespace, rows: list[Record], teams: list[Any], vectors: Any, simulator: Simulator | None
) -> None:
    """Print correlation, squared error and coverage for each weight that the simulator's prediction might have."""
    for metric in METRICS:
        found = _foretell_all(metric, rows, _fewer(teams, asked.scored), vectors, simulator)
        assert found.said is not None, "--fit needs a model"
        for trust in (*TRUSTS, 1e9):
            told = [informed(p, e, trust=trust) for p, e in zip(found.said, found.evidence, strict=True)]
            rho = spearman_within(_expected(told), found.truth, found.pages).value()
            error = float(np.mean((_expected(told) - found.truth) ** 2))
            cover = _coverage(found, [p.low for p in told], [p.high for p in told])
            print(f"{metric} trust {trust:g}: Spearman {rho:.4f}, squared error {error:.1f}, coverage {cover:.3f}")


def upworthy(asked: argparse.Namespace, embedder: CachedEmbedder) -> Table:
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
    coin = np.random.default_rng(0).random(len(new))
    ways = {"neighbours": _estimates(seen), "coin": coin, "mean of all": np.full(len(new), float(rates.mean()))}
    lines = [(name, *_told(spearman_within(s, truth, arms, minimum=3))) for name, s in ways.items()]
    # Raw rates of the held-out headlines carry the noise of few impressions, so no coverage is stated for them.
    return Table(
        title="Upworthy headlines",
        told=f"{len(new):,} held-out headlines by {len(past):,} of other stories; rank correlation inside a test of "
        "three headlines or more.",
        columns=("by", *FIGURE),
        rows=tuple(lines),
    )


def _choices(asked: argparse.Namespace, embedder: CachedEmbedder, simulator: Simulator) -> Table:
    """Among versions of one headline, whose neighbours are nearly the same posts, do the neighbours help to choose?"""
    loaded = load_rows(get_suite("upworthy"), asked.data / "upworthy.parquet", asked.split, limit=asked.limit)
    stories = stories_of("upworthy", loaded.rows)
    past = [r for r in loaded.train if _seen(r, "click_rate").percentile is not None]
    ranks = Rows(past).percentiles("click_rate")
    contents = [arm.content for story in stories for arm in story.arms]
    vectors = embedder.embed([r.content.text for r in past] + [c.text for c in contents])
    found = _foretell(vectors[: len(past)], ranks, vectors[len(past) :], "click_rate")
    said = simulator.predict(contents, "click_rate")
    told = [informed(p, e) for p, e in zip(said, found, strict=True)]
    cuts = np.cumsum([len(story.arms) for story in stories])[:-1]
    ways = {
        "simulator": _expected(said),
        "simulator and neighbours": _expected(told),
        "neighbours": _estimates(found),
    }
    lines = [(name, *_told(figures(stories, np.split(s, cuts))["lift_over_mean"])) for name, s in ways.items()]
    return Table(
        title="Choosing among versions of one headline",
        told=f"Click rate of the highest estimate over the mean arm, {len(stories)} choices (docs/replay.md). The "
        "versions say the same in other words, and their neighbours are nearly the same posts.",
        columns=("by", "lift", "low", "high"),
        rows=tuple(lines),
    )


def _foretell(past: np.ndarray, ranks: np.ndarray, new: np.ndarray, metric: str) -> list[Evidence]:
    index, usual = VectorIndex.build(past, "flat"), usual_similarity(past)
    given = []
    for vector in new:
        cosines, rows = index.search(vector, NEIGHBOURS)
        given.append(weigh(cosines, ranks[rows], [str(i) for i in rows], metric=metric, usual=usual))
    return given


def _estimates(evidence: Sequence[Evidence]) -> Floats:
    return np.asarray([e.estimate for e in evidence])


def _expected(said: Sequence[Prediction]) -> Floats:
    """Expected percentiles; the middle where a post could not be scored."""
    return np.asarray([50.0 if p.expected is None else p.expected for p in said])


def _rhos(scores: Floats, found: Foretold) -> list[float]:
    """Rank correlation of each page, pages in sorted order; NaN where it ranks nothing."""
    rhos = []
    for rows in members(found.pages):
        flat = np.ptp(scores[rows]) == 0 or np.ptp(found.truth[rows]) == 0
        rhos.append(np.nan if flat else float(stats.spearmanr(scores[rows], found.truth[rows]).statistic))
    return rhos


def _error(scores: Floats, truth: Floats) -> float:
    return float(np.mean(np.abs(scores - truth)))


def _coverage(found: Foretold, low: Sequence[float | None], high: Sequence[float | None]) -> float | None:
    ends = [np.asarray([np.nan if v is None else v for v in side], dtype=np.float64) for side in (low, high)]
    return coverage(found.truth, *ends, found.pages).value()


def _told(statistic: Statistic) -> tuple[Value, Value, Value]:
    ends = statistic.interval()
    return statistic.value(), *((None, None) if ends is None else ends)


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
    parser.add_argument("--model", default="embedded", help="the simulator beside the neighbours; none leaves it out")
    parser.add_argument("--scored", type=int, default=30, help="posts a page that the simulator scores, at most")
    parser.add_argument("--limit", type=int, help="posts a page, and headlines, at most")
    parser.add_argument("--fit", action="store_true", help="print what weight suits the simulator's prediction")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--quick", action="store_true", help="print the result, keep nothing")
    asked = parser.parse_args(arguments)
    if asked.quick:
        asked.out = Path(tempfile.gettempdir()) / f"evidence-quick-{time.time_ns()}.json"
    return asked


if __name__ == "__main__":
    run(main)
