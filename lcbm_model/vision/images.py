"""Pictures from strangers: opened safely, turned upright, made ready for the vision tower."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lcbm_model.errors import PictureError

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_BYTES = 64 * 1024 * 1024
MAX_PIXELS = 64_000_000
"""About 190 MB once decoded: more than any camera's picture for the web, less than a laptop's memory."""
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
TOWER_PIXELS = 256


def open_picture(path: Path | str) -> Image:
    """A picture as upright RGB. Its size in bytes and pixels is checked before anything is decoded.

    An animation gives its first frame; transparency is laid on white.

    Raises:
        PictureError: Missing, a folder, too large, truncated, or no picture of a known format (SVG is none).
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    path = Path(path)
    _check_bytes(path)
    try:
        with warnings.catch_warnings():
            # Pillow only warns of a decompression bomb above its own limit; ours is checked below, before decoding.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as picture:
                _check_pixels(path, *picture.size)
                # A JPEG far larger than needed is decoded at a fraction of its size.
                picture.draft("RGB", (4 * TOWER_PIXELS, 4 * TOWER_PIXELS))
                picture.load()
                upright = ImageOps.exif_transpose(picture)
    except UnidentifiedImageError as error:
        raise _error(path, "not a picture of a known format", f"Use one of {', '.join(FORMATS)}") from error
    except Image.DecompressionBombError as error:
        raise _error(path, "has too many pixels", f"Scale it below {MAX_PIXELS // 1_000_000} megapixels") from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, ZeroDivisionError) as error:
        raise _error(path, f"cannot be decoded ({error})", "Save it again as PNG or JPEG: it is damaged") from error
    return _flatten(upright)


def _check_bytes(path: Path) -> None:
    try:
        size = path.stat().st_size
        regular = path.is_file()
    except (OSError, ValueError) as error:
        raise _error(path, "no such picture", "Check the path") from error
    if not regular:
        raise _error(path, "not a file", "Name a picture file")
    if size == 0:
        raise _error(path, "the file is empty", "Save the picture again")
    if size > MAX_BYTES:
        raise _error(path, f"{size / 2**20:.0f} MB is too large", f"Save it below {MAX_BYTES // 2**20} MB")


def _check_pixels(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        problem = f"{width} x {height} pixels are too many"
        raise _error(path, problem, f"Scale it below {MAX_PIXELS // 1_000_000} megapixels")


def _flatten(picture: Image) -> Image:
    from PIL import Image

    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, picture).convert("RGB")
    return picture.convert("RGB")


def _error(path: Path, problem: str, remedy: str) -> PictureError:
    return PictureError(str(path), problem, remedy=remedy)


def to_pixels(picture: Image, size: int = TOWER_PIXELS) -> np.ndarray:
    """Pixels for the EfficientNet-Lite tower.

    The whole picture is squeezed to a square: a crop could lose the very thing receivers react to.

    Returns:
        (3, size, size) float32, `(x - 127) / 128`.
    """
    from PIL import Image

    square = picture.convert("RGB").resize((size, size), Image.Resampling.BICUBIC, reducing_gap=3.0)
    pixels = np.asarray(square, dtype=np.float32)  # (size, size, 3), 0..255
    return np.ascontiguousarray(((pixels - 127.0) / 128.0).transpose(2, 0, 1))
