"""Which base a recipe names: its folder, its hash, its tokenizer and what it sees. No weights are loaded here."""

from __future__ import annotations

from typing import Any

from lcbm_model.backbone.chat import PromptEncoder
from lcbm_model.errors import CheckpointError
from lcbm_model.training.architectures.base import BaseFiles
from lcbm_model.training.architectures.registry import get_architecture
from lcbm_model.training.settings import BaseSettings


def resolve_base(settings: BaseSettings) -> BaseFiles:
    """Find the base of a recipe; the packaged one is converted on first use, a hub name is downloaded.

    Raises:
        CheckpointError: Nothing there, or its weights cannot be read.
        SettingsError: An architecture that the base does not have.
    """
    return get_architecture(settings.architecture).resolve(settings.model)


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
    return get_architecture(base.architecture).encoder(base, tokenizer)
