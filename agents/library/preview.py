"""How a file of posts would be read, before anything is built: which column becomes what, and what nobody reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from agents.library.exports import PLAIN, Guess, PostsTable, guesses, read_posts
from agents.library.ingest import ingest
from agents.library.records import Post, RejectedRow
from lcbm_model.corpus.tables import as_strings
from lcbm_model.errors import InputError
from lcbm_model.metrics import Metric

_SAMPLES = 3


@dataclass(frozen=True)
class ColumnSeen:
    """One column of the file.

    Attributes:
        heading: As in the file, or the name of a column put together from several.
        read_as: Our names for it; empty where nobody reads it.
        samples: Up to three of its first filled cells.
    """

    heading: str
    read_as: tuple[str, ...]
    samples: tuple[str, ...]


@dataclass(frozen=True)
class Preview:
    """How a file would be read.

    Attributes:
        source: Name of the export, "plain" for our own columns.
        title: The same for people.
        confidence: 0..1 that it is that export.
        others: Other exports it might be, with their confidence, the likeliest first.
        rows: Rows of posts, good and bad.
        columns: Every column in the file's order.
        metrics: Found or made, the main one first.
        posts: The first good ones, as they would be read.
        rejected: Rows that would be left out.
        notes: What was guessed or changed.
        problem: Why the file cannot be built as it is; empty where it can.
    """

    source: str
    title: str
    confidence: float
    others: tuple[tuple[str, float], ...]
    rows: int
    columns: tuple[ColumnSeen, ...]
    metrics: tuple[str, ...] = ()
    posts: tuple[Post, ...] = ()
    rejected: tuple[RejectedRow, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""


def preview_posts(
    path: str | Path,
    *,
    metric: str | Metric | None = None,
    source: str | None = None,
    columns: Mapping[str, str] | None = None,
    header: int | None = None,
    sheet: str | None = None,
    rows: int = 5,
) -> Preview:
    """Read a file as `Library.from_file` would, and tell how.

    Args:
        rows: Good posts to show.

    Raises:
        TableError: The file cannot be read at all.
        SettingsError: No export of that name.
    """
    path = Path(path)
    posts = read_posts(path, source=source, columns=columns, header=header, sheet=sheet)
    others = [g for g in guesses(path, header=header, sheet=sheet) if g.source != posts.source]
    try:
        taken = ingest(posts, metric=metric)
    except InputError as error:
        return _seen(posts, others, problem=str(error))
    first = tuple(Post.from_row(row) for row in taken.frame.head(rows).iter_rows(named=True))
    return _seen(
        posts,
        others,
        used=taken.used,
        metrics=taken.metrics,
        posts=first,
        rejected=taken.rejected,
        notes=taken.notes,
    )


def _seen(
    understood: PostsTable, others: list[Guess], *, used: Mapping[str, tuple[str, ...]] | None = None, **told: Any
) -> Preview:
    table = understood.table
    if used is None:
        found: dict[str, tuple[str, ...]] = {}
        for name, heading in understood.columns.items():
            heading = table.find(heading) or heading
            found[heading] = (*found.get(heading, ()), name)
        used = found
        told.setdefault("notes", table.notes)
    used = {**dict.fromkeys(understood.parts, ("part of the text",)), **used}
    return Preview(
        source=understood.source.name if understood.source else PLAIN,
        title=understood.source.title if understood.source else "our own column names",
        confidence=understood.confidence,
        others=tuple((guess.source.name, guess.confidence) for guess in others),
        rows=table.frame.height + len(table.problems),
        columns=tuple(ColumnSeen(h, used.get(h, ()), _samples(table.frame[h])) for h in table.frame.columns),
        **told,
    )


def _samples(column: pl.Series) -> tuple[str, ...]:
    cells = as_strings(column).drop_nulls()
    return tuple(cells.filter(cells != "").head(_SAMPLES).to_list())
