"""Build a corpus: read every source, drop what would leak into held-out splits, write Parquet and a manifest."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from pydantic import ValidationError

from lcbm_model.corpus.base import Problem, Reader
from lcbm_model.corpus.leaks import LeakReport, find_leaks
from lcbm_model.corpus.nested_rows import is_saved, rows_of
from lcbm_model.corpus.record import Record
from lcbm_model.corpus.registry import get_reader, reader_classes
from lcbm_model.corpus.store import (
    MANIFEST,
    PLOTS,
    Manifest,
    SourceEntry,
    copy_without,
    file_sha256,
    folder_sha256,
    read_manifest,
    write_manifest,
    write_records,
)
from lcbm_model.corpus.tables import ENDINGS, read_table
from lcbm_model.errors import TableError

Progress = Callable[[str, int], None]
"""Called with a step ("reading upworthy") and the records done in it so far."""


@dataclass(frozen=True)
class Source:
    """A file, the reader that fits it, and its folder of pictures."""

    reader: str
    path: Path
    images: Path | None = None


@dataclass(frozen=True)
class Built:
    """A finished build: the manifest, what was dropped as leaks, and the rows that readers could not use."""

    manifest: Manifest
    leaks: LeakReport
    problems: tuple[Problem, ...]


def plan(data: Sequence[str | Path], images: Mapping[str, Path] | None = None) -> list[Source]:
    """Which reader reads what.

    Args:
        data: Files or folders of them, each by itself (the reader is chosen by its columns) or as `reader=file`. A
            folder that `datasets` saved counts as one file.
        images: Reader name to folder of pictures; without one, the folder that the source comes with is looked for
            beside the file.

    Raises:
        TableError: Nothing there, or a file that no reader fits.
        SettingsError: `reader=` names no reader.
    """
    found: list[Source] = []
    for item in data:
        name, _, rest = str(item).partition("=")
        named = bool(rest) and not Path(str(item)).exists()
        path = Path(rest if named else str(item))
        for file in _files(path):
            reader = get_reader(name).name if named else _fitting(file)
            found.append(Source(reader, file, _pictures(reader, file, images or {})))
    twice = [str(s.path) for s in found if sum(s.path.resolve() == o.path.resolve() for o in found) > 1]
    if twice:
        raise TableError(twice[0], "is given twice", remedy="Name each file once")
    return found


def _files(path: Path) -> list[Path]:
    if not path.is_dir() or is_saved(path):
        return [path]
    files = sorted(f for f in path.iterdir() if f.is_file() and f.suffix.lower() in ENDINGS)
    if not files:
        raise TableError(str(path), "holds no tables", remedy=f"Put {', '.join(ENDINGS)} files there")
    return files


def _fitting(path: Path) -> str:
    """The reader whose required columns the file has; of several, the one that asks for most."""
    columns = _columns(path)
    fits = {n: set(k().required) for n, k in reader_classes().items() if set(k().required) <= set(columns)}
    if not fits:
        names = ", ".join(reader_classes())
        remedy = f"Say which one as READER=FILE; readers: {names}. A team's own posts: table={path.name}"
        raise TableError(str(path), "no reader fits its columns", value=columns, remedy=remedy)
    return max(fits, key=lambda n: len(fits[n]))


def _columns(path: Path) -> list[str]:
    if path.is_dir():
        return list(next(rows_of(path), {}))
    if path.suffix.lower() != ".parquet":
        return read_table(path).frame.columns
    try:
        return list(pl.read_parquet_schema(path))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise TableError(
            str(path), f"is no readable Parquet file: {error}", remedy="Export or copy it again"
        ) from error


def _pictures(reader: str, path: Path, images: Mapping[str, Path]) -> Path | None:
    if reader in images:
        return images[reader]
    usual = getattr(reader_classes()[reader], "images_folder", None)
    beside = path.parent / usual if usual else None
    return beside if beside is not None and beside.is_dir() else None


def build(sources: Sequence[Source], out: Path, *, progress: Progress | None = None) -> Built:
    """Write a corpus into the folder `out`; it appears whole or not at all.

    Records of a lower split that give a held-out record away (see `leaks`) are dropped and counted, test first kept.

    Raises:
        TableError: A source cannot be read, or `out` holds something that no build has written.
    """
    told = progress or (lambda step, n: None)
    _check_place(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as made:
        work = Path(made)
        readers = [_write(sources, i, work / f"{i}.parquet", told) for i in range(len(sources))]
        told("looking for leaks", 0)
        report = find_leaks(leak_rows([work / f"{i}.parquet" for i in range(len(sources))]))
        finished = work / "corpus"
        finished.mkdir()
        entries = [
            _finish(source, reader, work / f"{i}.parquet", finished / f"{_stem(sources, i)}.parquet", report, told)
            for i, (source, reader) in enumerate(zip(sources, readers, strict=True))
        ]
        manifest = Manifest(sources=tuple(entries))
        write_manifest(manifest, finished)
        if out.exists():
            out.rename(work / "before")  # goes with the rest of this folder
        finished.rename(out)
    return Built(manifest, report, tuple(p for r in readers for p in r.problems))


def _check_place(out: Path) -> None:
    """Refuse to replace anything but a corpus."""
    if not out.exists():
        return
    if not out.is_dir():
        raise TableError(str(out), "is no folder", remedy="Give a new folder")
    there = {path.name for path in out.iterdir()}
    if not there:
        return
    try:
        manifest = Manifest.model_validate_json((out / MANIFEST).read_bytes())
    except (OSError, ValidationError) as error:
        raise TableError(str(out), "is not empty and holds no corpus", remedy="Give a new folder") from error
    strange = sorted(there - {MANIFEST, PLOTS, *(entry.file for entry in manifest.sources)})
    if strange:
        remedy = "Move it away, or give a new folder"
        raise TableError(str(out), "holds more than a corpus, and would be replaced", value=strange[0], remedy=remedy)


def _stem(sources: Sequence[Source], i: int) -> str:
    before = sum(s.reader == sources[i].reader for s in sources[:i])
    return sources[i].reader + (f"-{before + 1}" if before else "")


def open_source(sources: Sequence[Source], i: int) -> tuple[Reader, Iterator[Record]]:
    """Reader and records of one of several files; what a further file of one source names by itself is set apart.

    Raises:
        TableError: The file cannot be read.
    """
    source, stem = sources[i], _stem(sources, i)
    reader = get_reader(source.reader)
    records = reader.read(source.path, images=source.images)
    if stem != source.reader:
        apart = getattr(reader, "set_apart", _renamed)
        records = (apart(r, stem) for r in records)
    return reader, records


def _write(sources: Sequence[Source], i: int, path: Path, told: Progress) -> Reader:
    reader, records = open_source(sources, i)
    write_records(_counted(records, f"reading {sources[i].reader}", told), path)
    return reader


def _renamed(record: Record, stem: str) -> Record:
    """A record of a second file of one source: its row numbers start again, its identifiers must not.

    A known source's contexts, tests and groups mean the same in all its files; a reader of files that each name their
    own says so by a method `set_apart`, which then takes this one's place.
    """
    name = f"{stem}/{record.id}"
    return record.model_copy(update={"id": name, "group": name if record.group == record.id else record.group})


def _counted(records: Iterable[Record], step: str, told: Progress) -> Iterator[Record]:
    n = 0
    for n, record in enumerate(records, start=1):
        if n % 1000 == 0:
            told(step, n)
        yield record
    told(step, n)


def _finish(source: Source, reader: Reader, raw: Path, final: Path, report: LeakReport, told: Progress) -> SourceEntry:
    """Copy a source's records without its leaks."""
    told(f"writing {source.reader}", 0)
    dropped, splits = copy_without(raw, final, report.dropped(source.reader))
    return SourceEntry(
        source=source.reader,
        licence=reader.licence,
        input=source.path.name,
        input_sha256=folder_sha256(source.path) if source.path.is_dir() else file_sha256(source.path),
        file=final.name,
        sha256=file_sha256(final),
        records=sum(splits.values()),
        splits=dict(sorted(splits.items())),
        metrics=reader.metrics,
        problems=dict(sorted(reader.problems.counts.items())),
        leaks_dropped=dict(sorted(dropped.items())),
    )


