"""Our loop against other optimisers in one run: same simulator, same writers, same number of simulator calls.

    python benchmarks/peers.py                        24 invented briefs, 24 calls each
    python benchmarks/peers.py --quick                few briefs, the rule-based writer, nothing kept
    ... --writers openai embedded edits               with a chat endpoint (LCBM_WRITER_BASE_URL, LCBM_WRITER_MODEL)

Needs `pip install gepa`. One twin model plays the audience for all contenders; the other judges what each would publish
against the draft it began with, and is never optimised against. Writes benchmarks/results/peers.json, from which
`lcbm results tables` makes docs/peers.md.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml
from contenders import CONTENDERS, Counted, Job
from measuring import machine

from agents import Library, load_embedder
from agents.writers import load_writers
from lcbm_model.evaluation.benchmark_record import BenchmarkRecord, Table, Value
from lcbm_model.evaluation.bootstrap import Floats, Statistic, mean_of_groups, ratio
from lcbm_model.simulator import load_simulator
from lcbm_model.simulator.base import Simulator
from optimizer import Brief

HERE = Path(__file__).parent
OUT = HERE / "results" / "peers.json"
BRIEFS = HERE / "peers_briefs.yaml"
LIBRARY = HERE.parent / "examples" / "kupfer_library.csv"


@dataclass(frozen=True)
class Outcome:
    """What one contender did with one brief."""

    text: str
    calls: int
    seconds: float
    proxy: float
    """Gain over the draft by the simulator that was optimised against, percentile points."""
    judge: float
    """The same by the twin."""
    drift: float
    """1 less the cosine of the text's embedding to the draft's."""
    allowed: bool
    """Whether the brief's own screen passes it: facts kept, nothing invented."""


def main(arguments: Sequence[str] | None = None) -> None:
    asked = _arguments(arguments)
    asked.command = shlex.join(["python", "benchmarks/peers.py", *(sys.argv[1:] if arguments is None else arguments)])
    briefs = load_briefs(BRIEFS)[: asked.briefs]
    simulator, judge = (load_simulator(name) for name in (asked.simulator, asked.judge))
    writers, library = load_writers(asked.writers), Library.from_csv(LIBRARY, metric="click_rate")
    outcomes: dict[str, list[Outcome]] = {name: [] for name in asked.contenders}
    for number, brief in enumerate(briefs):
        for name in asked.contenders:
            job = Job(brief, library, writers, asked.calls, asked.seed + number)
            outcomes[name].append(_one(name, job, simulator, judge))
        told = ", ".join(f"{name} {found[-1].judge:+.1f}" for name, found in outcomes.items())
        print(f"{number + 1} of {len(briefs)}, {brief.name}: judge {told}", flush=True)
    record = _record(asked, outcomes, simulator, judge, [writer.name for writer in writers])
    record.save(asked.out)
    print(record.markdown())


def load_briefs(path: Path) -> list[Brief]:
    """The invented briefs, each with what all of them share."""
    told = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [Brief.parse({**told["common"], **brief}, where=f"{path.name}: {brief['name']}") for brief in told["briefs"]]


def _one(name: str, job: Job, simulator: Simulator, judge: Simulator) -> Outcome:
    counted = Counted(simulator)
    began = time.perf_counter()
    text = CONTENDERS[name](job, counted)
    seconds = time.perf_counter() - began
    brief = job.brief
    assert brief.draft is not None
    contents = [brief.content(brief.draft), brief.content(text)]
    gains = []
    for model in (simulator, judge):
        before, after = (p.expected for p in model.predict(contents, brief.metric))
        if before is None or after is None:
            raise SystemExit(f"{brief.name}: {model.identity.label} cannot score what {name} made")
        gains.append(after - before)
    first, second = load_embedder().embed([brief.draft, text])
    drift = float(1 - first @ second)
    allowed = text == brief.draft or bool(job.screened([text]))
    return Outcome(text, counted.calls, seconds, gains[0], gains[1], drift, allowed)


