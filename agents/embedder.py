"""Which embedder a library uses: the packaged one, a folder, a hub name, or an object that is one already."""

from __future__ import annotations

from pathlib import Path

from lcbm_model.embedder import EMBEDDED, Embedder, SentenceEmbedder
from lcbm_model.embedder import load_embedder as _load_local
from lcbm_model.errors import CheckpointError
from lcbm_model.hub_names import is_mistyped_path

__all__ = ["EMBEDDED", "Embedder", "SentenceEmbedder", "load_embedder"]

_HUB_FILES = ["*.json", "*.safetensors", "*.txt", "*.model"]


def load_embedder(embedder: str | Path | Embedder | None = None) -> Embedder:
    """The embedder that is meant; each model is loaded once a process.

    Args:
        embedder: None or "minilm": all-MiniLM-L6-v2, packaged, offline. A folder of a sentence-transformers model.
            A hub name ("org/model"): from the local hub cache, downloaded where it is not there. Or an `Embedder`.

    Raises:
        CheckpointError: The package, folder or name is missing or damaged.
    """
    if embedder is None:
        return _load_local(EMBEDDED)
    if isinstance(embedder, (str, Path)):
        # Path("") is the working folder, which nobody meant.
        if str(embedder) == EMBEDDED or (embedder != "" and Path(embedder).is_dir()):
            return _load_local(embedder)
        return _load_local(_hub_folder(str(embedder)))
    return embedder


def _hub_folder(name: str) -> Path:
    if is_mistyped_path(name):
        raise CheckpointError("embedder", "no such folder", value=name, remedy="Check the path")
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ModuleNotFoundError as error:
        remedy = "pip install 'lcbm[library]'"
        raise CheckpointError("embedder", "sentence-transformers is not installed", remedy=remedy) from error
    try:
        return Path(snapshot_download(name, allow_patterns=_HUB_FILES))
    except (HFValidationError, LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        remedy = f"Use {EMBEDDED!r}, the folder of a sentence-transformers model, or its hub name"
        raise CheckpointError(
            "embedder", "is neither a folder nor a hub model within reach", value=name, remedy=remedy
        ) from error
