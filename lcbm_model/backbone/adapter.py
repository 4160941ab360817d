"""What training writes and the simulator reads: an adapter folder on top of a base model.

    lcbm.json                   `AdapterSpec` below
    adapter_model.safetensors   peft LoRA on the language model, peft's names for the plain causal model:
    adapter_config.json         base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight ...
    connector.safetensors       linear_1.weight, linear_1.bias, linear_2.weight, linear_2.bias (float32 or bfloat16);
                                absent: the checkpoint was not taught to see, its picture slots are masked
    heads.safetensors           weight (M, F), bias (M,), bins (M,), and perhaps slope (M,) and cuts (M, 9), float32,
                                rows in the order of `metrics`: the value heads, see `ValueHead` for what they hold
    kernels.safetensors         METRIC.project (F, K), METRIC.offset (K,), METRIC.landmarks (M, K), METRIC.weight (M,):
                                a kernel beside the head, for the metrics that have one, see `KernelPart`
    text_encoder.safetensors    low-rank updates of the packaged sentence encoder, described by `text_encoder`:
                                encoder.layer.0.attention.self.query.lora_A.weight ..., behind TOWER. where there
                                are several
    calibration.json            optional, named by `calibration`; its format belongs to simulator/calibration.py

All files but lcbm.json are optional. Numbers only: nothing is unpickled.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lcbm_model.backbone.kernel import KernelPart
from lcbm_model.backbone.low_rank import add_low_rank
from lcbm_model.behavior import N_BINS
from lcbm_model.errors import CheckpointError

if TYPE_CHECKING:
    import torch

SPEC_FILE = "lcbm.json"
LORA_FILE, LORA_CONFIG = "adapter_model.safetensors", "adapter_config.json"
CONNECTOR_FILE, HEADS_FILE = "connector.safetensors", "heads.safetensors"
TEXT_ENCODER_FILE, KERNELS_FILE = "text_encoder.safetensors", "kernels.safetensors"

TowerName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Sight(BaseModel):
    """What a text encoder sees of a content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_tokens: int = Field(ge=3, le=512, description="Tokens read of a text; what comes after is not seen.")
    reads: Literal["words", "card"] = Field(
        default="words", description="The candidate's words, or `verbalize.card`: its format and title before them."
    )


class TowerSpec(Sight):
    """One of several text encoders."""

    metrics: tuple[str, ...] = Field(min_length=1, description="Metrics whose heads read it.")


class TextEncoderSpec(Sight):
    """Which sentence encoder a checkpoint's low-rank updates belong to, and how it reads where it is the only one."""

    base_hash: str = Field(min_length=64, max_length=64, description="SHA-256 of the encoder's own weights.")
    alpha: float = Field(gt=0, description="Updates count alpha / rank.")
    width: int = Field(gt=0, description="Length of its vectors.")
    towers: dict[TowerName, TowerSpec] = Field(
        default_factory=dict, description="Encoders tuned apart; empty: one for all."
    )

    def tower(self, metric: str) -> str:
        """Name of the encoder that reads for a metric; "" where one reads for all, or none for this metric."""
        return next((name for name, tower in self.towers.items() if metric in tower.metrics), "")

    def sight(self, tower: str) -> Sight:
        """How one of the encoders ("": the only one) reads."""
        return self.towers.get(tower, self)

    def reads_kind(self, metric: str) -> bool:
        """Whether the encoder of a metric sees a content's format and title."""
        name = self.tower(metric)
        return bool(name or not self.towers) and self.sight(name).reads == "card"


