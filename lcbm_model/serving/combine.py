"""Joins adapters that sit on one base: each brings the metrics it was trained for, and no score changes.

A value head reads states of the base and one text encoder, so that heads trained apart can stand side by side, as
long as nothing of what they read was tuned by one of them alone.
"""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lcbm_model.backbone.adapter import (
    CONNECTOR_FILE,
    HEADS_FILE,
    KERNELS_FILE,
    LORA_CONFIG,
    LORA_FILE,
    SPEC_FILE,
    TEXT_ENCODER_FILE,
    Adapter,
    AdapterSpec,
    TextEncoderSpec,
    TowerSpec,
    read_adapter,
)
from lcbm_model.errors import CheckpointError, SettingsError
from lcbm_model.simulator.conformal import ConformalCalibration, load_calibration

_ALIKE = (
    "base_hash", "vision_hash", "template", "readout", "value_layers", "value_last", "value_pooling", "value_picture",
)  # fmt: skip
CALIBRATION_FILE = "calibration.json"


def combine_adapters(folders: Sequence[Path], out: Path, *, name: str) -> AdapterSpec:
    """Write an adapter with the metrics of all; of a metric that several have the first one's head counts.

    Args:
        folders: At least two adapters of the same base and read-out.
        out: Folder to write; must be new or empty.
        name: Of the new checkpoint.

    Returns:
        The new description. Its `training` holds the parts' own.

    Raises:
        CheckpointError: An adapter is damaged, or they do not go together.
        SettingsError: Fewer than two, or a folder that is not empty.
    """
    import torch
    from safetensors.torch import save_file

    if len(folders) < 2:
        raise SettingsError("adapters", "name at least two", value=[str(f) for f in folders])
    if not name.strip():
        raise SettingsError("--name", "is empty", value=name, remedy="Name the new checkpoint")
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise SettingsError("--out", "is not empty, or no folder", value=str(out), remedy="Name a new folder")
    parts = [read_adapter(folder) for folder in folders]
    for one, other in itertools.combinations(parts, 2):
        _check_alike(one, other)
    taken = _metrics(parts)
    metrics = sorted(metric for own in taken for metric in own)
    of = {metric: part for part, own in zip(parts, taken, strict=True) for metric in own}
    encoder, updates = _encoders(parts, taken)
    calibration = _calibration(parts, taken)
    heads = [of[metric].heads[metric] for metric in metrics]
    width = max(len(head.weight) for head in heads)
    tensors = {
        "weight": torch.stack([torch.nn.functional.pad(head.weight, (0, width - len(head.weight))) for head in heads]),
        "bias": torch.tensor([head.bias for head in heads]),
        "bins": torch.tensor([head.bins for head in heads]),
        "slope": torch.tensor([head.slope for head in heads]),
    }
    tensors["cuts"] = torch.tensor([head.cuts for head in heads])
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError("--out", f"cannot be written: {error}", value=str(out), remedy="Name another") from error
    save_file(tensors, out / HEADS_FILE, metadata={"format": "pt"})
    kernels = {k: v for m in metrics if (part := of[m].heads[m].kernel) for k, v in part.tensors(m).items()}
    if kernels:
        save_file(kernels, out / KERNELS_FILE, metadata={"format": "pt"})
    if updates:
        save_file(updates, out / TEXT_ENCODER_FILE, metadata={"format": "pt"})
    for file, holder in ((CONNECTOR_FILE, lambda p: p.connector), (LORA_FILE, lambda p: p.lora)):
        if source := next((part for part in parts if holder(part)), None):
            shutil.copyfile(source.folder / file, out / file)
            if file == LORA_FILE:
                shutil.copyfile(source.folder / LORA_CONFIG, out / LORA_CONFIG)
    if calibration:
        (out / CALIBRATION_FILE).write_text(calibration.model_dump_json(indent=1), "utf-8")
    changes = {
        "name": name,
        "metrics": tuple(metrics),
        "languages": _languages(parts),
        "text_encoder": encoder,
        "calibration": CALIBRATION_FILE if calibration else None,
        "training": {"parts": [run for part, own in zip(parts, taken, strict=True) for run in _runs(part, own)]},
    }
    spec = parts[0].spec.model_copy(update=changes)
    (out / SPEC_FILE).write_text(spec.model_dump_json(indent=1), "utf-8")
    for weights in out.glob("*.safetensors"):
        weights.chmod(0o644)  # safetensors writes files for their owner alone
    return read_adapter(out).spec


def _metrics(parts: Sequence[Adapter]) -> list[list[str]]:
    """The metrics that each part brings."""
    seen: set[str] = set()
    found = []
    for part in parts:
        own = [metric for metric in part.spec.metrics if metric in part.heads and metric not in seen]
        if not own:
            raise CheckpointError(part.spec.name, "brings no metric that those before it lack", value=part.spec.metrics)
        seen.update(own)
        found.append(own)
    return found


def _languages(parts: Sequence[Adapter]) -> tuple[str, ...]:
    """Those that all parts learned from that say which: one of pictures alone knows none."""
    told = [part.spec.languages for part in parts if part.spec.languages]
    return tuple(language for language in (told[0] if told else ()) if all(language in own for own in told))


