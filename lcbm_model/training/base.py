"""Base weights for the fitting stage: a folder of safetensors, or a GGUF file, perhaps brought in parts."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from lcbm_model.errors import CheckpointError


def join_parts(folder: Path) -> Path | None:
    """Put `NAME.gguf.part0`, `.part1`, ... together; the GGUF file of the folder, or None."""
    parts = sorted(folder.glob("*.gguf.part*"), key=lambda path: _number(path.suffix))
    if parts:
        whole = folder / parts[0].name.rsplit(".part", 1)[0]
        if not whole.exists() or whole.stat().st_size != sum(p.stat().st_size for p in parts):
            with whole.open("wb") as out:
                for part in parts:
                    with part.open("rb") as piece:
                        shutil.copyfileobj(piece, out)
    return next(iter(sorted(folder.glob("*.gguf"))), None)


def _number(ending: str) -> tuple[int, str]:
    """So that part 10 comes after part 9."""
    digits = ending.removeprefix(".part")
    return (int(digits) if digits.isdecimal() else 0, ending)


def hash_of(folder: Path) -> str:
    """What adapters are tied to: the stamp of a converted base, else SHA-256 of the GGUF file, else of all safetensors.

    Raises:
        CheckpointError: No weights there.
    """
    stamp = folder / "lcbm_base.json"
    if stamp.is_file():
        try:
            return str(json.loads(stamp.read_text("utf-8"))["base_hash"])
        except (ValueError, KeyError) as error:
            raise CheckpointError(str(stamp), "cannot be read", remedy="Remove the folder; it is made again") from error
    gguf = join_parts(folder)
    if gguf is not None:
        return _file_hash(gguf)
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise CheckpointError(str(folder), "holds no GGUF and no safetensors file", remedy="Name the base folder")
    total = hashlib.sha256()
    for path in weights:
        total.update(_file_hash(path).encode())
    return total.hexdigest()


def _file_hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def load_base(folder: Path, expected_hash: str | None = None) -> Any:
    """The model in a folder, in evaluation mode, of whichever architecture its config.json names.

    Args:
        folder: Holds a GGUF file (or its parts), or a saved transformers model.
        expected_hash: The hash (`hash_of`) that the data was prepared for; "" where it was prepared without weights.

    Raises:
        CheckpointError: Nothing readable there, or other weights than the data was prepared for.
    """
    from lcbm_model.backbone.runtime import quiet
    from lcbm_model.training.architectures.registry import architecture_of, read_config

    found = hash_of(folder)
    if expected_hash is not None and found != expected_hash:
        remedy = "Name the base that the recipe names, or prepare the data again"
        problem = "is not the base the data was prepared for"
        raise CheckpointError(str(folder), problem, value=found[:16], remedy=remedy)
    architecture = architecture_of(str(read_config(folder).get("model_type", "")))
    try:
        with quiet():
            return architecture.load(folder)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise CheckpointError(str(folder), f"cannot be loaded: {error}") from error
