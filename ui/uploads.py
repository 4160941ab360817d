"""What people upload, checked by content: the name and its ending are only what somebody claims."""

from __future__ import annotations

import secrets
import shutil
import warnings
from pathlib import Path

from lcbm_model.errors import PictureError, TableError

MAX_BYTES = 25 * 1024 * 1024
"""Largest upload; Gradio refuses more already while it arrives."""

MAX_PIXELS = 50_000_000
PICTURES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif"}
TABLES = (".csv", ".jsonl", ".parquet")


def checked_picture(path: str | Path, folder: Path) -> Path:
    """A copy under a random name with its true ending.

    Raises:
        PictureError: Not a whole JPEG, PNG, WebP or GIF, or too large.
    """
    from PIL import Image, UnidentifiedImageError

    path = Path(path)
    remedy = "Use a JPEG, PNG, WebP or GIF picture"
    _check_size(path, PictureError)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=tuple(PICTURES)) as picture:
                width, height = picture.size
                if width * height > MAX_PIXELS:
                    raise PictureError(
                        path.name, "has too many pixels", value=f"{width} x {height}", remedy="Make it smaller"
                    )
                picture.load()
                ending = PICTURES[picture.format or ""]
    except UnidentifiedImageError as error:
        raise PictureError(path.name, "is not a picture, whatever its name says", remedy=remedy) from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise PictureError(path.name, "has too many pixels", remedy="Make it smaller") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise PictureError(path.name, f"cannot be read: {error}", remedy=remedy) from error
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(path, folder / f"{secrets.token_hex(12)}{ending}"))


def checked_table(path: str | Path) -> Path:
    """The same path, once its bytes look like what its ending says.

    Raises:
        TableError: Another ending, too large, or text where Parquet was promised (and the other way round).
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in TABLES:
        raise TableError(path.name, "is no table", value=ending, remedy=f"Use one of {', '.join(TABLES)}")
    _check_size(path, TableError)
    with path.open("rb") as file:
        head = file.read(1 << 16)
    if not head.strip():
        raise TableError(path.name, "is empty", remedy="Export it again, with a header row and your posts")
    if ending == ".parquet":
        if head[:4] != b"PAR1":
            raise TableError(path.name, "is not a Parquet file, whatever its name says", remedy="Export it again")
    elif b"\0" in head:
        raise TableError(path.name, "is not a text file, whatever its name says", remedy="Save it as CSV in UTF-8")
    return path


def _check_size(path: Path, error: type[PictureError] | type[TableError]) -> None:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise error(path.name, f"is larger than {MAX_BYTES >> 20} MB", value=f"{size / 2**20:.0f} MB")
