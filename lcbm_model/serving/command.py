"""The command line of a vLLM server for a checkpoint: which flags, which environment, what to know beforehand."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lcbm_model.errors import SettingsError
from lcbm_model.serving.checkpoint import ServedCheckpoint, find_checkpoint

PYTHON = "LCBM_VLLM_PYTHON"
"""Names the interpreter of vLLM's own environment."""
_GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


class ServeSettings(BaseModel):
    """How a checkpoint is served. Parallelism multiplies: tensor x data GPUs are needed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", min_length=1, description="Only this machine, unless another is named.")
    port: int = Field(default=8000, ge=1, le=65535)
    device: Literal["auto", "cpu", "gpu"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    max_tokens: int | None = Field(default=None, ge=16, description="Longest prompt with its answer, tokens.")
    tensor_parallel: int = Field(default=1, ge=1, description="GPUs that share one copy of the weights.")
    data_parallel: int = Field(default=1, ge=1, description="Copies of the weights.")
    gpu_memory: float = Field(default=0.9, gt=0, le=1, description="Share of each GPU's memory.")
    max_prompts: int | None = Field(default=None, ge=1, description="Prompts under way at once.")
    cpu_cache: int = Field(default=2, ge=1, description="GiB of key-value cache on a processor.")
    cpu_cores: str | None = Field(default=None, pattern=r"^[0-9,|-]+$", description="Cores to stay on: '0-7'.")
    lora: tuple[str, ...] = Field(default=(), description="Further adapters of the same base, by name or folder.")
    python: str | None = Field(default=None, description="Interpreter of vLLM's environment.")
    extra: tuple[str, ...] = Field(default=(), description="Further arguments of vLLM, as they are.")

    @classmethod
    def of(cls, **values: object) -> ServeSettings:
        """Checked settings; what is None takes its default.

        Raises:
            SettingsError: A value out of range (named).
        """
        try:
            return cls.model_validate({key: value for key, value in values.items() if value is not None})
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise SettingsError(
                where, first["msg"], value=first.get("input"), remedy="See lcbm model serve --help"
            ) from error


@dataclass(frozen=True)
class ServeCommand:
    """What is run."""

    arguments: tuple[str, ...]
    environment: dict[str, str]
    """Set beside what is set already."""
    models: tuple[str, ...]
    """Names that the server answers to."""
    base_url: str
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line for a shell."""
        return shlex.join(["env", *(f"{key}={value}" for key, value in self.environment.items()), *self.arguments])


def serve_command(name: str | Path, settings: ServeSettings | None = None) -> ServeCommand:
    """The command that serves a checkpoint: merged weights, or an adapter beside its base.

    Raises:
        SettingsError: Nothing has that name, or an adapter of `settings.lora` belongs to another base.
        CheckpointError: Damaged, or made for another base.
    """
    settings = settings or ServeSettings()
    checkpoint = find_checkpoint(name)
    adapters = [checkpoint] if checkpoint.lora else []
    adapters += [_same_base(other, checkpoint) for other in settings.lora]
    on_cpu = settings.device == "cpu" or (settings.device == "auto" and not any(map(os.path.exists, _GPU_DEVICES)))
    base_name = _base_name(checkpoint) if checkpoint.lora else checkpoint.name
    arguments = [settings.python or os.environ.get(PYTHON) or sys.executable]
    # The package's own `vllm` command does not start from every wheel; the module always does.
    arguments += ["-m", "vllm.entrypoints.openai.api_server", "--model", checkpoint.model]
    arguments += ["--served-model-name", base_name, "--host", settings.host, "--port", str(settings.port)]
    arguments += ["--dtype", "float32" if on_cpu and settings.dtype == "auto" else settings.dtype]
    arguments += ["--enable-prefix-caching", "--seed", "0"]
    if settings.max_tokens:
        arguments += ["--max-model-len", str(settings.max_tokens)]
    if settings.max_prompts:
        arguments += ["--max-num-seqs", str(settings.max_prompts)]
    arguments += _parallel(settings, on_cpu)
    if adapters:
        arguments += ["--enable-lora", "--max-lora-rank", str(lora_rank(max(a.rank for a in adapters)))]
        arguments += ["--max-loras", str(len(adapters)), "--lora-modules"]
        arguments += [f"{adapter.name}={adapter.lora}" for adapter in adapters]
    return ServeCommand(
        arguments=(*arguments, *settings.extra),
        environment=_environment(settings, checkpoint, on_cpu),
        models=(base_name, *(adapter.name for adapter in adapters)),
        base_url=f"http://{_reached(settings.host)}:{settings.port}/v1",
        notes=tuple(_notes(settings, [checkpoint, *adapters])),
    )


