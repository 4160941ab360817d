"""Where the models run and how loudly: device, number type, threads, cache folder, silenced progress bars."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lcbm_model.errors import SettingsError

if TYPE_CHECKING:
    import torch


def cache_dir() -> Path:
    """Folder for converted weights: `$LCBM_CACHE`, else the platform's cache folder for `lcbm`. Not created here."""
    if chosen := os.environ.get("LCBM_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "lcbm"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "lcbm" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lcbm"


def available_cpus() -> int:
    """Processors this process may use (its affinity, where the system tells)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def limit_threads() -> None:
    """Keeps torch at or below the processors it may use; more of them than cores slow each other down."""
    import torch

    allowed = available_cpus()
    if torch.get_num_threads() > allowed:
        torch.set_num_threads(allowed)


def choose_device(device: str = "auto") -> torch.device:
    """The torch device of a name; "auto" is the first CUDA GPU where there is one, else the CPU.

    Raises:
        SettingsError: No such device here.
    """
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        remedy = 'Use "auto", "cpu" or a device that torch sees, such as "cuda:0"'
        raise SettingsError("device", "not available on this machine", value=device, remedy=remedy) from error
    return chosen


def choose_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """The number type of a name; "auto" is bfloat16 on a GPU that has it and float32 elsewhere.

    Raises:
        SettingsError: Another name.
    """
    import torch

    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if dtype == "auto":
        # Processors without bfloat16 units run it about five times slower than float32.
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    if dtype not in known:
        raise SettingsError("dtype", "unknown number type", value=dtype, remedy=f"Use auto, {', '.join(known)}")
    return known[dtype]


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is multiplied in hardware there: GPUs that say so, processors with matrix or dot-product units.

    Elsewhere it runs several times slower than float32.
    """
    import torch

    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Private names, as torch has no public ones: where they are gone, the answer is no.
    checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return device.type == "cpu" and any(bool(getattr(torch.cpu, name, bool)()) for name in checks)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on whatever device."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        sign in said for sign in ("can't allocate memory", "not enough memory", "out of memory")
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Silences transformers' progress bars and chatter inside the block and restores both after it."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