class AdapterSpec(BaseModel):
    """`lcbm.json`: what the folder holds and which base it belongs to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    name: str = Field(min_length=1, description="For people and tables: 'lcbm-smol'.")
    base: str = Field(default="smollm2-135m", description="'smollm2-135m' (packaged), a folder or a hub name.")
    base_hash: str = Field(min_length=64, max_length=64, description="`Backbone.base_hash` it was trained on.")
    vision_hash: str | None = Field(default=None, description="`Backbone.vision_hash` its connector was trained on.")
    tuned: bool = Field(default=True, description="False: written without training on behaviour.")
    metrics: tuple[str, ...] = Field(default=(), description="Metrics it was tuned on.")
    languages: tuple[str, ...] = Field(
        default=(), description="Languages (ISO 639 codes) of the texts it was tuned on; empty: not known."
    )
    template: Literal["chat", "plain"] = Field(
        default="chat", description="'chat': prompts stand in the chat template; 'plain': shared + own part, bare."
    )
    readout: Literal["bins", "bins+value"] = "bins"
    value_layers: tuple[int, ...] = Field(
        default=(), description="Blocks whose outputs the value head pools; 1 is the first block's."
    )
    value_last: tuple[int, ...] = Field(
        default=(), description="Blocks whose output at the last pooled token the value head reads too."
    )
    value_pooling: Literal["words", "own"] = Field(
        default="own", description="Mean over all tokens after the shared part, or over the candidate's words only."
    )
    value_picture: bool = Field(default=False, description="Whether the mean of the tower's features comes after them.")
    text_encoder: TextEncoderSpec | None = Field(
        default=None, description="Where there is one, its vector of the candidate's words comes last."
    )
    calibration: str | None = Field(default=None, pattern=r"^[\w.-]+\.json$", description="File in this folder.")
    training: dict[str, Any] = Field(default_factory=dict, description="Recipe, seed, data, figures: for the card.")

    @property
    def reads_kind(self) -> tuple[str, ...]:
        """Metrics for which the text encoder reads a content's format and title too."""
        return tuple(m for m in self.metrics if self.text_encoder and self.text_encoder.reads_kind(m))


@dataclass(frozen=True)
class ValueHead:
    """`utility = weight . features + bias + bins * expected bin` (of 0.5 .. 9.5), plus the kernel's where there is one.

    Features: for each of `value_layers`, lowest first, the mean hidden state (D,), then for each of `value_last` the
    state of the last pooled token (D,), then, with `value_picture`, the mean of the vision tower's features (C,),
    zeros without a picture, then, with `text_encoder`, its vector of the candidate's words (E,). Where there are
    `cuts`, the head was trained and the digits were not: the bins then come from the utility,
    P(bin <= k) = sigmoid(cuts[k] - slope * utility), not from the digits.
    """

    weight: torch.Tensor  # (F,) float32, F = (len(value_layers) + len(value_last)) * D + perhaps C + perhaps E
    bias: float
    bins: float
    slope: float = 1.0
    cuts: tuple[float, ...] = ()
    tower: str = ""
    """Which of the checkpoint's text encoders it reads, where there are several."""
    kernel: KernelPart | None = None
    """Reads the same features, but for the text encoder's."""

    def bin_probabilities(self, utility: float) -> tuple[float, ...]:
        """Probabilities of the ten bins from the cuts."""
        below = [1 / (1 + math.exp(min(700.0, self.slope * utility - cut))) for cut in self.cuts]
        return tuple(high - low for low, high in zip([0.0, *below], [*below, 1.0], strict=True))


@dataclass(frozen=True)
class Adapter:
    """An adapter folder in memory. Tensors are on the CPU as stored."""

    folder: Path
    spec: AdapterSpec
    digest: str
    """SHA-256 over the names and bytes of its files."""
    lora: dict[str, torch.Tensor] = field(default_factory=dict)
    lora_config: dict[str, Any] = field(default_factory=dict)
    connector: dict[str, torch.Tensor] | None = None
    heads: dict[str, ValueHead] = field(default_factory=dict)
    text_encoder: dict[str, torch.Tensor] = field(default_factory=dict)

    def head(self, metric: str) -> ValueHead | None:
        """The value head of a metric, or None."""
        return self.heads.get(metric)

    def encoder_updates(self, tower: str) -> dict[str, torch.Tensor]:
        """Low-rank updates of one of the text encoders ("": of the only one), by the encoder's own names."""
        start = f"{tower}." if tower else ""
        return {name.removeprefix(start): value for name, value in self.text_encoder.items() if name.startswith(start)}


def is_adapter(folder: Path) -> bool:
    """Whether a folder claims to be an adapter."""
    return (folder / SPEC_FILE).is_file()


