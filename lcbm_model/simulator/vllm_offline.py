"""vLLM inside this process: one engine, thousands of prompts at once, their shared beginnings computed once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcbm_model.errors import BackendError, CheckpointError, PictureError, SettingsError
from lcbm_model.serving.checkpoint import find_checkpoint
from lcbm_model.serving.command import lora_rank
from lcbm_model.simulator.vllm_base import Reading, VLLMBase
from lcbm_model.simulator.vllm_prompts import Item, TokenPrompts, digit_weights

if TYPE_CHECKING:
    from PIL.Image import Image

CHUNK = 1024
"""Prompts handed over at once: what is lost at most when the engine dies."""
PICTURE_CHUNK = 64
"""The same with pictures, which stay decoded as long as their chunk runs."""


class VLLMSimulator(VLLMBase):
    """Plays the audience with an engine of its own.

    Args:
        name: A merged checkpoint, any Hugging Face folder or hub name, or an adapter: its LoRA then runs beside the
            base, unmerged.
        dtype: "auto" (float32 on a processor, else half of it), "float32", "bfloat16", "float16".
        max_tokens: Longest prompt with its answer, and what memory is set aside for; None: what the model was built
            for.
        tensor_parallel: GPUs that share one copy of the weights.
        gpu_memory: Share of a GPU's memory to take, above 0 and up to 1.
        calibrated: Whether to apply the calibration stored beside the checkpoint.
        engine: Further arguments of `vllm.LLM`.

    Raises:
        SettingsError: vLLM is not installed, or a setting is out of range.
        CheckpointError: The checkpoint cannot be loaded, or its digits mean nothing.
    """

    def __init__(
        self,
        name: str | Path,
        *,
        dtype: str = "auto",
        max_tokens: int | None = None,
        tensor_parallel: int = 1,
        gpu_memory: float = 0.9,
        calibrated: bool = True,
        **engine: Any,
    ) -> None:
        for key, value, fine in (
            ("max_tokens", max_tokens, max_tokens is None or max_tokens >= 16),
            ("tensor_parallel", tensor_parallel, tensor_parallel >= 1),
            ("gpu_memory", gpu_memory, 0 < gpu_memory <= 1),
        ):
            if not fine:
                raise SettingsError(key, "out of range", value=value, remedy="See VLLMSimulator")
        checkpoint = find_checkpoint(name)
        super().__init__(checkpoint, TokenPrompts(checkpoint, max_tokens=max_tokens), calibrated=calibrated)
        settings: dict[str, Any] = {
            "model": checkpoint.model,
            "dtype": dtype,
            "max_model_len": self.prompts.max_tokens,
            "tensor_parallel_size": tensor_parallel,
            "gpu_memory_utilization": gpu_memory,
            "enable_prefix_caching": True,
            "disable_log_stats": True,
            "seed": 0,
        }
        if checkpoint.lora:
            settings |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": lora_rank(checkpoint.rank)}
        self._llm, self._sampling, self._lora = self._start({**settings, **engine})

    def _start(self, settings: dict[str, Any]) -> tuple[Any, Any, Any]:
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")  # it would report home otherwise
        try:
            from vllm import LLM, SamplingParams
            from vllm.lora.request import LoRARequest
            from vllm.platforms import current_platform
        except ImportError as error:
            remedy = "Install it in an environment of its own (docs/serving.md), or ask a server: vllm:NAME@URL"
            raise SettingsError("vllm", "the vllm package is missing", remedy=remedy) from error
        if settings["dtype"] == "auto" and current_platform.is_cpu():
            settings["dtype"] = "float32"  # processors without bfloat16 units run it several times slower
        try:
            llm = LLM(**settings)
        except (RuntimeError, ValueError, OSError, TypeError) as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise CheckpointError(
                self.checkpoint.name, f"vLLM cannot start: {first}", remedy="Look at what it printed above"
            ) from error
        self.precision = str(llm.model_config.dtype).removeprefix("torch.")
        sampling = SamplingParams(max_tokens=1, temperature=0, logprob_token_ids=list(self.prompts.encoder.digits))
        lora = self.checkpoint.lora
        return llm, sampling, LoRARequest(self.checkpoint.name, 1, str(lora)) if lora else None

    def close(self) -> None:
        """Stop the engine and free its memory. The simulator cannot be used afterwards."""
        self._llm.llm_engine.engine_core.shutdown()

    def _read(self, items: Sequence[Item], cancelled: Callable[[], bool]) -> Iterator[Mapping[Item, Reading]]:
        plain = [item for item in items if not item.pictures]
        seeing = [item for item in items if item.pictures]
        for group, size in ((plain, CHUNK), (seeing, PICTURE_CHUNK)):
            for start in range(0, len(group), size):
                if cancelled():
                    return
                yield self._chunk(group[start : start + size])

    def _chunk(self, items: Sequence[Item]) -> dict[Item, Reading]:
        pictures = _open(items)
        found: dict[Item, Reading] = {}
        prompts: list[dict[str, Any]] = []
        asked: list[Item] = []
        for item in items:
            bad = next((str(p) for p in map(pictures.get, _keys(item)) if isinstance(p, PictureError)), None)
            if bad:
                found[item] = bad
                continue
            prompt: dict[str, Any] = {"prompt_token_ids": list(item.ids)}
            if item.pictures:
                prompt["multi_modal_data"] = {"image": [pictures[key] for key in _keys(item)]}
                prompt["multi_modal_uuids"] = {"image": _keys(item)}
            prompts.append(prompt)
            asked.append(item)
        for item, output in zip(asked, self._generate(prompts), strict=True):
            shown = {token: entry.logprob for token, entry in output.outputs[0].logprobs[0].items()}
            found[item] = digit_weights(shown, self.prompts.encoder.digits)
        return found

    def _generate(self, prompts: list[dict[str, Any]]) -> list[Any]:
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        try:
            with self._lock:
                return self._llm.generate(prompts, self._sampling, use_tqdm=False, lora_request=self._lora)
        except (EngineDeadError, EngineGenerateError, RuntimeError, ValueError) as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BackendError(f"simulator {self.checkpoint.name} on vLLM failed: {first}. Start it again") from error


def _keys(item: Item) -> list[str]:
    return [picture.key for picture in item.pictures]


def _open(items: Sequence[Item]) -> dict[str, Image | PictureError]:
    """Every distinct picture of some items, opened once, or why it cannot be."""
    from lcbm_model.vision.images import open_picture

    found: dict[str, Image | PictureError] = {}
    for picture in (picture for item in items for picture in item.pictures):
        if picture.key not in found:
            try:
                found[picture.key] = open_picture(picture.path)
            except PictureError as error:
                found[picture.key] = error
    return found
