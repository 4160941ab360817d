"""A built corpus on disk: one typed Parquet file a source, and a manifest that says what is in them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lcbm_model.corpus.record import Record
from lcbm_model.errors import TableError

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST = "manifest.json"
PLOTS = "plots"
"""Folder beside the manifest where `lcbm corpus stats` draws; it goes when the corpus is built anew."""
BATCH = 8192
"""Records written or read at a time: what bounds the memory."""


class SourceEntry(BaseModel):
    """One source inside a built corpus."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    licence: str
    input: str = Field(description="Name of the file, or saved folder, it was read from.")
    input_sha256: str
    file: str = Field(description="Parquet file beside the manifest.")
    sha256: str
    records: int
    splits: dict[str, int]
    metrics: tuple[str, ...] = ()
    problems: dict[str, int] = Field(default_factory=dict, description="Rows left out or mended, by kind.")
    leaks_dropped: dict[str, int] = Field(default_factory=dict, description="Records dropped as leaks, by kind.")


class Manifest(BaseModel):
    """What a built corpus holds. `version` changes when the Parquet columns do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    sources: tuple[SourceEntry, ...]

    @property
    def records(self) -> int:
        """Records of all sources."""
        return sum(s.records for s in self.sources)


@cache
def schema() -> pa.Schema:
    """Columns of a corpus file, the fields of `Record`."""
    import pyarrow as pa

    text, real, texts = pa.string(), pa.float64(), pa.list_(pa.string())
    fields = [pa.field(n, text) for n in ("speech", "on_screen_text", "caption")]
    lists = [pa.field(n, texts) for n in ("objects", "colours", "tones")]
    scene = pa.struct([pa.field("start", real), pa.field("end", real), *fields, *lists])
    speaker = pa.struct([("name", text), ("description", text), ("followers", pa.int64())])
    media = pa.struct([("path", text), ("kind", text), ("alt", text)])
    content = pa.struct(
        [
            ("text", text),
            ("channel", text),
            ("title", text),
            ("topic", text),
            ("format", text),
            ("communicator", speaker),
            ("audience", text),
            ("date", pa.date32()),
            ("media", pa.list_(media)),
            ("scenes", pa.list_(scene)),
        ]
    )
    observed = [("metric", text), ("value", real), ("count", real), ("exposure", real), ("percentile", real)]
    return pa.schema(
        [
            ("id", text),
            ("source", text),
            ("content", content),
            ("observations", pa.list_(pa.struct(observed))),
            ("context", text),
            ("group", text),
            ("arms", text),
            ("split", text),
            ("labels", pa.map_(text, text)),
            ("weight", real),
        ]
    )


def write_records(records: Iterable[Record], path: Path) -> int:
    """Write records to a Parquet file in batches; returns how many."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    stream, n = iter(records), 0
    with pq.ParquetWriter(path, schema(), compression="zstd") as writer:
        while batch := [_row(r) for r in islice(stream, BATCH)]:
            writer.write_table(pa.Table.from_pylist(batch, schema=schema()))
            n += len(batch)
    return n


def _row(record: Record) -> dict[str, Any]:
    """A record as nested plain values. Written out, since pydantic's dump took most of a build's time."""
    content = record.content
    speaker = content.communicator
    return {
        "id": record.id,
        "source": record.source,
        "content": {
            "text": content.text,
            "channel": content.channel,
            "title": content.title,
            "topic": content.topic,
            "format": content.format,
            "communicator": speaker and speaker.__dict__,
            "audience": content.audience,
            "date": content.date,
            "media": [{"path": str(m.path), "kind": m.kind, "alt": m.alt} for m in content.media],
            "scenes": [s.__dict__ for s in content.scenes],
        },
        "observations": [o.__dict__ for o in record.observations],
        "context": record.context,
        "group": record.group,
        "arms": record.arms,
        "split": record.split,
        "labels": list(record.labels.items()),
        "weight": record.weight,
    }


def copy_without(raw: Path, final: Path, leaks: Mapping[str, str]) -> tuple[Counter[str], Counter[str]]:
    """Copy a corpus file without some records, a batch at a time.

    Args:
        leaks: Identifier of each record to leave out, to the reason.

    Returns:
        Records left out by reason, and records kept by split.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    dropped: Counter[str] = Counter()
    splits: Counter[str] = Counter()
    unwanted = pa.array(list(leaks), type=pa.string())
    with pq.ParquetWriter(final, schema(), compression="zstd") as writer:
        for batch in pq.ParquetFile(raw).iter_batches(batch_size=BATCH):
            found = pc.is_in(batch["id"], value_set=unwanted)
            dropped.update(leaks[name] for name in batch["id"].filter(found).to_pylist())
            kept = batch.filter(pc.invert(found))
            splits.update(kept["split"].to_pylist())
            writer.write_batch(kept)
    return dropped, splits


def read_records(path: Path, *, split: str | None = None) -> Iterator[Record]:
    """Records of one Parquet file of a built corpus, in order, a batch at a time.

    Raises:
        TableError: The file is no corpus file, or a row of it is no record.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise TableError(path.name, f"cannot be read: {error}", remedy="Build the corpus again") from error
    missing = [name for name in schema().names if name not in file.schema_arrow.names]
    if missing:
        raise TableError(path.name, "is no corpus file", value=missing, remedy="Build it with `lcbm corpus build`")
    number = 0
    for batch in file.iter_batches(batch_size=BATCH):
        for row in batch.to_pylist():
            number += 1
            if split is None or row["split"] == split:
                yield _record(row, path, number)


def _record(row: dict[str, Any], path: Path, number: int) -> Record:
    try:
        return Record.model_validate({**row, "labels": dict(row["labels"] or ())})
    except ValidationError as error:
        first = error.errors()[0]
        column = ".".join(str(part) for part in first["loc"])
        raise TableError(
            f"{path.name}: row {number}, column {column!r}",
            first["msg"],
            value=first.get("input"),
            remedy="Build the corpus again",
        ) from error


def read_corpus(folder: Path | str, *, split: str | None = None, sources: Sequence[str] = ()) -> Iterator[Record]:
    """Records of a built corpus, source by source; only some sources or one split where asked.

    Raises:
        TableError: No corpus there, a source it has not, or a damaged file.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    have = {s.source for s in manifest.sources}
    for name in sources:
        if name not in have:
            raise TableError(str(folder), "has no such source", value=name, remedy=f"It has {', '.join(sorted(have))}")
    for entry in manifest.sources:
        if not sources or entry.source in sources:
            yield from read_records(folder / entry.file, split=split)


def read_manifest(folder: Path | str) -> Manifest:
    """The manifest of a built corpus.

    Raises:
        TableError: No manifest, a damaged one, or a file that is not there.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise TableError(str(folder), f"has no {MANIFEST}", remedy="Build a corpus there with `lcbm corpus build`")
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise TableError(str(path), f"is no manifest: {error.errors()[0]['msg']}", remedy="Build it again") from error
    for entry in manifest.sources:
        if not (path.parent / entry.file).is_file():
            raise TableError(str(path), "names a file that is not there", value=entry.file, remedy="Build it again")
    return manifest


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write the manifest, readable and with keys in order."""
    text = json.dumps(manifest.model_dump(mode="json"), indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_sha256(path: Path) -> str:
    """SHA-256 over the names and hashes of all files of a folder."""
    files = sorted(file for file in path.rglob("*") if file.is_file())
    told = [f"{file.relative_to(path).as_posix()} {file_sha256(file)}\n" for file in files]
    return hashlib.sha256("".join(told).encode()).hexdigest()
