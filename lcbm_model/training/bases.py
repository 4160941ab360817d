"""Which base a recipe names: its folder, its hash, its tokenizer and what it sees. No weights are loaded here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lcbm_model.backbone.chat import PromptEncoder
from lcbm_model.errors import CheckpointError, SettingsError
from lcbm_model.training.base import hash_of
from lcbm_model.training.settings import BaseSettings


@dataclass(frozen=True)
class BaseFiles:
    """A base on disk."""

    folder: Path
    name: str
    """As an adapter names it: a name that `load_simulator` knows, or the folder."""
    hash: str
    vision_hash: str | None
    tokens_per_picture: int
    """0: pictures are not shown."""

    def to_dict(self) -> dict[str, Any]:
        """What the manifest of a prepared folder keeps."""
        return {"name": self.name, "hash": self.hash, "vision_hash": self.vision_hash}


def resolve_base(settings: BaseSettings) -> BaseFiles:
    """Find the base of a recipe; the packaged one is converted on first use, a hub name is downloaded.

    Raises:
        CheckpointError: Nothing there, or its weights cannot be read.
        SettingsError: An architecture that the base does not have.
    """
    from lcbm_model.backbone.loader import TOKENS_PER_PICTURE
    from lcbm_model.backbone.packaged import converted_language_model, file_hash, read_stamp, vision_file

    if settings.model in ("embedded", "embedded-untuned", "smollm2-135m"):
        folder, stamp = converted_language_model()
        name = stamp.name
    else:
        folder = _folder(settings.model)
        name = str(folder)
    if settings.architecture == "causal":
        return BaseFiles(folder, name, hash_of(folder), None, 0)
    if read_stamp(folder) is None:
        remedy = "Set base.architecture to 'causal' for a plain language model"
        raise SettingsError("base.architecture", "this base is no assembly of ours", value="smol", remedy=remedy)
    return BaseFiles(folder, name, hash_of(folder), file_hash(vision_file()), TOKENS_PER_PICTURE)


def _folder(model: str) -> Path:
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder.resolve()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    patterns = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
    try:
        return Path(snapshot_download(model, allow_patterns=patterns))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        remedy = "Name 'embedded', a folder with safetensors, or a hub name that this machine can reach"
        raise CheckpointError("base.model", f"cannot be found: {error}", value=model, remedy=remedy) from error


def prompt_encoder(base: BaseFiles) -> PromptEncoder:
    """The base's own encoder of prompts, as the simulator will use it.

    Raises:
        CheckpointError: The tokenizer cannot be read, or a digit is not one token for it.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(base.folder)
    except (OSError, ValueError) as error:
        raise CheckpointError(str(base.folder), f"its tokenizer cannot be read: {error}") from error
    if not base.tokens_per_picture:
        return PromptEncoder(tokenizer)
    image = int(tokenizer.convert_tokens_to_ids("<image>"))
    return PromptEncoder(tokenizer, image_token=image, tokens_per_picture=base.tokens_per_picture)
