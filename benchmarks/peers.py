"""Our loop against other optimisers in one run: same simulator, same writers, same number of simulator calls.

    python benchmarks/peers.py                        the held-out half of the invented briefs, 16 calls each
    python benchmarks/peers.py --half development     the half on which the loop was tuned
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
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from contenders import AS_FEW, CONTENDERS, Counted, Job
from measuring import command_line, machine, run
from peers_cases import HALVES, Case, load_cases

from agents import Library, load_embedder
from agents.writers import load_writers
from lcbm_model.evaluation.benchmark_record import BenchmarkRecord, Table, Value
from lcbm_model.evaluation.bootstrap import Floats, OfSums, Statistic, divide, mean_of_groups, ratio
from lcbm_model.simulator import load_simulator
from lcbm_model.simulator.base import Simulator
from lcbm_model.simulator.first_look import first_look
from lcbm_model.simulator.score_cache import CachedSimulator

HERE = Path(__file__).parent
OUT = HERE / "results" / "peers.json"
LIBRARY = HERE.parent / "examples" / "kupfer_library.csv"


@dataclass(frozen=True)
class Outcome:
    """What one contender did with one brief."""

    text: str
    calls: int
    looks: int
    """Different texts that a first look was taken at."""
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
    asked.command = command_line(__file__, arguments)
    cases = load_cases(half=asked.half)[: asked.briefs]
    plain = load_simulator(asked.simulator)
    kept = Path(tempfile.mkdtemp(prefix="lcbm-peers-")) / "scores.sqlite"
    # Contenders meet the same drafts: none is read twice, and each contender is charged for all that it asks.
    simulator, judge = (CachedSimulator(model, kept) for model in (plain, load_simulator(asked.judge)))
    writers, library = load_writers(asked.writers), Library.from_csv(LIBRARY, metric="click_rate")
    outcomes: dict[str, list[Outcome]] = {name: [] for name in asked.contenders}
    for number, case in enumerate(cases):
        for name in asked.contenders:
            calls = outcomes["ours"][-1].calls if name.endswith(AS_FEW) else asked.calls
            job = Job(case.brief, library if case.library else None, writers, calls, asked.seed + number)
            outcomes[name].append(_one(name, job, simulator, judge))
        told = ", ".join(f"{name} {found[-1].judge:+.1f}" for name, found in outcomes.items())
        print(f"{number + 1} of {len(cases)}, {case.brief.name}: judge {told}", flush=True)
    price = _price_of_a_look(cases, plain)
    record = _record(asked, outcomes, simulator, judge, [writer.name for writer in writers], price)
    record.save(asked.out)
    print(record.markdown())


def _price_of_a_look(cases: Sequence[Case], simulator: Simulator) -> float:
    """Time of a first look as a share of a call's: both at all drafts to beat together, the best of three."""
    metric = cases[0].brief.metric
    contents = [case.brief.content() for case in cases]
    looking, calling = [], []
    for _ in range(3):
        began = time.perf_counter()
        first_look(simulator, contents, metric)
        between = time.perf_counter()
        simulator.predict(contents, metric)
        looking.append(between - began)
        calling.append(time.perf_counter() - between)
    return min(looking) / min(calling)


def _one(name: str, job: Job, simulator: Simulator, judge: Simulator) -> Outcome:
    counted = Counted(simulator)
    text = CONTENDERS[name](job, counted)
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
    return Outcome(text, counted.calls, counted.looks, gains[0], gains[1], drift, allowed)


