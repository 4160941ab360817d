"""Whether a data file is still the one that was written.

A library of millions of posts is gigabytes; to hash them at every opening would take longer than the search. But a
damaged file must never be searched as if it were whole. So:

- files up to 64 MB are hashed at every opening;
- a larger file is hashed once and its stamp noted beside it: size, times of last change, place on the disk. As long as
  the stamp holds, the file has not been written to, moved or copied since, and is not hashed again. The time of change
  of the file's record (ctime) is among them, which programs cannot set back;
- where the stamp does not hold, or there is none (another machine, a restored backup), the file is hashed in full;
- a full check on demand (`lcbm library check`, `verify=True`) hashes everything whatever the stamps say. It also finds
  what no stamp can show: bits that the disk itself lost. Meanwhile a search that meets a vector that cannot be (not
  finite, a cosine beyond 1) says so and returns nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TypedDict

from lcbm_model.errors import LibraryError

HASHED_ALWAYS = 64 * 1024 * 1024
"""Bytes up to which a file is hashed at every opening: a tenth of a second."""
STAMPS = ".verified.json"
_REBUILD = "Build the library anew from its table"


class Stamp(TypedDict):
    """What the file system says of a file that was hashed."""

    sha256: str
    bytes: int
    modified: int
    changed: int
    inode: int


def verify(path: Path, sha256: str, size: int, *, full: bool = False) -> Path:
    """Make sure of a file.

    Args:
        sha256: Hex digest of what was written.
        size: In bytes.
        full: Hash it whatever its stamp says.

    Raises:
        LibraryError: It cannot be read, or is not the file that was written; the file is named.
    """
    try:
        before = _stamp(path, sha256)
        damaged = before["bytes"] != size
        known = not full and size > HASHED_ALWAYS and _read(path.parent).get(path.name) == before
        if not damaged and not known:
            damaged = digest(path) != sha256
            if not damaged and size > HASHED_ALWAYS and _stamp(path, sha256) == before:
                note(path, sha256)
    except OSError as error:
        raise LibraryError(str(path), f"cannot be read: {error.strerror}", remedy=_REBUILD) from error
    if damaged:
        raise LibraryError(str(path), "is damaged: it is not the file that was written", remedy=_REBUILD)
    return path


def note(path: Path, sha256: str) -> None:
    """Note the stamp of a large file whose bytes are known to be right. In a folder that is read-only: do nothing.

    Without the note the next opening hashes the file again, which is slow but right.
    """
    with contextlib.suppress(OSError):
        stamp = _stamp(path, sha256)
        if stamp["bytes"] <= HASHED_ALWAYS:
            return
        there = {name: s for name, s in _read(path.parent).items() if (path.parent / name).exists()}
        with NamedTemporaryFile("w", dir=path.parent, prefix=".lcbm-", suffix=".part", delete=False) as part:
            json.dump(there | {path.name: stamp}, part)
        Path(part.name).replace(path.parent / STAMPS)


def digest(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _stamp(path: Path, sha256: str) -> Stamp:
    seen = path.stat()
    return Stamp(
        sha256=sha256,
        bytes=seen.st_size,
        modified=seen.st_mtime_ns,
        changed=seen.st_ctime_ns,
        inode=seen.st_ino,
    )


def _read(folder: Path) -> dict[str, Stamp]:
    """Stamps by file name; none where the notes are missing or damaged: files are hashed then."""
    try:
        stamps = json.loads((folder / STAMPS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamps if isinstance(stamps, dict) else {}