def leak_rows(files: Sequence[Path]) -> pl.DataFrame:
    """What `find_leaks` looks at, from corpus files: words (title and text) and the hash of a picture-only picture."""
    frames = []
    for file in files:
        lazy = pl.scan_parquet(file).select(
            "id",
            "source",
            "group",
            "split",
            text=pl.concat_str(
                pl.col("content").struct.field("title").fill_null(""),
                pl.col("content").struct.field("text"),
                separator=" ",
            ),
            path=pl.col("content").struct.field("media").list.first().struct.field("path"),
        )
        frames.append(lazy.collect())
    rows = pl.concat(frames)
    hashes = {p: file_sha256(Path(p)) for p in rows["path"].drop_nulls().unique() if Path(p).is_file()}
    return rows.with_columns(picture=pl.col("path").replace_strict(hashes, default=None, return_dtype=pl.String)).drop(
        "path"
    )


def check(folder: Path) -> LeakReport:
    """Look for leaks in a built corpus.

    Raises:
        TableError: No corpus there, or a file whose bytes are not those of the manifest.
    """
    manifest = read_manifest(folder)
    for entry in manifest.sources:
        if file_sha256(folder / entry.file) != entry.sha256:
            raise TableError(str(folder / entry.file), "was changed after it was built", remedy="Build it again")
    return find_leaks(leak_rows([folder / s.file for s in manifest.sources]))