def run_command(command: ServeCommand) -> None:
    """Become the server: this process is replaced, so that signals reach it and nothing is left behind.

    Raises:
        SettingsError: The interpreter is missing or has no vLLM.
    """
    python = shutil.which(command.arguments[0]) or command.arguments[0]
    probe = "import importlib.util, sys; sys.exit(importlib.util.find_spec('vllm') is None)"
    try:
        found = subprocess.run([python, "-c", probe], check=False, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SettingsError("--python", "cannot be run", value=python, remedy=f"Check {PYTHON}") from error
    if not found:
        remedy = f"Make an environment for it (docs/serving.md) and name its interpreter: --python or {PYTHON}"
        raise SettingsError("--python", "has no vllm package", value=python, remedy=remedy)
    try:
        os.execve(python, list(command.arguments), {**os.environ, **command.environment})
    except OSError as error:
        raise SettingsError("--python", f"cannot be run: {error}", value=python) from error


def lora_rank(rank: int) -> int:
    """The smallest rank vLLM can be set to that holds an adapter's."""
    return next((r for r in (8, 16, 32, 64, 128, 256, 320) if r >= rank), 512)


def _same_base(name: str, checkpoint: ServedCheckpoint) -> ServedCheckpoint:
    adapter = find_checkpoint(name)
    if not adapter.lora or adapter.model != checkpoint.model:
        remedy = "Serve it by itself, or merge it"
        raise SettingsError("--lora", "is no LoRA adapter on the base that is served", value=name, remedy=remedy)
    return adapter


def _base_name(checkpoint: ServedCheckpoint) -> str:
    return find_checkpoint(checkpoint.model).name


def _parallel(settings: ServeSettings, on_cpu: bool) -> list[str]:
    arguments = []
    if settings.tensor_parallel > 1:
        arguments += ["--tensor-parallel-size", str(settings.tensor_parallel)]
    if settings.data_parallel > 1:
        arguments += ["--data-parallel-size", str(settings.data_parallel)]
    if on_cpu:
        return [*arguments, "--enforce-eager"]
    return [*arguments, "--gpu-memory-utilization", f"{settings.gpu_memory:g}"]


def _environment(settings: ServeSettings, checkpoint: ServedCheckpoint, on_cpu: bool) -> dict[str, str]:
    environment = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if Path(checkpoint.model).is_dir():
        environment["HF_HUB_OFFLINE"] = "1"
    if on_cpu:
        environment["VLLM_CPU_KVCACHE_SPACE"] = str(settings.cpu_cache)
        if settings.cpu_cores:
            environment["VLLM_CPU_OMP_THREADS_BIND"] = settings.cpu_cores
    return environment


def _reached(host: str) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _notes(settings: ServeSettings, checkpoints: Sequence[ServedCheckpoint]) -> list[str]:
    notes = [
        f"{c.name} was trained through its value head alone: served it can write, its digits mean nothing"
        for c in dict.fromkeys(checkpoints)
        if not c.scores
    ]
    if settings.host not in ("127.0.0.1", "::1", "localhost"):
        notes.append("other machines can reach the server: set VLLM_API_KEY to demand a key")
    return notes
