"""How fast candidates are scored: shared prefixes against the plain ways, by size, with pictures, cold and warm.

    python benchmarks/scoring.py                 everything; writes benchmarks/results/scoring.json
    python benchmarks/scoring.py --quick         small sizes, to see that it runs
    python benchmarks/scoring.py --cold          only the start of a new process, into the record that is there
    lcbm results tables                          docs/performance.md from what was written

Run it on an idle machine. `--with NAME` adds further simulators (any name that `--model` of `lcbm` takes) to the
first table.
"""

from __future__ import annotations

import argparse
import datetime
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from measuring import (
    children_peak_mb,
    flops,
    machine,
    matmul_rate,
    peak_mb,
    reset_peak,
    run,
    settle,
    side_by_side,
    tokens_run,
    versions,
)
from workload import METRIC, candidates, context, encoded, with_pictures

from lcbm_model.backbone.runtime import choose_device, has_fast_bfloat16
from lcbm_model.backbone.watch import watching
from lcbm_model.content import Content
from lcbm_model.evaluation.benchmark_pages import RECORDED
from lcbm_model.evaluation.performance import Cell, ColdStart, FirstCase, PictureTime, Record, Run, Way
from lcbm_model.simulator import load_simulator
from lcbm_model.simulator.base import Context, Simulator
from lcbm_model.simulator.items import Item
from lcbm_model.simulator.local import LocalSimulator
from lcbm_model.simulator.readout import ReadOut

Bins = list[list[float]]
ANSWER_TOKENS = 4
"""Room that `generate` gets for its answer: models like to begin with a word or a quotation mark."""


def main(arguments: list[str] | None = None) -> None:
    asked = _arguments(arguments)
    if asked.cold:
        known = Record.model_validate_json(asked.out.read_bytes())
        _save(known.model_copy(update={"cold_start": _cold_start(asked.model)}), asked.out)
        return
    device = choose_device(asked.device)
    if asked.threads:
        torch.set_num_threads(asked.threads)
    kinds = asked.dtype or ["float32", *(["bfloat16"] if has_fast_bfloat16(device) else [])]
    cold = None if asked.skip_cold else _cold_start(asked.model)
    runs = tuple(_run(asked, kind) for kind in kinds)
    record = Record(
        measured=datetime.date.today().isoformat(),
        machine=machine(device),
        versions=versions(),
        runs=runs,
        cold_start=cold,
    )
    _save(record, asked.out)


