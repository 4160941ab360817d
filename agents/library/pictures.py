"""Posts found by their pictures: features of the packaged vision tower, kept beside the library.

The features are of pictures alone (an ImageNet network, nothing of it read text), so a picture finds pictures, and
words find words; both together are fused by rank.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agents.library.records import Hit
from lcbm_model.errors import LibraryError, PictureError

FILE = "pictures.safetensors"
_AT_ONCE = 32
Look = Callable[[Sequence[Path]], NDArray[np.float32]]
"""(N,) picture files -> (N, C) features."""
Stamp = tuple[int, int]
"""Size in bytes and time of last change in nanoseconds."""


class PictureHit(Hit):
    """A post found with a picture's help."""

    picture_similarity: float | None = Field(
        default=None, ge=-1.0001, le=1.0001, description="Cosine of the pictures' features; None without a picture."
    )


@dataclass(frozen=True)
class PictureEncoder:
    """What turns pictures into vectors. Vectors of another name are not mixed in."""

    name: str
    look: Look


def packaged_encoder() -> PictureEncoder:
    """EfficientNet-Lite0 with its ImageNet weights: mean of the 64 tokens, 1,280 numbers, about 40 ms a picture."""
    from lcbm_model.evaluation.pictures import picture_features

    return PictureEncoder("efficientnet-lite0, mean of tokens", picture_features)


@dataclass
class PictureShelf:
    """Vectors of picture files by path, each with the file's size and time of change when it was looked at.

    Attributes:
        failed: Path to what is wrong with pictures that could not be looked at.
    """

    encoder: PictureEncoder
    vectors: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    stamps: dict[str, Stamp] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def missing(self, paths: Sequence[str]) -> list[str]:
        """Those not looked at yet, or changed since. A file that is gone keeps the vector it had."""
        return [p for p in dict.fromkeys(paths) if p not in self.failed and self._changed(p)]

    def add(self, paths: Sequence[str], progress: Callable[[int, int], None] | None = None) -> None:
        """Look at pictures. One that cannot be used goes to `failed`; the others are kept.

        Raises:
            CheckpointError: The vision tower is not installed.
        """
        for start in range(0, len(paths), _AT_ONCE):
            part = list(paths[start : start + _AT_ONCE])
            try:
                self._keep(part, self.encoder.look([Path(p) for p in part]))
            except PictureError:
                for path in part:  # one by one, to find out which
                    try:
                        self._keep([path], self.encoder.look([Path(path)]))
                    except PictureError as error:
                        self.failed[path] = error.problem
            if progress is not None:
                progress(min(start + _AT_ONCE, len(paths)), len(paths))

    def similarities(self, image: Path, images: Sequence[str | None]) -> NDArray[np.float64]:
        """(N,) cosines of a picture to each post's; NaN for posts without one.

        Raises:
            PictureError: `image` is no picture.
        """
        query = unit(self.encoder.look([image]))[0]
        known = list(self.vectors)
        cosines = np.stack([self.vectors[p] for p in known]) @ query if known else np.empty(0)
        by_path = dict(zip(known, cosines.tolist(), strict=True))
        return np.asarray([by_path.get(path, np.nan) if path else np.nan for path in images], dtype=np.float64)

    def save(self, folder: Path) -> None:
        """Write `pictures.safetensors` in one atomic step; nothing where there is nothing to keep.

        Raises:
            LibraryError: It cannot be written.
        """
        if not self.vectors:
            return
        from safetensors.numpy import save_file

        paths = list(self.vectors)
        stacked = np.stack([self.vectors[p] for p in paths])  # (P, C)
        notes = {
            "encoder": self.encoder.name,
            "pictures": json.dumps([[p, *self.stamps[p]] for p in paths]),
            "sha256": hashlib.sha256(stacked.tobytes()).hexdigest(),
        }
        try:
            with NamedTemporaryFile(dir=folder, prefix=".lcbm-pictures-", suffix=".part", delete=False) as part:
                target = Path(part.name)
            try:
                save_file({"vectors": stacked}, target, metadata=notes)
                target.replace(folder / FILE)
            finally:
                target.unlink(missing_ok=True)
        except OSError as error:
            raise LibraryError(str(folder / FILE), f"cannot be written: {error.strerror}") from error

    @classmethod
    def open(cls, folder: Path | None, encoder: PictureEncoder) -> PictureShelf:
        """What a library folder holds; an empty shelf where it holds nothing, or vectors of another encoder.

        Raises:
            LibraryError: The file is damaged.
        """
        shelf = cls(encoder)
        if folder is None or not (folder / FILE).is_file():
            return shelf
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(folder / FILE, framework="numpy") as stored:
                notes, vectors = stored.metadata(), stored.get_tensor("vectors")
            rows = json.loads(notes["pictures"])
            whole = hashlib.sha256(vectors.tobytes()).hexdigest() == notes["sha256"] and len(rows) == len(vectors)
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            raise _damaged(folder) from error
        if not whole:
            raise _damaged(folder)
        if notes["encoder"] == encoder.name:
            shelf.vectors = {path: vector for (path, *_), vector in zip(rows, vectors, strict=True)}
            shelf.stamps = {path: (size, changed) for path, size, changed in rows}
        return shelf

    def _changed(self, path: str) -> bool:
        stamp = _stamp(path)
        return path not in self.stamps if stamp is None else self.stamps.get(path) != stamp

    def _keep(self, paths: Sequence[str], features: NDArray[np.float32]) -> None:
        for path, vector in zip(paths, unit(features), strict=True):
            self.vectors[path] = vector
            self.stamps[path] = _stamp(path) or (0, 0)


def unit(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, C) rows of unit length; a row without direction (a picture that shows nothing to the tower) stays zero."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def _stamp(path: str) -> Stamp | None:
    try:
        seen = Path(path).stat()
    except OSError:
        return None
    return seen.st_size, seen.st_mtime_ns


def _damaged(folder: Path) -> LibraryError:
    remedy = "Delete it: the pictures are looked at anew by the next search for one"
    return LibraryError(str(folder / FILE), "is damaged", remedy=remedy)
