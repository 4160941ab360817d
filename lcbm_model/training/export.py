"""Write what a run learned as an adapter folder: safetensors and JSON, nothing pickled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file

from lcbm_model.training.model import lora_pattern
from lcbm_model.training.processes import whole

if TYPE_CHECKING:
    from lcbm_model.training.data import Prepared
    from lcbm_model.training.joint import JointHead
    from lcbm_model.training.model import BehaviorModel
    from lcbm_model.training.settings import Recipe
    from lcbm_model.training.text_tower import TextTower


WRITTEN = (
    "lcbm.json", "adapter_model.safetensors", "adapter_config.json", "connector.safetensors", "heads.safetensors",
    "kernels.safetensors", "text_encoder.safetensors", "calibration.json",
)  # fmt: skip
"""Files of an adapter folder."""


def lora_weights(model: BehaviorModel) -> dict[str, torch.Tensor]:
    """LoRA matrices under peft's saved names (`base_model.model.model.layers...lora_A.weight`)."""
    return {
        "base_model.model." + name.removeprefix("lm.").replace(".default.", "."): whole(p.detach())
        for name, p in model.trainable().items()
        if ".lora_" in name
    }


def export_adapter(
    model: BehaviorModel,
    joint: JointHead,
    data: Prepared,
    recipe: Recipe,
    summary: dict[str, Any],
    folder: Path,
    *,
    tower: TextTower | None = None,
    write: bool = True,
) -> None:
    """Write adapter_model.safetensors + adapter_config.json (peft), connector, heads and lcbm.json.

    LoRA, connector and the text encoder's updates are stored in bfloat16, the heads in float32.

    Args:
        tower: The tuned text encoder, where the heads read one.
        write: False hands this process's pieces of the weights over and writes nothing: with weights spread over
            several processes all of them call this, and one writes.
    """
    half = {k: v.to(torch.bfloat16).contiguous().cpu() for k, v in lora_weights(model).items()}
    connector = {k: whole(v.detach()).to(torch.bfloat16).contiguous().cpu() for k, v in _connector(model).items()}
    if not write:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in WRITTEN:  # what an earlier run left would be loaded with this one's
        (folder / name).unlink(missing_ok=True)
    if half and not recipe.heads_only:
        save_file(half, folder / "adapter_model.safetensors", metadata={"format": "pt"})
        _write_lora_config(model, data, recipe, folder)
    if model.architecture.own_eyes or data.manifest.get("base", {}).get("vision_hash"):  # else it sees nothing
        save_file(connector, folder / "connector.safetensors", metadata={"format": "pt"})
    if tower is not None:
        updates = {k: v.detach().to(torch.bfloat16).contiguous().cpu() for k, v in tower.updates().items()}
        save_file(updates, folder / "text_encoder.safetensors", metadata={"format": "pt"})
    heads = {n: getattr(joint, n).detach().float().cpu().contiguous() for n in ("weight", "bias", "bins")}
    if joint.text is not None:
        heads["weight"] = torch.cat([heads["weight"], joint.text.float()], dim=1)
    if joint.cuts is not None:
        heads |= {"slope": joint.slope.float().contiguous(), "cuts": joint.cuts.float().contiguous()}
    save_file(heads, folder / "heads.safetensors", metadata={"format": "pt"})
    if joint.kernels:
        kernels = {k: v for n, part in joint.kernels.items() for k, v in part.tensors(data.metrics[n]).items()}
        save_file(kernels, folder / "kernels.safetensors", metadata={"format": "pt"})
    base = data.manifest.get("base", {})
    spec = {
        "format": 1,
        "name": recipe.run.name,
        "base": base.get("name", ""),
        "base_hash": base.get("hash", ""),
        "vision_hash": base.get("vision_hash"),
        "metrics": data.metrics,
        "languages": data.manifest.get("languages", []),
        "template": "chat",
        "readout": "bins+value",
        "value_layers": sorted(set(recipe.readout.layers)),
        "value_last": sorted(set(recipe.readout.last_layers)),
        "value_picture": recipe.readout.picture,
        "value_pooling": recipe.readout.pooling,
        "text_encoder": tower
        and {
            "base_hash": tower.base_hash,
            "alpha": recipe.text_encoder.alpha,
            "width": tower.encoder.width,
            "max_tokens": recipe.text_encoder.max_tokens,
            "reads": recipe.text_encoder.reads,
        },
        "training": {"recipe": recipe.to_dict(), "sources": data.sources, "figures": summary.get("figures", {})},
    }
    (folder / "lcbm.json").write_text(json.dumps(spec, indent=1), "utf-8")
    for weights in folder.glob("*.safetensors"):
        weights.chmod(0o644)  # safetensors writes files for their owner alone


def _connector(model: BehaviorModel) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = model.connector.state_dict()
    return state


def _write_lora_config(model: BehaviorModel, data: Prepared, recipe: Recipe, folder: Path) -> None:
    lora = recipe.lora
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "inference_mode": True,
        "base_model_name_or_path": data.manifest.get("base", {}).get("name", ""),
    }
    layers = len(model.tower.layers)
    if model.architecture.own_eyes:  # a list of names would find the vision tower's layers too
        config["target_modules"] = rf".*language_model\.{lora_pattern(lora, layers)}"
    else:
        config["target_modules"] = list(lora.targets)
        config["layers_to_transform"] = list(range(lora.first_layer, lora.last_layer or layers))
        config["layers_pattern"] = "layers"
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1), "utf-8")
