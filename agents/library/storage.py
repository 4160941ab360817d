"""A library on disk, whole at every moment.

    manifest.json            names the files below, with their checksums, the embedder and the counts
    posts-<hash>.parquet     posts, their values and ranks
    vectors-<hash>.npy       their vectors; .faiss with a graph or codes over them
    rejected-<hash>.jsonl    rows put aside when it was built

Data files carry their own hash in their name, so a save never touches a file that the standing manifest names. The
manifest is replaced last, in one atomic step: whoever opens the folder, after a crash too, finds the old library or
the new one.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.library import integrity
from agents.library.index import VectorIndex
from agents.library.records import RejectedRow
from lcbm_model.errors import LibraryError
from lcbm_model.metrics import Metric

MANIFEST = "manifest.json"
_LOCK = ".lock"
_LOCK_SECONDS = 30
_OURS = re.compile(r"(posts|vectors|rejected)-[0-9a-f]{16}\.(parquet|npy|faiss|jsonl)|\.lcbm-[^/]*\.part")
_REBUILD = "Build the library anew from its table"


Role = Literal["posts", "vectors", "rejected"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StoredFile(_Frozen):
    """One data file."""

    name: str = Field(pattern=r"^(posts|vectors|rejected)-[0-9a-f]{16}\.(parquet|npy|faiss|jsonl)$")
    sha256: str
    bytes: int


class EmbedderMark(_Frozen):
    """Which embedder made the vectors."""

    name: str
    hash: str
    dimension: int


class Manifest(_Frozen):
    """What a library folder holds."""

    format: Literal[1] = 1
    created: datetime
    source: str = Field(description="The table's file name.")
    embedder: EmbedderMark
    normalised: Literal[True] = True
    posts: int
    rejected: int
    metrics: tuple[Metric, ...] = Field(min_length=1, description="The main one first.")
    channels: dict[str, int]
    notes: tuple[str, ...] = ()
    files: dict[Role, StoredFile]


class Stored(BaseModel):
    """The parts of a library, as read."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    manifest: Manifest
    frame: pl.DataFrame
    index: VectorIndex
    rejected: tuple[RejectedRow, ...]