def _record(
    asked: argparse.Namespace,
    outcomes: dict[str, list[Outcome]],
    simulator: Simulator,
    judge: Simulator,
    writers: Sequence[str],
) -> BenchmarkRecord:
    n = len(next(iter(outcomes.values())))
    interval = "Intervals are at 95 %, from a bootstrap over briefs."
    return BenchmarkRecord(
        page="peers",
        title=f"{n} invented briefs, {asked.calls} simulator calls each",
        command=asked.command,
        machine=machine(torch.device("cpu")),
        versions={"Python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in ("gepa", "torch", "transformers")},
        told=(
            f"Simulator: {simulator.identity.label}. Judge: {judge.identity.label}, trained on the other half of the "
            f"data and never optimised against. Writers: {', '.join(writers)}, the same for all, with the same "
            "past winners to learn from. A call is one different content scored; every contender's drafts pass the "
            "same screen first.",
            "GEPA keeps its Pareto front, its choice of what to mutate and its acceptance rule; the writers stand in "
            "for its reflection model. DSPy's optimisers tune the prompts of a program of language model calls; here "
            "the text itself is what is tuned, so none of them fits.",
            f"A judge's gain is no outcome either: docs/replay.md tells what choices were worth to people. {interval}",
        ),
        tables=(
            Table(
                title="What each contender would publish",
                told="Gains in percentile points over the draft. A swap may win by saying something else: see drift "
                "(1 less the cosine to the draft) and the share of texts that the brief allows.",
                columns=(
                    "contender",
                    "judge gain",
                    "low",
                    "high",
                    "per 100 calls",
                    "its low",
                    "its high",
                    "proxy gain",
                    "drift",
                    "allowed",
                    "calls",
                    "seconds",
                ),
                rows=tuple(_line(name, found) for name, found in outcomes.items()),
            ),
            *_differences(outcomes),
        ),
    )


def _line(name: str, found: Sequence[Outcome]) -> tuple[Value, ...]:
    judge, calls = (np.asarray([getattr(o, key) for o in found], dtype=np.float64) for key in ("judge", "calls"))
    gain, per_call = mean_of_groups(judge), ratio(100 * judge, calls, np.arange(len(found)))
    means = {
        key: float(np.mean([getattr(o, key) for o in found]))
        for key in ("proxy", "drift", "allowed", "calls", "seconds")
    }
    return (name, *_told(gain), *_told(per_call), *means.values())


def _differences(outcomes: dict[str, list[Outcome]]) -> list[Table]:
    """Ours less each peer, brief by brief."""
    if "ours" not in outcomes or len(outcomes) < 2:
        return []
    mine = _judged(outcomes["ours"])
    rows = []
    for name, found in outcomes.items():
        if name != "ours":
            rows.append((f"ours less {name}", *_told(mean_of_groups(mine - _judged(found)))))
    return [
        Table(
            title="Ours less each peer",
            told="Judge gain, percentile points, paired by brief.",
            columns=("pair", "difference", "low", "high"),
            rows=tuple(rows),
        )
    ]


def _judged(found: Sequence[Outcome]) -> Floats:
    return np.asarray([o.judge for o in found], dtype=np.float64)


def _told(statistic: Statistic) -> tuple[Value, Value, Value]:
    ends = statistic.interval()
    return statistic.value(), *((None, None) if ends is None else ends)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--briefs", type=int, help="only the first so many")
    parser.add_argument("--calls", type=int, default=24, help="contents each contender may have scored for a brief")
    parser.add_argument("--writers", nargs="+", help="who drafts for all contenders; the configured ones")
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS))
    parser.add_argument("--simulator", default="lcbm-smol-a")
    parser.add_argument("--judge", default="lcbm-smol-b")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--quick", action="store_true", help="two briefs, the rule-based writer, result only printed")
    asked = parser.parse_args(arguments)
    if asked.quick:
        asked.briefs, asked.calls, asked.writers = 2, 8, ["edits"]
        asked.out = Path(tempfile.gettempdir()) / f"peers-quick-{time.time_ns()}.json"
    return asked


if __name__ == "__main__":
    main()
