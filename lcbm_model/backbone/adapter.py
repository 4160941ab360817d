"""What training writes and the simulator reads: an adapter folder on top of a base model.

    lcbm.json                   `AdapterSpec` below
    adapter_model.safetensors   peft LoRA on the language model, peft's names for the plain causal model:
    adapter_config.json         base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight ...
    connector.safetensors       linear_1.weight, linear_1.bias, linear_2.weight, linear_2.bias (float32 or bfloat16);
                                absent: the checkpoint was not taught to see, its picture slots are masked
    heads.safetensors           value.<metric>.weight (D,) and value.<metric>.bias (): utility of the mean hidden
                                state after layer `value_layer`; `value.default.*` serves every other metric
    calibration.json            optional, named by `calibration`; its format belongs to simulator/calibration.py

All files but lcbm.json are optional. Numbers only: nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lcbm_model.errors import CheckpointError

if TYPE_CHECKING:
    import torch

SPEC_FILE = "lcbm.json"
LORA_FILE, LORA_CONFIG = "adapter_model.safetensors", "adapter_config.json"
CONNECTOR_FILE, HEADS_FILE = "connector.safetensors", "heads.safetensors"


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
    readout: Literal["bins", "bins+value"] = "bins"
    value_layer: int | None = Field(default=None, ge=1, description="Layers below the value head: 1..number of layers.")
    value_pooling: Literal["words", "own"] = Field(
        default="words", description="'words': the candidate's words; 'own': all tokens after the shared part."
    )
    calibration: str | None = Field(default=None, pattern=r"^[\w.-]+\.json$", description="File in this folder.")
    training: dict[str, Any] = Field(default_factory=dict, description="Recipe, seed, data, figures: for the card.")


@dataclass(frozen=True)
class ValueHead:
    """`utility = weight . mean hidden state + bias`."""

    weight: torch.Tensor  # (D,) float32
    bias: float


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

    def head(self, metric: str) -> ValueHead | None:
        """The value head of a metric, else the default one, else None."""
        return self.heads.get(metric, self.heads.get("default"))


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
    heads = _heads(_tensors(folder / HEADS_FILE) or {}, folder / HEADS_FILE)
    if heads and spec.value_layer is None:
        raise CheckpointError(f"{folder / SPEC_FILE}: value_layer", "is missing although there are value heads")
    if spec.readout == "bins+value" and not heads:
        raise CheckpointError(str(folder / HEADS_FILE), "is missing although the read-out uses a value head")
    return Adapter(
        folder=folder,
        spec=spec,
        digest=_digest(folder, spec),
        lora=lora,
        lora_config=lora_config,
        connector=_tensors(folder / CONNECTOR_FILE),
        heads=heads,
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


def _heads(tensors: dict[str, torch.Tensor], path: Path) -> dict[str, ValueHead]:
    heads = {}
    for name, weight in tensors.items():
        kind, _, rest = name.partition(".")
        metric, _, part = rest.rpartition(".")
        if kind != "value" or part not in ("weight", "bias") or f"value.{metric}.weight" not in tensors:
            raise CheckpointError(
                str(path), "unknown tensor", value=name, remedy="Expected value.<metric>.weight/.bias"
            )
        if part == "weight":
            bias = tensors.get(f"value.{metric}.bias")
            heads[metric] = ValueHead(weight.flatten().float(), float(bias) if bias is not None else 0.0)
    return heads


def _digest(folder: Path, spec: AdapterSpec) -> str:
    total = hashlib.sha256()
    for name in sorted({SPEC_FILE, LORA_FILE, LORA_CONFIG, CONNECTOR_FILE, HEADS_FILE, spec.calibration or SPEC_FILE}):
        if (folder / name).is_file():
            total.update(name.encode() + b"\0" + hashlib.sha256((folder / name).read_bytes()).digest())
    return total.hexdigest()


def merge_lora(model: torch.nn.Module, adapter: Adapter) -> torch.nn.Module:
    """Add the low-rank updates to the weights, so that a tuned model costs no more than its base.

    Plain LoRA is added here (importing peft takes seconds); DoRA, tuned biases and whole modules are left to peft.

    Args:
        model: The plain causal language model, changed in place.

    Returns:
        The model to use from now on.

    Raises:
        CheckpointError: A name or shape does not fit the model.
    """
    config = adapter.lora_config
    special = any(config.get(key) for key in ("use_dora", "modules_to_save", "fan_in_fan_out", "lora_bias"))
    if special or config.get("bias", "none") != "none" or config.get("peft_type", "LORA") != "LORA":
        from peft import PeftModel

        return PeftModel.from_pretrained(model, str(adapter.folder)).merge_and_unload()
    for name, down in adapter.lora.items():
        if name.endswith(".lora_A.weight"):
            _add_update(model, adapter, name, down)
        elif not name.endswith(".lora_B.weight"):
            raise _mismatch(adapter, "unknown LoRA tensor", name)
    return model


def _add_update(model: torch.nn.Module, adapter: Adapter, name: str, down: torch.Tensor) -> None:
    """`W += scale * B A` for one linear layer; A is (r, D_in), B is (D_out, r)."""
    import torch

    target = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
    up = adapter.lora.get(name.replace(".lora_A.", ".lora_B."))
    try:
        weight = model.get_submodule(target).weight
    except AttributeError as error:
        raise _mismatch(adapter, "the base has no such layer", target) from error
    if up is None or tuple(weight.shape) != (up.shape[0], down.shape[1]) or up.shape[1] != down.shape[0]:
        raise _mismatch(adapter, "LoRA shapes do not fit the base", target)
    scale = _scale(adapter.lora_config, target, rank=down.shape[0])
    with torch.no_grad():
        update = (up.float() @ down.float()) * scale
        weight.copy_((weight.float() + update.to(weight.device)).to(weight.dtype))


def _scale(config: dict[str, Any], target: str, *, rank: int) -> float:
    """alpha / r (or alpha / sqrt(r)) with peft's per-layer patterns."""
    import re

    alpha = float(config.get("lora_alpha", rank))
    for pattern, value in (config.get("alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", target):
            alpha = float(value)
    return alpha / (rank**0.5 if config.get("use_rslora") else rank)


def _mismatch(adapter: Adapter, problem: str, value: str) -> CheckpointError:
    remedy = f"Use the base it was trained on: {adapter.spec.base}"
    return CheckpointError(f"adapter {adapter.spec.name!r}", problem, value=value, remedy=remedy)
