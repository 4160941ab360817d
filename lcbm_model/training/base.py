"""Base weights for the fitting stage: a folder of safetensors, or a GGUF file, perhaps brought in parts."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import torch
from torch import nn

from lcbm_model.errors import CheckpointError


def join_parts(folder: Path) -> Path | None:
    """Put `NAME.gguf.part0`, `.part1`, ... together; the GGUF file of the folder, or None."""
    parts = sorted(folder.glob("*.gguf.part*"))
    if parts:
        whole = folder / parts[0].name.rsplit(".part", 1)[0]
        if not whole.exists() or whole.stat().st_size != sum(p.stat().st_size for p in parts):
            with whole.open("wb") as out:
                for part in parts:
                    with part.open("rb") as piece:
                        shutil.copyfileobj(piece, out)
    return next(iter(sorted(folder.glob("*.gguf"))), None)


def load_base(folder: Path, expected_hash: str | None = None) -> nn.Module:
    """The causal language model in a folder, float32, evaluation mode.

    Args:
        folder: Holds a GGUF file (or its parts), or a saved transformers model.
        expected_hash: SHA-256 that the GGUF file must have.

    Raises:
        CheckpointError: Nothing readable there, or other weights than the data was prepared for.
    """
    from transformers import AutoModelForCausalLM

    gguf = join_parts(folder)
    if gguf is None and not (folder / "config.json").exists():
        raise CheckpointError(str(folder), "holds neither a GGUF file nor a saved model", remedy="Name the base folder")
    if gguf is not None and expected_hash:
        with gguf.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != expected_hash:
            raise CheckpointError(str(gguf), "is not the base the data was prepared for", value=found[:16])
    options = {"gguf_file": gguf.name} if gguf is not None else {}
    try:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa", **options)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise CheckpointError(str(folder), f"cannot be loaded: {error}") from error
    return model.eval()
