"""What vLLM is to load for a name, and how its answers are to be read. No weights are loaded here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lcbm_model.backbone.adapter import LORA_FILE, Adapter, is_adapter, read_adapter
from lcbm_model.errors import CheckpointError
from lcbm_model.serving.stamp import read_stamp


@dataclass(frozen=True)
class ServedCheckpoint:
    """A checkpoint as a server takes it: plain weights, and perhaps a LoRA adapter over them."""

    name: str
    model: str
    """Folder or hub name: weights, configuration and tokenizer."""
    checkpoint_hash: str
    tuned: bool = False
    scores: bool = True
    """False: the digits were never tuned."""
    metrics: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    template: Literal["chat", "plain"] = "chat"
    lora: Path | None = None
    rank: int = 0
    """Of the LoRA matrices; 0 without."""
    calibration: Path | None = None


def find_checkpoint(name: str | Path) -> ServedCheckpoint:
    """The checkpoint of a name: a merged folder, any Hugging Face folder or hub name, or an adapter on one of them.

    Raises:
        SettingsError: Nothing has that name.
        CheckpointError: Damaged, or made for another base.
    """
    from lcbm_model.backbone import packaged
    from lcbm_model.backbone.loader import BEHAVIOR, UNTUNED, resolve_source, weights_hash

    source = resolve_source(name)
    if source == UNTUNED:
        folder, base = packaged.converted_language_model()
        return ServedCheckpoint(f"{base.name}-untuned", str(folder), base.base_hash)
    if isinstance(source, str):
        return ServedCheckpoint(source, source, weights_hash(source, _hub_config(source)))
    if is_adapter(source):
        return _over_base(read_adapter(source))
    if merged := read_stamp(source):
        left = read_adapter(source / BEHAVIOR) if is_adapter(source / BEHAVIOR) else None
        return ServedCheckpoint(
            name=merged.name,
            model=str(source),
            checkpoint_hash=merged.checkpoint_hash,
            tuned=merged.tuned,
            scores=merged.scores,
            metrics=merged.metrics,
            languages=merged.languages,
            template=merged.template,
            calibration=_calibration(left),
        )
    if not (source / "config.json").is_file():
        remedy = "Name a folder with config.json and *.safetensors"
        raise CheckpointError("model", "is no checkpoint", value=str(source), remedy=remedy)
    if stamp := packaged.read_stamp(source):
        return ServedCheckpoint(f"{stamp.name}-untuned", str(source), stamp.base_hash)
    return ServedCheckpoint(source.name, str(source), weights_hash(source, None))


def _over_base(adapter: Adapter) -> ServedCheckpoint:
    """A LoRA adapter as vLLM takes it: beside the base, not merged."""
    spec = adapter.spec
    base, base_hash = find_checkpoint(spec.base), _base_hash(spec.base)
    if base_hash != spec.base_hash:
        remedy = f"Install or name the base it was trained on ({spec.base}), or train the adapter again"
        raise CheckpointError(str(adapter.folder), "was trained on another base", value=base_hash[:16], remedy=remedy)
    lora = adapter.folder if (adapter.folder / LORA_FILE).is_file() else None
    return ServedCheckpoint(
        name=spec.name,
        model=base.model,
        checkpoint_hash=hashlib.sha256(f"{base_hash}:{adapter.digest}".encode()).hexdigest(),
        tuned=spec.tuned,
        scores=not any(head.cuts for head in adapter.heads.values()),
        metrics=spec.metrics,
        languages=spec.languages,
        template=spec.template,
        lora=lora,
        rank=max((value.shape[0] for key, value in adapter.lora.items() if ".lora_A." in key), default=0),
        calibration=_calibration(adapter),
    )


def _base_hash(name: str) -> str:
    """What adapters on a base are tied to: `Backbone.base_hash` without loading it."""
    from lcbm_model.backbone import packaged
    from lcbm_model.backbone.loader import UNTUNED, resolve_source, weights_hash

    source = resolve_source(name)
    if source == UNTUNED:
        return packaged.converted_language_model()[1].base_hash
    if isinstance(source, str):
        return weights_hash(source, _hub_config(source))
    stamp = packaged.read_stamp(source)
    return stamp.base_hash if stamp else weights_hash(source, None)


def _calibration(adapter: Adapter | None) -> Path | None:
    return adapter.folder / adapter.spec.calibration if adapter and adapter.spec.calibration else None


def _hub_config(name: str) -> object:
    """The configuration of a hub model, which knows the commit it came from."""
    from transformers import AutoConfig

    from lcbm_model.backbone.runtime import quiet

    try:
        with quiet():
            return AutoConfig.from_pretrained(name)
    except (OSError, ValueError) as error:
        remedy = "Name a folder with weights, or a hub name that this machine can reach"
        raise CheckpointError("model", "cannot be loaded", value=name, remedy=remedy) from error