def _save(record: Record, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(record.model_dump_json(indent=1) + "\n", "utf-8")
    print(f"written: {path}")


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--with", dest="others", action="append", default=[], metavar="NAME")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", action="append", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--threads", type=int, default=0, help="torch threads; 0 leaves torch's choice")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    cold = parser.add_mutually_exclusive_group()
    cold.add_argument("--skip-cold", action="store_true", help="all but the start of a new process")
    cold.add_argument("--cold", action="store_true", help="that alone, into the record that is there")
    parser.add_argument("--out", type=Path, default=RECORDED / "scoring.json")
    return parser.parse_args(arguments)


def _run(asked: argparse.Namespace, kind: str) -> Run:
    simulator = load_simulator(asked.model, device=asked.device, dtype=kind)
    if not isinstance(simulator, LocalSimulator):
        raise SystemExit(f"{asked.model} is no local model; name it by --with")
    backbone = simulator.backbone
    config = backbone.decoder.config
    rate = partial(
        matmul_rate, backbone.device, backbone.dtype, width=config.hidden_size, inner=config.intermediate_size
    )
    blocks = _blocks(simulator)
    print(f"{kind}: {blocks} of {len(backbone.layers)} blocks")
    sizes, prefixes = ([8, 16], [100]) if asked.quick else ([8, 32, 128, 512, 1024], [100, 400, 1000])
    case = _first_case(simulator, asked, 4 if asked.quick else 32, 100 if asked.quick else 400)
    return Run(
        precision=kind,
        model=simulator.identity.checkpoint,
        blocks=f"{blocks} of {len(backbone.layers)}",
        first_case=case,
        scaling=tuple(_cell(simulator, n, p, rate, blocks) for p in prefixes for n in sizes),
        pictures=_pictures(simulator, 4 if asked.quick else 32) if backbone.sees else (),
    )


def _blocks(simulator: LocalSimulator) -> int:
    """Blocks that a prediction runs."""
    head, readout = simulator.backbone.value_head(METRIC), ReadOut(simulator.backbone)
    return max(readout.blocks(head)) if readout.stops_early(head) else len(simulator.backbone.layers)


def _first_case(simulator: LocalSimulator, asked: argparse.Namespace, n: int, prefix: int) -> FirstCase:
    contents, around = candidates(simulator, n), context(simulator, prefix)
    items = encoded(simulator, contents, around)
    reference = _one_by_one(simulator, items)

    def anew() -> object:
        simulator.forget()
        return simulator.predict(contents, METRIC, around)

    ways: dict[str, Callable[[], object]] = {
        "shared prefix tree": anew,
        "the same, setting known": lambda: simulator.predict(contents, METRIC, around),
        "one-by-one forward": lambda: _one_by_one(simulator, items),
        "one padded batch": lambda: _one_batch(simulator, items),
        "generate and parse": lambda: _generate(simulator, items),
    }
    blocks = _blocks(simulator)
    if blocks < len(simulator.backbone.layers):
        ways[f"one-by-one forward, {blocks} blocks"] = lambda: _one_by_one_stopped(simulator, items, blocks)
    others: dict[str, Simulator] = {name: load_simulator(name) for name in asked.others}
    for name, other in others.items():
        ways[name] = lambda other=other: other.predict(contents, METRIC, around)
    seconds = side_by_side(ways, simulator.backbone.device, repeats=asked.repeats)
    parsed = sum(digit is not None for digit in _generate(simulator, items))
    notes = {"generate and parse": f"{parsed} of {n} answers held a digit"}
    differences = {"one padded batch": _difference(_one_batch(simulator, items), reference)}
    own = _bins(simulator, contents, around)
    if simulator.backbone.adapter is not None:
        # With a value head the simulator states more than the digits' probabilities.
        reference = [_bins(simulator, [content], around)[0] for content in contents]
        notes["shared prefix tree"] = "difference: from each candidate alone"
    differences["shared prefix tree"] = _difference(own, reference)
    for name, other in others.items():
        differences[name] = _difference(_bins(other, contents, around), own)
        notes[name] = "difference: from the shared prefix tree"
    alone = seconds["one-by-one forward"]
    for name, value in seconds.items():
        print(f"  {name}: {value:.3f} s, {alone / value:.1f} times")
    return FirstCase(
        candidates=n,
        prefix_tokens=len(items[0].shared),
        own_tokens=sum(len(item.own) for item in items) / n,
        word_tokens=sum(item.words[1] - item.words[0] for item in items) / n,
        ways=tuple(
            Way(
                name=name,
                seconds=value,
                times_one_by_one=alone / value,
                difference=differences.get(name),
                note=notes.get(name, ""),
            )
            for name, value in seconds.items()
        ),
    )


def _bins(simulator: Simulator, contents: list[Content], around: Context) -> Bins:
    return [list(answer.bins) for answer in simulator.predict(contents, METRIC, around)]


def _difference(one: Bins, other: Bins) -> float:
    return float((torch.tensor(one) - torch.tensor(other)).abs().max())


@torch.inference_mode()
def _one_by_one(simulator: LocalSimulator, items: list[Item]) -> Bins:
    """transformers' forward pass for every prompt, only the last position's logits computed."""
    backbone = simulator.backbone
    digits = list(backbone.encoder.digits)
    found = []
    for item in items:
        ids = torch.tensor([item.shared + item.own], device=backbone.device)
        logits = backbone.language_model(input_ids=ids, use_cache=False, logits_to_keep=1).logits[0, -1, digits]
        found.append(logits.float().softmax(-1).tolist())
    return found


@torch.inference_mode()
def _one_by_one_stopped(simulator: LocalSimulator, items: list[Item], blocks: int) -> None:
    """The same, left behind the last block that the value head reads."""
    backbone = simulator.backbone
    for item in items:
        with watching(backbone.layers, [blocks], stop=True):
            backbone.decoder(input_ids=torch.tensor([item.shared + item.own], device=backbone.device), use_cache=False)


@torch.inference_mode()
def _one_batch(simulator: LocalSimulator, items: list[Item]) -> Bins:
    """Whole prompts as one right-padded batch, nothing shared."""
    backbone = simulator.backbone
    longest = max(map(len, items))
    rows = [item.shared + item.own + (item.own[-1],) * (longest - len(item)) for item in items]
    states = backbone.decoder(input_ids=torch.tensor(rows, device=backbone.device), use_cache=False).last_hidden_state
    last = states[torch.arange(len(items)), [len(item) - 1 for item in items]]  # (B, D)
    return backbone.head(last)[:, list(backbone.encoder.digits)].float().softmax(-1).tolist()


@torch.inference_mode()
def _generate(simulator: LocalSimulator, items: list[Item]) -> list[str | None]:
    """Greedy answers, and the first digit in each."""
    backbone = simulator.backbone
    digits: list[str | None] = []
    for item in items:
        ids = torch.tensor([item.shared + item.own], device=backbone.device)
        answer = backbone.language_model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=ANSWER_TOKENS,
            do_sample=False,
            pad_token_id=backbone.tokenizer.eos_token_id,
        )
        found = re.search(r"\d", backbone.tokenizer.decode(answer[0, ids.shape[1] :]))
        digits.append(found.group() if found else None)
    return digits