def read_spec(folder: Path) -> AdapterSpec:
    """The description of an adapter folder.

    Raises:
        CheckpointError: Missing, unreadable, or a field is wrong (named).
    """
    path = folder / SPEC_FILE
    try:
        return AdapterSpec.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CheckpointError(str(path), "cannot be read", remedy="Name a folder that `lcbm train` wrote") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        remedy = "Train it again with this version"
        raise CheckpointError(f"{path}: {where}", first["msg"], value=first.get("input"), remedy=remedy) from error


def read_adapter(folder: Path) -> Adapter:
    """Read an adapter folder whole.

    Raises:
        CheckpointError: A file is missing, damaged or does not fit the description.
    """
    spec = read_spec(folder)
    lora = _tensors(folder / LORA_FILE) or {}
    lora_config: dict[str, Any] = {}
    if lora:
        try:
            lora_config = json.loads((folder / LORA_CONFIG).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise CheckpointError(
                str(folder / LORA_CONFIG), "cannot be read", remedy="Copy the whole folder"
            ) from error
    heads = _heads(_tensors(folder / HEADS_FILE), folder / HEADS_FILE, spec)
    heads = _with_kernels(heads, _tensors(folder / KERNELS_FILE) or {}, folder / KERNELS_FILE, spec)
    if spec.readout == "bins+value" and not (heads and (spec.value_layers or spec.value_last)):
        raise CheckpointError(str(folder), "the read-out uses a value head, but heads or value_layers are missing")
    text_encoder = _tensors(folder / TEXT_ENCODER_FILE) or {}
    if bool(text_encoder) != (spec.text_encoder is not None):
        raise CheckpointError(str(folder / TEXT_ENCODER_FILE), "the file and its description do not go together")
    if spec.text_encoder and spec.text_encoder.towers:
        held, named = {name.split(".")[0] for name in text_encoder}, set(spec.text_encoder.towers)
        if held != named:
            value = f"{sorted(held)} in the file, {sorted(named)} in {SPEC_FILE}"
            raise CheckpointError(str(folder / TEXT_ENCODER_FILE), "holds other encoders than described", value=value)
    return Adapter(
        folder=folder,
        spec=spec,
        digest=_digest(folder, spec),
        lora=lora,
        lora_config=lora_config,
        connector=_tensors(folder / CONNECTOR_FILE),
        heads=heads,
        text_encoder=text_encoder,
    )


def _tensors(path: Path) -> dict[str, torch.Tensor] | None:
    """The tensors of a safetensors file; None where there is no such file."""
    if not path.is_file():
        return None
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(str(path), f"damaged: {error}", remedy="Copy or train it again") from error


def _heads(tensors: dict[str, torch.Tensor] | None, path: Path, spec: AdapterSpec) -> dict[str, ValueHead]:
    if tensors is None:
        return {}
    rows = len(spec.metrics)
    weight = tensors.get("weight")
    if weight is None or weight.ndim != 2 or any(len(value) != rows for value in tensors.values()):
        shapes = {name: tuple(value.shape) for name, value in tensors.items()}
        raise CheckpointError(str(path), f"expected weight (M, F), bias (M,), bins (M,) with M = {rows}", value=shapes)
    bias, bins = (tensors.get(name, weight.new_zeros(rows)).float().tolist() for name in ("bias", "bins"))
    slope = tensors.get("slope", weight.new_ones(rows)).float().tolist()
    cuts = _cuts(tensors.get("cuts"), path, rows)
    encoder = spec.text_encoder
    return {
        name: ValueHead(weight[i].float(), bias[i], bins[i], slope[i], cuts[i], encoder.tower(name) if encoder else "")
        for i, name in enumerate(spec.metrics)
    }


def _with_kernels(
    heads: dict[str, ValueHead], tensors: dict[str, torch.Tensor], path: Path, spec: AdapterSpec
) -> dict[str, ValueHead]:
    """The heads, each with its kernel."""
    if strangers := {name.rpartition(".")[0] for name in tensors} - set(heads):
        raise CheckpointError(str(path), "holds kernels of metrics that have no head", value=sorted(strangers))
    if not tensors:
        return heads
    try:
        kernels = {metric: KernelPart.of(tensors, metric) for metric in heads}
    except ValueError as error:
        raise CheckpointError(str(path), f"damaged: {error}", remedy="Copy or train it again") from error
    read = -spec.text_encoder.width if spec.text_encoder else None
    for metric, kernel in kernels.items():
        if kernel is not None and len(kernel.project) != len(heads[metric].weight[:read]):
            raise CheckpointError(str(path), f"{metric}: reads other features than its head", value=len(kernel.project))
    return {metric: replace(head, kernel=kernels[metric]) for metric, head in heads.items()}


def _cuts(cuts: torch.Tensor | None, path: Path, rows: int) -> list[tuple[float, ...]]:
    if cuts is None:
        return [()] * rows
    if cuts.ndim != 2 or cuts.shape[1] != N_BINS - 1 or bool((cuts.diff(dim=1) < 0).any()):
        raise CheckpointError(str(path), f"expected cuts (M, {N_BINS - 1}) that never fall", value=tuple(cuts.shape))
    return [tuple(row) for row in cuts.float().tolist()]


def _digest(folder: Path, spec: AdapterSpec) -> str:
    total = hashlib.sha256()
    files = {SPEC_FILE, LORA_FILE, LORA_CONFIG, CONNECTOR_FILE, HEADS_FILE, TEXT_ENCODER_FILE, KERNELS_FILE}
    for name in sorted(files | {spec.calibration or SPEC_FILE}):
        if (folder / name).is_file():
            total.update(name.encode() + b"\0" + hashlib.sha256((folder / name).read_bytes()).digest())
    return total.hexdigest()


def copy_beside(model: Any, adapter: Adapter) -> Any:
    """A copy of a language model for the adapter's low-rank updates; weights without any are the model's own tensors.

    Args:
        model: The plain causal language model, which stays as it is.
    """
    updated = {name.removeprefix("base_model.model.").partition(".lora_")[0] for name in adapter.lora}
    kept = {} if _beyond_lora(adapter) else {
        id(tensor): tensor
        for name, tensor in (*model.named_parameters(), *model.named_buffers())
        if name.rpartition(".")[0] not in updated
    }  # fmt: skip
    return copy.deepcopy(model, dict(kept))


def _beyond_lora(adapter: Adapter) -> bool:
    """Whether the adapter does more than add low-rank updates, so that peft has to apply it."""
    config = adapter.lora_config
    special = any(config.get(key) for key in ("use_dora", "modules_to_save", "fan_in_fan_out", "lora_bias"))
    return special or config.get("bias", "none") != "none" or config.get("peft_type", "LORA") != "LORA"


def merge_lora(model: Any, adapter: Adapter) -> Any:
    """Add the low-rank updates to the weights, so that a tuned model costs no more than its base.

    Plain LoRA is added here (importing peft takes seconds); DoRA, tuned biases and whole modules are left to peft.

    Args:
        model: The plain causal language model, changed in place.

    Returns:
        The model to use from now on.

    Raises:
        CheckpointError: A name or shape does not fit the model.
    """
    if _beyond_lora(adapter):
        from peft import PeftModel

        return PeftModel.from_pretrained(model, str(adapter.folder)).merge_and_unload()
    known = {name.removeprefix("base_model.model."): tensor for name, tensor in adapter.lora.items()}
    try:
        add_low_rank(model, known, scale=partial(_scale, adapter.lora_config))
    except ValueError as error:
        remedy = f"Use the base it was trained on: {adapter.spec.base}"
        raise CheckpointError(f"adapter {adapter.spec.name!r}", str(error), remedy=remedy) from error
    return model


def _scale(config: dict[str, Any], target: str, rank: int) -> float:
    """alpha / r (or alpha / sqrt(r)) with peft's per-layer patterns."""
    import re

    alpha = float(config.get("lora_alpha", rank))
    for pattern, value in (config.get("alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", target):
            alpha = float(value)
    return alpha / (rank**0.5 if config.get("use_rslora") else rank)
