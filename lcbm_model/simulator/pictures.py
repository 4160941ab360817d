"""What was seen on pictures, kept by the hash of their bytes: a picture is looked at once, whatever its name."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from pathlib import Path

from lcbm_model.backbone.model import Backbone
from lcbm_model.errors import PictureError
from lcbm_model.simulator.items import Picture
from lcbm_model.vision.images import MAX_BYTES

KEPT = 256
"""Pictures whose tokens stay in memory (64 x 576 float32: about 150 kB each)."""


def picture_key(path: Path) -> str:
    """SHA-256 of a picture file's bytes.

    Raises:
        PictureError: Missing, unreadable or larger than any picture that would be opened.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise PictureError(str(path), "the file is too large", remedy=f"Save it below {MAX_BYTES // 2**20} MB")
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        raise PictureError(str(path), "cannot be read", remedy="Check the path") from error


class PictureCache:
    """Pictures as one backbone sees them. Use it under the backbone's lock."""

    def __init__(self, backbone: Backbone, *, kept: int = KEPT) -> None:
        self.backbone, self._limit = backbone, kept
        self._seen: OrderedDict[str, Picture] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def clear(self) -> None:
        """Forget all of them."""
        self._seen.clear()

    def look(self, key: str, path: Path) -> Picture:
        """The picture of a key, looked at now unless it is still known.

        Raises:
            PictureError: It cannot be used: too many pixels (checked before decoding), damaged, no picture.
        """
        if key in self._seen:
            self._seen.move_to_end(key)
            return self._seen[key]
        sight = self.backbone.eyes.look([path])
        seen = self._seen[key] = Picture(sight.tokens[0], sight.summary[0])
        while len(self._seen) > self._limit:
            self._seen.popitem(last=False)
        return seen