def _record(
    asked: argparse.Namespace,
    outcomes: dict[str, list[Outcome]],
    simulator: Simulator,
    judge: Simulator,
    writers: Sequence[str],
    price: float,
) -> BenchmarkRecord:
    n = len(next(iter(outcomes.values())))
    half = "" if asked.half == "all" else f"{asked.half} "
    interval = "Intervals are at 95 %, from a bootstrap over briefs."
    return BenchmarkRecord(
        page="peers",
        title=f"{n} {half}invented briefs, up to {asked.calls} simulator calls each",
        command=asked.command,
        machine=machine(torch.device("cpu")),
        versions={"Python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in ("gepa", "torch", "transformers")},
        told=(
            f"Simulator: {simulator.identity.label}. Judge: {judge.identity.label}, trained on the other half of the "
            f"data and never optimised against. Writers: {', '.join(writers)}, the same for all, with the same "
            "past winners to learn from. A call is one different content scored; every contender's drafts pass the "
            "same screen first.",
            "What the loop decides by (the price of a call, what a first look foretells) was set on the development "
            "half of the briefs (odd places in benchmarks/peers_briefs.yaml), by the simulator's own scores and never "
            "by the judge's; the held-out half is the even places.",
            "Our loop takes a first look at a larger pool of drafts and calls for the most promising ones, as long as "
            f"a call is expected to gain enough. A first look took {price:.3f} of a call's time and is no call; "
            "`looks` counts them and `with looks` charges them that price. The contenders with a first look draw from "
            "as large a pool, the most promising first, and keep their own rules; those with `our calls` may make only "
            "as many calls as our loop made on the same brief.",
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
                    "with looks",
                    "proxy gain",
                    "judge / proxy",
                    "drift",
                    "allowed",
                    "calls",
                    "looks",
                ),
                rows=tuple(_line(name, found, price) for name, found in outcomes.items()),
            ),
            *_differences(outcomes),
        ),
    )


def _line(name: str, found: Sequence[Outcome], price: float) -> tuple[Value, ...]:
    judge, calls, looks = (_column(found, key) for key in ("judge", "calls", "looks"))
    one_each = np.arange(len(found))
    gain, per_call = mean_of_groups(judge), ratio(100 * judge, calls, one_each)
    charged = ratio(100 * judge, calls + price * looks, one_each).value()
    proxy, drift, allowed = (float(_column(found, key).mean()) for key in ("proxy", "drift", "allowed"))
    kept = float(judge.mean()) / proxy if proxy > 0 else None
    means = (charged, proxy, kept, drift, allowed, float(calls.mean()), float(looks.mean()))
    return (name, *_told(gain), *_told(per_call), *means)


def _differences(outcomes: dict[str, list[Outcome]]) -> list[Table]:
    """Ours less each peer, brief by brief."""
    if "ours" not in outcomes or len(outcomes) < 2:
        return []
    mine, calls = (_column(outcomes["ours"], key) for key in ("judge", "calls"))
    rows = []
    for name, found in outcomes.items():
        if name != "ours":
            theirs = _column(found, "judge")
            sums = np.column_stack([100 * mine, calls, 100 * theirs, _column(found, "calls")])
            per_call = OfSums(sums, lambda s: divide(s[..., :2]) - divide(s[..., 2:]))
            rows.append((f"ours less {name}", *_told(mean_of_groups(mine - theirs)), *_told(per_call)))
    return [
        Table(
            title="Ours less each peer",
            told="Judge gain, percentile points, and judge gain per 100 calls, both paired by brief.",
            columns=("pair", "difference", "low", "high", "per 100 calls", "its low", "its high"),
            rows=tuple(rows),
        )
    ]


def _column(found: Sequence[Outcome], key: str) -> Floats:
    return np.asarray([getattr(o, key) for o in found], dtype=np.float64)


def _told(statistic: Statistic) -> tuple[Value, Value, Value]:
    ends = statistic.interval()
    return statistic.value(), *((None, None) if ends is None else ends)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=HALVES, default="held-out", help="of the briefs")
    parser.add_argument("--briefs", type=int, help="only the first so many")
    parser.add_argument("--calls", type=int, default=16, help="contents each contender may have scored for a brief")
    parser.add_argument("--writers", nargs="+", help="who drafts for all contenders; the configured ones")
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS))
    parser.add_argument("--simulator", default="lcbm-smol-a")
    parser.add_argument("--judge", default="lcbm-smol-b")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--quick", action="store_true", help="two briefs, the rule-based writer, result only printed")
    asked = parser.parse_args(arguments)
    if "ours" not in asked.contenders:  # nobody then says how few calls they may make
        asked.contenders = [name for name in asked.contenders if not name.endswith(AS_FEW)]
    if asked.quick:
        asked.briefs, asked.calls, asked.writers = 2, 8, ["edits"]
        asked.out = Path(tempfile.gettempdir()) / f"peers-quick-{time.time_ns()}.json"
    return asked


if __name__ == "__main__":
    run(main)
