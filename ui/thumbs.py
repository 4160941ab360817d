"""Small copies of pictures inside the page itself: no file of the machine is served."""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from pathlib import Path

SIDE = 320
"""Longest side, pixels."""


def thumbnail(path: Path | None) -> str | None:
    """A `data:` address of a small JPEG; None without a picture, or one that cannot be read."""
    if path is None:
        return None
    try:
        return _made(path, path.stat().st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=512)
def _made(path: Path, _: int) -> str | None:
    from PIL import Image, UnidentifiedImageError

    from ui.uploads import MAX_PIXELS, PICTURES

    try:
        with Image.open(path, formats=tuple(PICTURES)) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return None
            picture.draft("RGB", (SIDE, SIDE))
            small = picture.convert("RGB")
            small.thumbnail((SIDE, SIDE))
    except (UnidentifiedImageError, Image.DecompressionBombError, ValueError, SyntaxError):
        return None
    with io.BytesIO() as data:
        small.save(data, "JPEG", quality=78)
        return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