def _cell(simulator: LocalSimulator, n: int, prefix: int, rate: Callable[[], float], blocks: int) -> Cell:
    """One size: behind a setting nobody has seen, then other candidates behind the same one.

    The rate of plain products is the mean of one measured right before and one right behind: neighbours on a host slow
    both.
    """
    contents, around = candidates(simulator, n, seed=n), context(simulator, prefix)
    items = encoded(simulator, contents, around)
    head, readout = simulator.backbone.value_head(METRIC), ReadOut(simulator.backbone)
    needed = [readout.needed(item, head) for item in items]
    device = simulator.backbone.device
    simulator.predict(contents[:4], METRIC, around)
    simulator.forget()
    reset_peak(device)
    before = rate()
    seconds = _timed(lambda: simulator.predict(contents, METRIC, around), device)
    mean = (before + rate()) / 2
    others = candidates(simulator, n, seed=n + 1)
    again = _timed(lambda: simulator.predict(others, METRIC, around), device)
    limit = (flops(needed, simulator.backbone.decoder, blocks) + _encoder_flops(simulator, items)) / mean
    print(
        f"  {n} candidates behind {len(items[0].shared)} tokens: {seconds:.2f} s, {100 * limit / seconds:.0f} % of "
        f"{mean / 1e9:,.0f} GFLOP/s; others then {again:.2f} s"
    )
    return Cell(
        candidates=n,
        prefix_tokens=len(items[0].shared),
        tokens=tokens_run(needed)[0],
        seconds=seconds,
        seconds_again=again,
        matmul_gflops=mean / 1e9,
        limit_seconds=limit,
        peak_mb=peak_mb(device),
    )


def _timed(work: Callable[[], object], device: torch.device) -> float:
    settle(device)
    begin = time.perf_counter()
    work()
    settle(device)
    return time.perf_counter() - begin


def _encoder_flops(simulator: LocalSimulator, items: list[Item]) -> float:
    """Multiplications and additions of the text encoder over the candidates' words, without padding; 0 without one."""
    backbone = simulator.backbone
    head = backbone.value_head(METRIC)
    encoder: Any = backbone.text_encoder(head) if head else None
    if encoder is None:
        return 0.0
    linear = sum(p.numel() for p in encoder.model.encoder.parameters() if p.ndim == 2)
    lengths = map(len, encoder.tokens(ReadOut(backbone).texts(items, encoder)))
    width = encoder.width * encoder.model.config.num_hidden_layers
    return float(sum(2 * linear * length + 4 * width * length**2 for length in lengths))


def _pictures(simulator: LocalSimulator, n: int) -> tuple[PictureTime, ...]:
    plain = candidates(simulator, n)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        calls = {
            "no picture": plain,
            "one picture": with_pictures(plain, Path(folder), distinct=False),
            f"{n} pictures": with_pictures(plain, Path(folder), distinct=True),
        }
        simulator.predict(calls["one picture"][:1], METRIC)  # loads the vision tower
        for name, contents in calls.items():
            for state in ("cold", "warm") if contents is not plain else ("",):
                if state == "cold":
                    simulator.forget()
                settle(simulator.backbone.device)
                begin = time.perf_counter()
                simulator.predict(contents, METRIC)
                settle(simulator.backbone.device)
                label = f"{n} candidates, {name}" + (f", {state}" if state else "")
                found.append(PictureTime(name=label, seconds=time.perf_counter() - begin))
                print(f"  {label}: {found[-1].seconds:.2f} s")
    return tuple(found)


def _cold_start(model: str, *, runs: int = 3) -> ColdStart:
    """`lcbm score` of one headline, best of several new processes (the first may read the disk)."""
    code = "from optimizer.cli import main; main()"
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "one.csv"
        table.write_text("text\nWhy our oven opens at four in the morning\n", "utf-8")
        command = [sys.executable, "-c", code, "score", str(table), "--metric", METRIC, "--model", model, "--no-cache"]
        seconds = []
        for _ in range(runs):
            begin = time.perf_counter()
            subprocess.run([*command, "--json"], check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - begin)
    print(f"cold start: {min(seconds):.1f} s, {children_peak_mb():,.0f} MB")
    return ColdStart(seconds=min(seconds), peak_mb=children_peak_mb())


if __name__ == "__main__":
    run(main)
