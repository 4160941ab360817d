"""An adapter and its base as one plain Hugging Face checkpoint that vLLM and transformers load by themselves.

    config.json, model.safetensors, tokenizer files   the merged weights; a LLaVA base keeps its eyes
    lcbm_merged.json                                  `MergedStamp`: what it is and what it may be used for
    behavior/                                         what a server cannot run and the local backend can: lcbm.json,
                                                      value heads, kernels, text encoder, calibration

The read-out that every backend shares, the probabilities of the ten digits, is in the merged weights. Value heads and
our EfficientNet eyes are not: no server knows them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcbm_model.backbone.adapter import HEADS_FILE, KERNELS_FILE, SPEC_FILE, TEXT_ENCODER_FILE
from lcbm_model.errors import CheckpointError, SettingsError
from lcbm_model.serving.stamp import STAMP_FILE, MergedStamp

if TYPE_CHECKING:
    from lcbm_model.backbone.model import Backbone

DTYPES = ("float32", "bfloat16", "float16")
_TOWER_LEVEL = {"clip_vision_model", "siglip_vision_model"}
"""Towers whose weights vLLM looks for one level deeper than transformers writes them."""


@dataclass(frozen=True)
class Merged:
    """What was written."""

    folder: Path
    stamp: MergedStamp
    bytes: int


def merge_checkpoint(name: str | Path, out: Path, *, dtype: str = "float32", writing_only: bool = False) -> Merged:
    """Write a checkpoint with its adapter merged in. The folder appears whole or not at all.

    Args:
        name: Anything `load_backbone` knows: an adapter folder, a shipped checkpoint, "embedded-untuned", ...
        out: A folder that is not there yet, or is empty.
        dtype: "float32", "bfloat16" (half the size, scores move in the third digit) or "float16".
        writing_only: Merge a checkpoint whose digits were never tuned, to write with and not to score.

    Raises:
        SettingsError: An unknown name or dtype, or `out` holds something.
        CheckpointError: Damaged weights, or digits that mean nothing and no `writing_only`.
    """
    if dtype not in DTYPES:
        raise SettingsError("dtype", "unknown number type", value=dtype, remedy=f"Use one of {', '.join(DTYPES)}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SettingsError("--out", "is there already", value=str(out), remedy="Name a new folder, or remove it first")
    from lcbm_model.backbone.loader import load_backbone

    backbone = load_backbone(name, device="cpu", dtype=dtype, fresh=True)
    stamp = _stamp(backbone, dtype)
    if not (stamp.scores or writing_only):
        raise CheckpointError(
            stamp.name,
            "was trained through its value head alone: the digits, all that a server shows, mean nothing",
            remedy="Score it with the local backend, train with digits, or merge it to write with: --writing-only",
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            _write(backbone, stamp, work)
            work.chmod(0o755)
            if out.exists():
                out.rmdir()
            os.replace(work, out)  # noqa: PTH105 - replaces atomically on every system
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise SettingsError("--out", f"cannot be written: {error}", value=str(out)) from error
    return Merged(out, stamp, sum(path.stat().st_size for path in out.rglob("*") if path.is_file()))


def digits_mean_something(backbone: Backbone) -> bool:
    """False where heads with cuts were trained instead of the digits."""
    heads = backbone.adapter.heads.values() if backbone.adapter else ()
    return not any(head.cuts for head in heads)


def _stamp(backbone: Backbone, dtype: str) -> MergedStamp:
    spec = backbone.adapter.spec if backbone.adapter else None
    lost = []
    if spec and spec.readout == "bins+value":
        lost.append("value heads: a server reads the ten digits only, without a utility; behavior/ keeps the heads")
    if backbone.sees and not _own_eyes(backbone):
        lost.append("pictures: no server knows the EfficientNet eyes; picture slots are masked as unknown")
    digest = backbone.checkpoint_hash
    if dtype != "float32":  # rounded weights score a little differently: another checkpoint to caches and judges
        digest = hashlib.sha256(f"{digest}:{dtype}".encode()).hexdigest()
    return MergedStamp(
        name=backbone.name,
        base=backbone.base,
        checkpoint_hash=digest,
        tuned=backbone.tuned,
        scores=digits_mean_something(backbone),
        metrics=spec.metrics if spec else (),
        languages=spec.languages if spec else (),
        template=spec.template if spec else "chat",
        dtype=dtype,
        lost=tuple(lost),
    )


def _own_eyes(backbone: Backbone) -> bool:
    """Whether the model is a LLaVA that carries its own tower and connector."""
    return bool(backbone.language_model.config.model_type == "llava")


def _write(backbone: Backbone, stamp: MergedStamp, folder: Path) -> None:
    from lcbm_model.backbone.runtime import quiet

    model = backbone.language_model
    with quiet():
        model.save_pretrained(folder, **_tower_names(model))
        backbone.tokenizer.save_pretrained(folder)
        if _own_eyes(backbone):
            from transformers import AutoImageProcessor

            AutoImageProcessor.from_pretrained(backbone.base, backend="pil").save_pretrained(folder)
    for weights in folder.glob("*.safetensors"):
        weights.chmod(0o644)
    (folder / STAMP_FILE).write_text(stamp.model_dump_json(indent=1), "utf-8")
    if backbone.adapter is None:
        return
    from lcbm_model.backbone.loader import BEHAVIOR

    behavior = folder / BEHAVIOR
    behavior.mkdir()
    kept = (SPEC_FILE, HEADS_FILE, KERNELS_FILE, TEXT_ENCODER_FILE, backbone.adapter.spec.calibration)
    for name in kept:
        if name and (backbone.adapter.folder / name).is_file():
            shutil.copyfile(backbone.adapter.folder / name, behavior / name)


def _tower_names(model: Any) -> dict[str, Any]:
    """The whole state under the names that vLLM expects of a CLIP or SigLIP tower; transformers reads them too."""
    vision = getattr(model.config, "vision_config", None)
    if vision is None or vision.model_type not in _TOWER_LEVEL:
        return {}
    prefix, deeper = "vision_tower.", "vision_tower.vision_model."
    state = {}
    for name, value in model.state_dict().items():
        at = name.find(prefix)
        if at >= 0 and deeper not in name:
            name = name[:at] + deeper + name[at + len(prefix) :]
        state[name] = value
    return {"state_dict": state}
