"""Clocks, memory, and what the machine could do at best."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import resource
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from lcbm_model.backbone.runtime import available_cpus
from lcbm_model.errors import LcbmError
from lcbm_model.simulator.items import Item, common


def machine(device: torch.device) -> dict[str, str | int]:
    """What ran it."""
    found: dict[str, str | int] = {"processor": _processor(), "processors": available_cpus()}
    found |= {"torch threads": torch.get_num_threads(), "vector units": torch.backends.cpu.get_cpu_capability()}
    if device.type == "cuda":
        found["GPU"] = torch.cuda.get_device_name(device)
    return found


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Python and the packages that matter."""
    return {"Python": platform.python_version()} | {n: importlib.metadata.version(n) for n in ("torch", "transformers")}


def command_line(script: str, arguments: Sequence[str] | None) -> str:
    """What a reader types to get the same record, wherever this one was kept. `arguments`: None for this process's."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--out")
    _, given = parser.parse_known_args(sys.argv[1:] if arguments is None else arguments)
    return shlex.join(["python", f"benchmarks/{Path(script).name}", *given])


def run(main: Callable[[], None]) -> None:
    """A script's own start: what is wrong with its input is said in one line, and the exit code is 2."""
    try:
        main()
    except LcbmError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def settle(device: torch.device) -> None:
    """Waits until the device has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def side_by_side(ways: Mapping[str, Callable[[], Any]], device: torch.device, *, repeats: int) -> dict[str, float]:
    """Median seconds of each way: once each to warm up, then in turns, so that all meet the same disturbances."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, work in ways.items():
            settle(device)
            begin = time.perf_counter()
            work()
            settle(device)
            if turn:
                seconds[name].append(time.perf_counter() - begin)
    return {name: statistics.median(found) for name, found in seconds.items()}


def matmul_rate(device: torch.device, dtype: torch.dtype, *, width: int, inner: int, tokens: int = 2048) -> float:
    """FLOP/s of the products the model's blocks are made of, (tokens, width) x (width, inner): the median of 20."""
    left = torch.randn(tokens, width, device=device, dtype=dtype)
    right = torch.randn(inner, width, device=device, dtype=dtype)
    seconds = []
    calls = 4 if device.type == "cpu" else 50
    with torch.inference_mode():
        for _ in range(20):
            settle(device)
            begin = time.perf_counter()
            for _ in range(calls):
                torch.nn.functional.linear(left, right)
            settle(device)
            seconds.append((time.perf_counter() - begin) / calls)
    return 2 * tokens * width * inner / statistics.median(seconds)


def tokens_run(items: list[Item]) -> tuple[int, int]:
    """Tokens that must run, each shared beginning once, and the sum of what each of them looks at."""
    total, seen = 0, 0
    before: tuple[int, ...] = ()
    for trail in sorted({item.shared + item.own for item in items}):
        shared = common(before, trail)
        total += len(trail) - shared
        seen += (len(trail) * (len(trail) + 1) - shared * (shared + 1)) // 2
        before = trail
    return total, seen


def flops(items: list[Item], model: Any, blocks: int) -> float:
    """Multiplications and additions that cannot be avoided in so many blocks."""
    layer = model.layers[0]
    config = model.config
    linear = sum(p.numel() for p in layer.parameters() if p.ndim == 2)
    width = config.num_attention_heads * (
        getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    )
    tokens, seen = tokens_run(items)
    return float(blocks * (2 * linear * tokens + 4 * width * seen))


def reset_peak(device: torch.device) -> None:
    """Starts counting the memory's peak anew, where the system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5", "ascii")


def peak_mb(device: torch.device) -> float | None:
    """Peak memory since `reset_peak`, in MB: the GPU's, or the process's; None where only the whole run's is known."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if sys.platform != "linux":
        return None
    line = next(s for s in Path("/proc/self/status").read_text("ascii").splitlines() if s.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def children_peak_mb() -> float:
    """Largest peak memory of any child process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 1024)
