"""Architectures by the name that a recipe gives, and by what lies in a folder."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lcbm_model.discovery import by_name, named_classes
from lcbm_model.errors import CheckpointError
from lcbm_model.training import architectures
from lcbm_model.training.architectures.base import Architecture


@cache
def architecture_classes() -> MappingProxyType[str, type[Architecture]]:
    """Name to class, in the order of their files."""
    return named_classes(architectures, "Architecture")


def get_architecture(name: str) -> Architecture:
    """The architecture of a name.

    Raises:
        SettingsError: Nobody knows it.
    """
    return by_name(architecture_classes(), name, "base.architecture")()


def architecture_of(model_type: str) -> Architecture:
    """The architecture that loads models of a transformers `model_type`."""
    for kind in architecture_classes().values():
        if model_type in kind.model_types:
            return kind()
    return get_architecture("causal")


def read_config(folder: Path) -> dict[str, Any]:
    """What config.json of a folder says; empty without one (a GGUF file brings its own).

    Raises:
        CheckpointError: It cannot be read.
    """
    path = folder / "config.json"
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(str(path), f"cannot be read: {error}", remedy="Copy the whole folder") from error
    if not isinstance(found, dict):
        raise CheckpointError(str(path), "is no configuration", remedy="Copy the whole folder")
    return found
