"""Finding a base's folder, and refusing one of another kind before anything is loaded."""

from __future__ import annotations

from pathlib import Path

from lcbm_model.errors import CheckpointError, SettingsError
from lcbm_model.hub_names import is_mistyped_path
from lcbm_model.training.architectures.base import Architecture
from lcbm_model.training.architectures.registry import architecture_of, read_config

PACKAGED = ("embedded", "embedded-untuned", "smollm2-135m")


def find_folder(model: str) -> tuple[Path, str]:
    """Folder of a base and the name that an adapter gives it.

    The packaged one is converted on first use, a hub name is downloaded.

    Raises:
        CheckpointError: Nothing there.
    """
    if model in PACKAGED:
        from lcbm_model.backbone.packaged import converted_language_model

        folder, stamp = converted_language_model()
        return folder, stamp.name
    folder = Path(model).expanduser()
    if not folder.is_dir() and is_mistyped_path(model):
        raise CheckpointError("base.model", "no such folder", value=model, remedy="Check the path")
    folder = folder.resolve() if folder.is_dir() else _from_hub(model)
    return folder, str(folder)


def _from_hub(model: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    patterns = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
    try:
        return Path(snapshot_download(model, allow_patterns=patterns))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        remedy = "Name 'embedded', a folder with safetensors, or a hub name that this machine can reach"
        raise CheckpointError("base.model", f"cannot be found: {error}", value=model, remedy=remedy) from error


def refuse_other(wanted: Architecture, folder: Path) -> None:
    """Check config.json against the architecture that a recipe names.

    Raises:
        SettingsError: It describes another kind of model.
        CheckpointError: It cannot be read.
    """
    config = read_config(folder)
    kind = str(config.get("model_type", ""))
    if kind in wanted.model_types:
        return
    right = architecture_of(kind)
    where, value = "base.architecture", wanted.name
    if right.model_types:
        problem = f"the base is a {kind!r}, not what {wanted.name!r} loads"
        raise SettingsError(where, problem, value=value, remedy=f"Set base.architecture to {right.name!r}")
    if wanted.model_types or "vision_config" in config:
        known = ", ".join(wanted.model_types) or "a language model without eyes of its own"
        problem = f"the base is a {kind or 'model without config.json'!r}, and {wanted.name!r} loads {known}"
        raise SettingsError(where, problem, value=value, remedy="Name another base.model or base.architecture")