def write_library(
    folder: Path,
    *,
    frame: pl.DataFrame,
    index: VectorIndex,
    rejected: tuple[RejectedRow, ...],
    embedder: EmbedderMark,
    metrics: tuple[Metric, ...],
    source: str,
    notes: tuple[str, ...],
) -> Manifest:
    """Write a library; an older one in the folder stays whole until the new one is.

    Raises:
        LibraryError: The folder cannot be written, the disk is full, or somebody else is writing there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with only_writer(folder):
            files: dict[Role, StoredFile] = {
                "posts": _store(folder, "posts", "parquet", frame.write_parquet),
                "vectors": _store(folder, "vectors", index.suffix, index.write),
                "rejected": _store(folder, "rejected", "jsonl", lambda path: _write_rows(path, rejected)),
            }
            manifest = Manifest(
                created=datetime.now(UTC),
                source=source,
                embedder=embedder,
                posts=frame.height,
                rejected=len(rejected),
                metrics=metrics,
                channels=dict(frame["channel"].value_counts(sort=True).iter_rows()),
                notes=notes,
                files=files,
            )
            _replace_manifest(folder, manifest)
            _clear(folder, keep={f.name for f in manifest.files.values()})
            for stored in files.values():
                integrity.note(folder / stored.name, stored.sha256)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        remedy = "Choose a folder you may write to, with room; what was there before is untouched"
        raise LibraryError(str(folder), f"the library cannot be written: {reason}", remedy=remedy) from error
    return manifest


def read_library(folder: Path, *, embedder: EmbedderMark | None, verify: bool = False) -> Stored:
    """Read a library, checking every file (`integrity` says how).

    Args:
        embedder: The one that will embed queries; None skips that check.
        verify: Hash every file in full, also those whose stamps say that nobody touched them.

    Raises:
        LibraryError: No library, a damaged or missing file (named), or vectors of another embedder.
    """
    for attempt in (1, 2):
        manifest = read_manifest(folder)
        if embedder is not None:
            _check_embedder(folder, manifest.embedder, embedder)
        try:
            return _read_files(folder, manifest, verify)
        except LibraryError:
            # Somebody may have replaced the library between the two reads.
            if attempt == 2 or read_manifest(folder) == manifest:
                raise
    raise AssertionError("unreachable")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a library folder.

    Raises:
        LibraryError: No library there, or its manifest is damaged.
    """
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise LibraryError(
            str(folder), "holds no library", remedy="`lcbm library build FILE --out DIR` makes one"
        ) from None
    except OSError as error:
        raise LibraryError(str(path), f"cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise LibraryError(str(path), f"is damaged: {field} {first['msg']}".strip(), remedy=_REBUILD) from error


def _read_files(folder: Path, manifest: Manifest, verify: bool) -> Stored:
    paths = {
        role: integrity.verify(folder / stored.name, stored.sha256, stored.bytes, full=verify)
        for role, stored in manifest.files.items()
    }
    missing = {"posts", "vectors", "rejected"} - set(paths)
    if missing:
        raise LibraryError(str(folder / MANIFEST), f"names no file of {sorted(missing)[0]}", remedy=_REBUILD)
    frame = pl.read_parquet(paths["posts"], glob=False)
    if "format" not in frame.columns:  # written before kinds of post were kept
        frame = frame.with_columns(format=pl.lit(None, dtype=pl.String))
    index = VectorIndex.read(paths["vectors"])
    # Not `splitlines`: a rejected cell may hold line separators of other alphabets, which JSON leaves as they are.
    lines = [line for line in paths["rejected"].read_text(encoding="utf-8").split("\n") if line]
    if not len(index) == frame.height == manifest.posts or index.dimension != manifest.embedder.dimension:
        raise LibraryError(str(folder), "its posts and its vectors do not belong together", remedy=_REBUILD)
    try:
        rejected = tuple(RejectedRow.model_validate_json(line) for line in lines)
    except ValidationError as error:
        raise LibraryError(str(paths["rejected"]), "is damaged", remedy=_REBUILD) from error
    return Stored(manifest=manifest, frame=frame, index=index, rejected=rejected)


def _check_embedder(folder: Path, made: EmbedderMark, given: EmbedderMark) -> None:
    if made != given:
        raise LibraryError(
            str(folder),
            f"was made by the embedder {made.name!r} ({made.hash[:12]}), its vectors mean nothing to another",
            value=f"{given.name} ({given.hash[:12]})",
            remedy=f"Open it with {made.name!r}, or build it anew with this one",
        )


@contextlib.contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the folder against other writers. Whoever holds it may take it again, to write what was read under it.

    Raises:
        LibraryError: Somebody else is writing there, and is not done within half a minute; or nobody may write there.
    """
    from filelock import FileLock, Timeout

    # One lock object a path: taken twice in one thread it counts, where two objects would wait for each other.
    lock = FileLock(folder / _LOCK, is_singleton=True)
    try:
        with lock.acquire(timeout=_LOCK_SECONDS):
            yield
    except Timeout as error:
        remedy = "Wait until it is done, or choose another folder"
        raise LibraryError(str(folder), "somebody else is writing this library", remedy=remedy) from error
    except OSError as error:
        if error.filename != lock.lock_file:  # a write of the caller's own
            raise
        remedy = "Choose a folder you may write to"
        raise LibraryError(str(folder), f"cannot be written to: {error.strerror}", remedy=remedy) from error


def _store(folder: Path, role: str, ending: str, write: Callable[[Path], object]) -> StoredFile:
    """Write under a passing name, flush to the disk, then give the file its hash as name."""
    with NamedTemporaryFile(prefix=f".lcbm-{role}-", suffix=".part", dir=folder, delete=False) as made:
        part = Path(made.name)
    try:
        write(part)
        _flush(part)
        digest = integrity.digest(part)
        name = f"{role}-{digest[:16]}.{ending}"
        size = part.stat().st_size
        part.chmod(0o644)
        part.replace(folder / name)
    finally:
        part.unlink(missing_ok=True)
    return StoredFile(name=name, sha256=digest, bytes=size)


def _replace_manifest(folder: Path, manifest: Manifest) -> None:
    part = folder / f".lcbm-{MANIFEST}.part"
    try:
        part.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
        _flush(part)
        part.replace(folder / MANIFEST)
    finally:
        part.unlink(missing_ok=True)
    _flush(folder)


def _clear(folder: Path, keep: set[str]) -> None:
    """Remove our data files that no manifest names any more: the old library's, or a crashed save's."""
    for path in folder.iterdir():
        if _OURS.fullmatch(path.name) and path.name not in keep:
            path.unlink(missing_ok=True)


def _write_rows(path: Path, rows: tuple[RejectedRow, ...]) -> None:
    path.write_text("".join(row.model_dump_json() + "\n" for row in rows), encoding="utf-8")


def _flush(path: Path) -> None:
    if os.name == "nt" and path.is_dir():  # Windows cannot sync a folder
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
