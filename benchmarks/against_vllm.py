"""The local backend against vLLM, the same prompts side by side in one process.

    VLLM_CPU_OMP_THREADS_BIND=0-1 python benchmarks/against_vllm.py MERGED_FOLDER      with vLLM's Python
    ... --quick            small sizes, to see that it runs
    ... --url URL          a server (`lcbm model serve MERGED_FOLDER`) instead of an engine in this process

MERGED_FOLDER is what `lcbm model merge NAME --out FOLDER` wrote. Run it on an idle machine. Each way takes its turn in
every repeat; every repeat brings candidates nobody has seen, since both sides keep what they computed. "first" is a new
shared part, "next" are new candidates behind a shared part that was there before, which vLLM still has in its cache.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from measuring import machine, run, versions
from workload import METRIC, candidates, context

from lcbm_model.backbone.runtime import choose_device
from lcbm_model.evaluation.benchmark_pages import RECORDED
from lcbm_model.evaluation.benchmark_record import BenchmarkRecord, Table, Value
from lcbm_model.simulator import VLLMServedSimulator, VLLMSimulator, load_simulator
from lcbm_model.simulator.base import Context, Simulator
from lcbm_model.simulator.local import LocalSimulator

SIZES = ((8, 100), (32, 400), (128, 400), (512, 400), (32, 1000))
"""(candidates of about 25 tokens, tokens of the shared part)."""


def main(arguments: list[str] | None = None) -> None:
    asked = _arguments(arguments)
    device = choose_device(asked.device)
    if asked.threads:
        torch.set_num_threads(asked.threads)
    local = load_simulator(asked.model, device=asked.device, dtype=asked.dtype)
    assert isinstance(local, LocalSimulator)
    began = time.perf_counter()
    other = _other(asked)
    started = time.perf_counter() - began
    sizes = ((4, 100), (8, 200)) if asked.quick else SIZES
    try:
        cases = [_case(local, other, n, prefix, asked.repeats) for n, prefix in sizes]
    finally:
        if isinstance(other, VLLMSimulator):
            other.close()
    models = f"{Path(asked.model).name}; {local.identity.precision} here, {other.identity.precision} in vLLM."
    engine = (
        f"Its cache in blocks of {asked.block_size} tokens, at most {asked.max_prompts} prompts under way at once; it "
        f"was ready after {started:.0f} s."
    )
    told = f"{models} {'vLLM behind HTTP.' if asked.url else engine}"
    record(cases, told, machine(device), versions() | {"vllm": _vllm_version()}).save(asked.out)
    print(f"written: {asked.out}")


def record(cases: Sequence[Case], told: str, where: dict[str, str | int], versions: dict[str, str]) -> BenchmarkRecord:
    """As it goes into docs/performance.md."""
    return BenchmarkRecord(
        page="performance",
        title="Beside vLLM",
        command="python benchmarks/against_vllm.py MERGED_FOLDER",
        machine=where,
        versions=versions,
        told=(told,),
        tables=(
            Table(
                title="Seconds of one call",
                told="Side by side in one process, in turns, medians; new candidates in every turn. `first`: behind a "
                "shared part nobody has seen; `next`: behind one that was there before, which vLLM still has in its "
                "cache. The difference is the largest of any bin's probability.",
                columns=(
                    "candidates", "shared tokens", "here, first", "vLLM, first", "times", "here, next", "vLLM, next",
                    "times", "difference",
                ),
                rows=tuple(case.row() for case in cases),
            ),
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One size of a call: median seconds by way and turn ("local first", "vllm next"), and how far answers differ."""

    candidates: int
    shared_tokens: int
    seconds: Mapping[str, float]
    largest_difference: float

    def row(self) -> tuple[Value, ...]:
        """As a line of the table."""
        turns = ((self.seconds[f"local {turn}"], self.seconds[f"vllm {turn}"]) for turn in ("first", "next"))
        compared = (value for here, there in turns for value in (here, there, there / here))
        return self.candidates, self.shared_tokens, *compared, self.largest_difference


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder written by `lcbm model merge`")
    parser.add_argument("--url", help="of a server that serves it")
    parser.add_argument("--device", default="auto", help="of the local backend")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--threads", type=int, default=0, help="torch threads of the local backend; 0: torch's choice")
    parser.add_argument("--block-size", type=int, default=32, help="tokens of a block of vLLM's cache")
    parser.add_argument("--max-prompts", type=int, default=32, help="prompts under way at once in vLLM")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=RECORDED / "against_vllm.json")
    return parser.parse_args(arguments)


def _other(asked: argparse.Namespace) -> VLLMSimulator | VLLMServedSimulator:
    if asked.url:
        return VLLMServedSimulator(asked.model, asked.url)
    return VLLMSimulator(
        asked.model,
        dtype=asked.dtype,
        max_tokens=2048,
        enforce_eager=not torch.cuda.is_available(),
        block_size=asked.block_size,
        max_num_seqs=asked.max_prompts,
    )


def _case(local: LocalSimulator, other: Simulator, n: int, prefix: int, repeats: int) -> Case:
    """Seconds of both ways, new shared parts and old ones, and how far their answers lie apart."""
    ways: dict[str, Simulator] = {"local": local, "vllm": other}
    seconds: dict[str, list[float]] = {f"{name} {turn}": [] for name in ways for turn in ("first", "next")}
    apart = 0.0
    for repeat in range(repeats + 1):  # the first one warms up and is not counted
        around = context(local, prefix, seed=1000 + repeat)
        for turn, seed in (("first", 2 * repeat), ("next", 2 * repeat + 1)):
            contents = candidates(local, n, seed=seed)
            answers = {}
            for name in sorted(ways, reverse=bool(repeat % 2)):
                begin = time.perf_counter()
                answers[name] = _bins(ways[name], contents, around)
                if repeat:
                    seconds[f"{name} {turn}"].append(time.perf_counter() - begin)
            apart = max(
                apart,
                *(
                    abs(a - b)
                    for one, two in zip(*answers.values(), strict=True)
                    for a, b in zip(one, two, strict=True)
                ),
            )
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    told = ", ".join(f"{name} {found:.2f} s" for name, found in medians.items())
    print(f"{n} candidates behind {prefix} tokens: {told}, {apart:.1e} apart")
    return Case(n, prefix, medians, apart)


def _bins(simulator: Simulator, contents: list[Any], around: Context) -> list[tuple[float, ...]]:
    return [prediction.bins for prediction in simulator.predict(contents, METRIC, around)]


def _vllm_version() -> str:
    for name in ("vllm", "vllm-cpu"):
        try:
            return f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    return "elsewhere"


if __name__ == "__main__":  # vLLM starts processes of its own, which import this file
    run(main)
