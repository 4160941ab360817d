"""Posts added to a library on disk, brought up to date, or taken out. The old library stands until the new one does.

A change reads, merges and writes under one lock: two processes that add at the same time both have their posts in the
result, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from agents.embedder import Embedder
from agents.library.duplicates import Dedupe, repeats
from agents.library.exports import PostsTable, read_posts
from agents.library.ingest import Ingested, ingest
from agents.library.library import Library
from agents.library.records import RejectedRow
from agents.library.storage import only_writer, read_manifest
from lcbm_model.errors import LibraryError, TableError

_NAMED = 5
"""Ids that a message names."""


@dataclass(frozen=True)
class Change:
    """What a change did.

    Attributes:
        library: As it stands now.
        added: Posts that are new.
        updated: Posts whose text, fields or figures changed.
        unchanged: Posts of the file that were there already, with the same figures.
        repeated: Posts that say the same as a better measured one under another id, left out.
        deleted: Posts taken out.
        rejected: Rows of the file put aside.
        notes: How the file was read.
    """

    library: Library
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    repeated: int = 0
    deleted: int = 0
    rejected: tuple[RejectedRow, ...] = ()
    notes: tuple[str, ...] = ()


def add_posts(
    folder: str | Path,
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    source: str | None = None,
    header: int | None = None,
    sheet: str | None = None,
    dedupe: Dedupe = "exact",
    embedder: Embedder | str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Change:
    """Add a file's posts to a library. A post whose id is known gets its new figures; what the file leaves out stays.

    Args:
        folder: A built library.
        path: See `Library.from_file`, as for the other arguments.
        embedder: The one the library was built with; the packaged MiniLM by default.

    Raises:
        LibraryError: No library, a damaged file, another embedder, or somebody else is writing there for long.
        TableError: The file cannot be read, or lacks the text or any known metric.
    """
    folder = Path(folder)
    read_manifest(folder)
    posts = read_posts(path, source=source, columns=columns, header=header, sheet=sheet)
    with only_writer(folder):
        library = Library.open(folder, embedder=embedder)
        taken = _taken(posts, library, dedupe)
        merged, counts = merge(library.frame, taken.frame)
        gone = _of_the_file(repeats(merged, library.metric, dedupe), merged, taken.frame)
        notes = [*taken.notes, *_told(library, taken, merged, gone)]
        merged = merged.with_row_index("row").filter(~pl.col("row").is_in(list(gone))).drop("row")
        changed = Library.from_checked(
            merged,
            library.embedder,
            metrics=tuple(dict.fromkeys((*library.metrics, *taken.metrics))),
            rejected=taken.rejected,
            notes=tuple(notes),
            source=", ".join(dict.fromkeys((*library.source.split(", "), Path(path).name))),
            progress=progress,
        )
        changed.save(folder)
    return Change(changed, **counts, repeated=len(gone), rejected=taken.rejected, notes=tuple(notes))


def delete_posts(folder: str | Path, ids: Sequence[str], *, embedder: Embedder | str | Path | None = None) -> Change:
    """Take posts out of a library by their ids.

    Raises:
        LibraryError: An id that no post has, or no post would be left: nothing is changed then. Otherwise as
            `add_posts`.
    """
    folder = Path(folder)
    read_manifest(folder)
    with only_writer(folder):
        library = Library.open(folder, embedder=embedder)
        wanted = set(ids)
        unknown = sorted(wanted - set(library.frame["id"]))
        if unknown:
            some = ", ".join(repr(name) for name in unknown[:_NAMED])
            more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
            raise LibraryError(str(folder), f"has no post {some}{more}", remedy="Nothing was taken out")
        left = library.frame.filter(~pl.col("id").is_in(list(wanted)))
        if left.height == 0:
            raise LibraryError(str(folder), "would have no post left", remedy="Remove the folder instead")
        changed = Library.from_checked(
            _unranked(left),
            library.embedder,
            metrics=tuple(name for name in library.metrics if left[f"value.{name}"].is_not_null().any()),
            rejected=library.rejected,
            notes=library.notes,
            source=library.source,
        )
        changed.save(folder)
    return Change(changed, deleted=len(wanted))


def _taken(posts: PostsTable, library: Library, dedupe: Dedupe) -> Ingested:
    """The file's posts with the library's main metric; without it where the file has only others."""
    try:
        return ingest(posts, metric=library.metric, dedupe=dedupe, known=library.frame)
    except TableError as error:
        try:
            return ingest(posts, dedupe=dedupe, known=library.frame)
        except TableError:
            raise error from None


def merge(old: pl.DataFrame, new: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """Both frames' posts by id, without ranks, and counts of those added, updated and unchanged.

    Where a post is in both, filled cells of the new one win. A figure and the exposure behind it go together.
    """
    old = _unranked(old)
    columns = [*old.columns, *(c for c in new.columns if c not in old.columns)]
    schema = {c: (old.schema.get(c) or new.schema[c]) for c in columns}
    old, new = (_widened(frame, schema) for frame in (old, new))
    both = old.join(new, on="id", how="left", suffix=" new", maintain_order="left")
    taken = {c: _newer(c) for c in columns if c != "id"}
    updated = both.select("id", *(value.alias(c) for c, value in taken.items()))
    added = new.join(old, on="id", how="anti", maintain_order="left")
    known = new.height - added.height
    changed = old.height - int((updated.hash_rows() == old.select(updated.columns).hash_rows()).sum())
    counts = {"added": added.height, "updated": changed, "unchanged": known - changed}
    return pl.concat([updated, added.select(updated.columns)]), counts


def _newer(column: str) -> pl.Expr:
    metric = column.removeprefix("exposure.")
    if metric != column:
        told = pl.col(f"value.{metric} new").is_not_null()
        return pl.when(told).then(pl.col(f"{column} new")).otherwise(pl.col(column))
    return pl.coalesce(f"{column} new", column)


def _widened(frame: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    return frame.select(
        pl.col(c).cast(kind) if c in frame.columns else pl.lit(None, dtype=kind).alias(c) for c, kind in schema.items()
    )


def _unranked(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(c for c in frame.columns if not c.startswith(("ranked.", "percentile.")))


def _of_the_file(
    gone: Mapping[int, tuple[int, float]], merged: pl.DataFrame, new: pl.DataFrame
) -> dict[int, tuple[int, float]]:
    """Repeats in which a post of the file has part: what the library held of its own accord stays."""
    fresh = merged["id"].is_in(new["id"].to_list()).to_list()
    return {row: told for row, told in gone.items() if fresh[row] or fresh[told[0]]}


def _told(library: Library, taken: Ingested, merged: pl.DataFrame, gone: Mapping[int, tuple[int, float]]) -> list[str]:
    notes = []
    if library.metric not in taken.metrics:
        notes.append(f"the file has no {library.metric}: its posts are found, but without a rank in it")
    if gone:
        ids = merged["id"]
        some = ", ".join(f"{ids[row]!r} (as {ids[kept]!r})" for row, (kept, _) in list(gone.items())[:_NAMED])
        more = ", ..." if len(gone) > _NAMED else ""
        notes.append(f"{len(gone)} posts repeat a better measured one under another id and are left out: {some}{more}")
    return notes
