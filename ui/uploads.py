"""What people upload, checked by content: the name and its ending are only what somebody claims."""

from __future__ import annotations

import secrets
import shutil
import warnings
from pathlib import Path

from lcbm_model.corpus import tables
from lcbm_model.errors import PictureError, TableError
from lcbm_model.vision.video import ENDINGS, is_video, key_frames

MAX_BYTES = 25 * 1024 * 1024
"""Largest upload; Gradio refuses more already while it arrives."""

MAX_PIXELS = 50_000_000
MAX_PICTURES = 200
"""Pictures of one library upload."""
PICTURES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif"}
TABLES = tuple(tables.ENDINGS)
"""Endings of tables: whatever `lcbm_model.corpus.tables` reads, spreadsheets too."""
VIDEOS = ENDINGS
"""Endings of videos."""

_ZIPPED = (b"PK\x03\x04",)
_MARKS: dict[str, tuple[bytes, ...]] = {
    ".parquet": (b"PAR1",),
    ".xlsx": _ZIPPED,
    ".xlsm": _ZIPPED,
    ".xlsb": _ZIPPED,
    ".ods": _ZIPPED,
    # Some platforms put a newer workbook under the old ending.
    ".xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", *_ZIPPED),
}
"""How a file of each binary kind begins. All other tables are text."""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


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


def checked_video(path: str | Path, folder: Path) -> Path:
    """A copy under a random name, once a frame of it could be decoded.

    Raises:
        PictureError: Not a video of a known format, damaged, or too large.
    """
    path = Path(path)
    if not is_video(path):
        raise PictureError(path.name, "is no video", remedy=f"Use one of {', '.join(VIDEOS)}")
    _check_size(path, PictureError)
    try:
        key_frames(path, most=1)
    except PictureError as error:  # without the folders of the server
        raise PictureError(path.name, error.problem, remedy=error.remedy) from error
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(path, folder / f"{secrets.token_hex(12)}{path.suffix.lower()}"))


def checked_table(path: str | Path, *, also: tuple[str, ...] = ()) -> Path:
    """The same path, once its bytes look like what its ending says.

    Args:
        also: Endings of plain text that will do as well.

    Raises:
        TableError: Another ending, too large, or other bytes than the ending promises.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in TABLES + also:
        raise TableError(path.name, "is no table", value=ending, remedy="Use CSV, Excel, JSONL or Parquet")
    _check_size(path, TableError)
    with path.open("rb") as file:
        head = file.read(1 << 16)
    if not head.strip():
        raise TableError(path.name, "is empty", remedy="Export it again, with a header row and your posts")
    marks = _MARKS.get(ending)
    if marks is not None:
        if not head.startswith(marks):
            raise TableError(path.name, f"is no {ending[1:]} file, whatever its name says", remedy="Export it again")
    elif b"\0" in head and not head.startswith(_UTF16):
        raise TableError(path.name, "is not a text file, whatever its name says", remedy="Save it as CSV in UTF-8")
    return path


def kept_table(path: str | Path, folder: Path) -> Path:
    """A checked table's copy in a new folder of a random name, itself under a name that nobody chose.

    Raises:
        TableError: As `checked_table`.
    """
    source = checked_table(path)
    own = folder / secrets.token_hex(12)
    own.mkdir(parents=True)
    return Path(shutil.copyfile(source, own / f"posts{source.suffix.lower()}"))


def _check_size(path: Path, error: type[PictureError] | type[TableError]) -> None:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise error(path.name, f"is larger than {MAX_BYTES >> 20} MB", value=f"{size / 2**20:.0f} MB")