def _runs(part: Adapter, own: Sequence[str]) -> list[dict[str, Any]]:
    """What was trained for the metrics that a part brings: itself, or, where it was joined before, its own parts."""
    runs = part.spec.training.get("parts") or [
        {"name": part.spec.name, "metrics": list(part.spec.metrics), **part.spec.training}
    ]
    kept = [{**run, "metrics": [metric for metric in run["metrics"] if metric in own]} for run in runs]
    return [run for run in kept if run["metrics"]]


def _check_alike(first: Adapter, other: Adapter) -> None:
    """Refuse what would score otherwise beside the first."""
    both = f"{first.spec.name}, {other.spec.name}"
    for field in _ALIKE:
        one, two = getattr(first.spec, field), getattr(other.spec, field)
        if one != two:
            raise CheckpointError(both, f"{field} differs: {one!r} and {two!r}", remedy="Train both alike")
    if len(widths := {_states(part) for part in (first, other)}) > 1:
        remedy = "Prepare both with pictures, or both without"
        raise CheckpointError(both, "their heads read states of different widths", value=sorted(widths), remedy=remedy)
    for head in (*first.heads.values(), *other.heads.values()):
        if not head.cuts or head.bins:
            raise CheckpointError(both, "a head reads digits, which the other may tune", remedy="Keep them apart")
    tuned = [part for part in (first, other) if part.lora]
    if len(tuned) == 2:
        raise CheckpointError(both, "both carry adapters on the language model", remedy="Join heads on frozen states")
    for part in tuned:
        lowest = min(map(int, re.findall(r"\.layers\.(\d+)\.", " ".join(part.lora))), default=0)
        if lowest < max((*part.spec.value_layers, *part.spec.value_last)):
            raise CheckpointError(both, "the adapters of one change what the heads of the other read")
    if not _equal(first.connector, other.connector):
        raise CheckpointError(both, "were taught to see differently", remedy="Train both from the same connector")


def _states(part: Adapter) -> int:
    """How many states the heads read, the text encoder's apart."""
    encoder = part.spec.text_encoder.width if part.spec.text_encoder else 0
    return max(len(head.weight) for head in part.heads.values()) - encoder


def _equal(one: dict[str, Any] | None, other: dict[str, Any] | None) -> bool:
    """Equal but for the last bit of a bfloat16: the order of a sum over several threads decides that."""
    import torch

    if one is None or other is None:
        return one is other
    return one.keys() == other.keys() and all(
        one[name].shape == other[name].shape and torch.allclose(one[name].float(), other[name].float(), rtol=0.01)
        for name in one
    )


def _encoders(
    parts: Sequence[Adapter], taken: Sequence[Sequence[str]]
) -> tuple[TextEncoderSpec | None, dict[str, Any]]:
    """The parts' text encoders under names of their own; updates scaled to the first one's alpha."""
    reading = [part.spec.text_encoder for part in parts if part.spec.text_encoder]
    if not reading:
        return None, {}
    first = reading[0]
    if any((s.base_hash, s.width) != (first.base_hash, first.width) for s in reading):
        raise CheckpointError("text encoders", "come from other weights", remedy="Train them from the same ones")
    towers: dict[str, TowerSpec] = {}
    updates: dict[str, Any] = {}
    for part, own in zip(parts, taken, strict=True):
        if (spec := part.spec.text_encoder) is None:
            continue
        only = TowerSpec(max_tokens=spec.max_tokens, reads=spec.reads, metrics=part.spec.metrics)
        for tower, held in (spec.towers or {"": only}).items():
            kept = tuple(metric for metric in held.metrics if metric in own)
            if not kept:
                continue
            name = tower or "of_" + re.sub(r"[^a-z0-9]+", "_", part.spec.name.lower()).strip("_")
            if name in towers:
                raise CheckpointError(part.spec.name, "has a text encoder of a name that is taken", value=name)
            towers[name] = held.model_copy(update={"metrics": kept})
            for key, value in part.encoder_updates(tower).items():
                scaled = value * (spec.alpha / first.alpha) if key.endswith("lora_B.weight") else value
                updates[f"{name}.{key}"] = scaled.to(value.dtype).contiguous()
    return first.model_copy(update={"towers": towers}), updates


def _calibration(parts: Sequence[Adapter], taken: Sequence[Sequence[str]]) -> ConformalCalibration | None:
    """The parts' calibrations, each for its own metrics; None where no part has one."""
    found = [
        (part.spec.name, own, load_calibration(part.folder / part.spec.calibration))
        for part, own in zip(parts, taken, strict=True)
        if part.spec.calibration is not None
    ]
    entries = {k: e for _, own, one in found for k, e in one.entries.items() if k.split("/")[0] in own}
    if not entries:
        return None
    first = found[0][2]
    if other := next((name for name, _, one in found if one.level != first.level), None):
        raise CheckpointError(other, "is calibrated for intervals of another level", remedy="Calibrate them alike")
    extra = max(one.unseen_extra for _, _, one in found)
    return ConformalCalibration(level=first.level, entries=entries, unseen_extra=extra)
