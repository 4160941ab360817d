"""A team's table into checked posts. A bad row is put aside with its reason; good rows stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from agents.library.dates import parse_dates
from agents.library.measures import EXPOSURE, Measures, measure_columns
from agents.library.records import RejectedRow
from lcbm_model.corpus.tables import Table, as_strings, column_key, missing_column
from lcbm_model.errors import LibraryError, TableError
from lcbm_model.metrics import Metric, get_metric, metric_names

FIELDS = ("text", "id", "image", "channel", "date", "audience")
MAX_TEXT = 100_000
"""Characters of one post. A longer cell is no post."""
DEFAULT_CHANNEL = "post"


@dataclass(frozen=True)
class Ingested:
    """Checked posts of one table.

    Attributes:
        frame: One row a post: id, text, channel, date, image, audience, exposure, `value.*`, `exposure.*`.
        metrics: Names of the metrics measured, the main one first.
        rejected: Rows put aside, in file order.
        notes: What a person should know of how the file was read.
    """

    frame: pl.DataFrame
    metrics: tuple[str, ...]
    rejected: tuple[RejectedRow, ...]
    notes: tuple[str, ...]


def ingest(
    table: Table,
    *,
    metric: str | Metric | None = None,
    columns: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Ingested:
    """Check every row of a table.

    Args:
        metric: The main metric; the first known one found by default.
        columns: Our column names to the file's headings, where they differ: {"text": "Message"}.
        folder: Where relative pictures are and beyond which none is read; the file's own by default.

    Raises:
        TableError: No text column, no column of the metric, or a mapping to a heading that is not there.
        MetricError: Nobody defined the metric.
        LibraryError: No row is left.
    """
    rows = _Rows(table, _checked_mapping(table, columns or {}))
    measures = Measures(table, rows.columns, metric, rows.reject)
    frame = pl.DataFrame(
        {
            "text": rows.texts(),
            "id": rows.ids(),
            "channel": rows.labels("channel", channel_key, DEFAULT_CHANNEL),
            "date": rows.dates(),
            "image": rows.images(folder or table.path.parent),
            "audience": rows.labels("audience", lambda text: " ".join(text.split())),
            EXPOSURE: pl.Series(measures.exposure()).fill_nan(None),
            **measure_columns(measures.found),
        }
    )
    rows.reject_repeated(frame["id"])
    names = tuple(m.metric.name for m in measures.found)
    rejected = rows.all_rejected()
    frame = frame.filter(~pl.Series(rows.bad_mask(), dtype=pl.Boolean))
    notes = [*table.notes, *rows.notes, *measures.notes]
    _check_left(table, frame, names[0], rejected, notes)
    return Ingested(frame, names, rejected, tuple(notes))


def channel_key(text: str) -> str:
    """One spelling a channel: 'Email subject' and 'email-subject' are `email_subject`."""
    return column_key(text)


def _checked_mapping(table: Table, columns: Mapping[str, str]) -> dict[str, str]:
    """The mapping, once each of our names is known and each heading there."""
    where = str(table.path)
    metrics = [get_metric(name) for name in metric_names()]
    parts = {p for m in metrics for p in (m.name, m.count_column, m.exposure_column) if p}
    known = {*FIELDS, EXPOSURE, *parts}
    mapped: dict[str, str] = {}
    for name, heading in columns.items():
        if name not in known:
            remedy = f"Known: {', '.join((*FIELDS, EXPOSURE, *sorted(parts)))}"
            raise TableError(f"{where}: columns", "maps a name that no column has here", value=name, remedy=remedy)
        found = table.find(heading)
        if found is None:
            raise missing_column(where, heading, table.frame.columns)
        mapped[name] = found
    return mapped


def _check_left(
    table: Table, frame: pl.DataFrame, metric: str, rejected: tuple[RejectedRow, ...], notes: list[str]
) -> None:
    if frame.height == 0:
        first = rejected[0]
        remedy = f"{len(rejected)} rows were refused; mend the column or map another with `columns`"
        where = f"{table.path}, row {first.row}, column {first.column!r}"
        raise LibraryError(where, f"no usable row is left; this one {first.problem}", value=first.value, remedy=remedy)
    without = frame[f"value.{metric}"].null_count()
    if without == frame.height:
        raise LibraryError(str(table.path), f"no row has a value for {metric}", remedy="Fill that column in")
    if without:
        notes.append(f"{without} of {frame.height} posts have no {metric}: found by search, but without a rank")


class _Rows:
    """Reads the fields of all rows and remembers the first problem of each."""

    def __init__(self, table: Table, columns: Mapping[str, str]) -> None:
        self._table, self.columns = table, columns
        self._bad: dict[int, RejectedRow] = {}
        self.notes: list[str] = []
        if self._heading("text") is None:
            raise missing_column(str(table.path), "text", table.frame.columns)

    def reject(self, index: int, column: str, problem: str) -> None:
        """Put a row aside; a row's first problem is the one told."""
        if index not in self._bad:
            value = self._table.frame[column][index] if column in self._table.frame.columns else None
            shown = "" if value is None else str(value)[:120]
            self._bad[index] = RejectedRow(row=self._table.rows[index], column=column, value=shown, problem=problem)

    def bad_mask(self) -> list[bool]:
        return [i in self._bad for i in range(self._table.frame.height)]

    def all_rejected(self) -> tuple[RejectedRow, ...]:
        unread = [
            RejectedRow(row=p.row, column=p.column, value=p.value, problem=p.problem) for p in self._table.problems
        ]
        return tuple(sorted([*unread, *self._bad.values()], key=lambda r: r.row))

    def texts(self) -> pl.Series:
        column = self._strings("text")
        heading = self._heading("text") or "text"
        for i, text in enumerate(column):
            if not text:
                self.reject(i, heading, "is empty")
            elif len(text) > MAX_TEXT:
                self.reject(i, heading, f"is longer than {MAX_TEXT} characters")
        return column

    def ids(self) -> pl.Series:
        """The team's ids; `row-N` where there is none."""
        given = self._strings("id").to_list()
        return pl.Series([cell or f"row-{row}" for cell, row in zip(given, self._table.rows, strict=True)])

    def reject_repeated(self, ids: pl.Series) -> None:
        """The first good row of an id stays."""
        seen: dict[str, int] = {}
        for i, name in enumerate(ids):
            if i in self._bad:
                continue
            if name in seen:
                self.reject(i, self._heading("id") or "id", f"repeats the id of row {self._table.rows[seen[name]]}")
            seen.setdefault(name, i)

    def labels(self, name: str, tidy: Callable[[str], str], default: str | None = None) -> pl.Series:
        cells = (tidy(cell) or default for cell in self._strings(name))
        return pl.Series(list(cells), dtype=pl.String)

    def dates(self) -> pl.Series:
        heading = self._heading("date")
        if heading is None:
            return pl.Series([None] * self._table.frame.height, dtype=pl.Date)
        days, problems = parse_dates(self._table.frame[heading], datetime.now(UTC).date())
        for i, problem in problems.items():
            self.reject(i, heading, problem)
        return pl.Series(days, dtype=pl.Date)

    def images(self, folder: Path) -> pl.Series:
        """Whole paths of pictures inside `folder`. Addresses on the web are not fetched."""
        heading = self._heading("image") or "image"
        root = folder.resolve()
        paths: list[str | None] = []
        counts: Counter[str] = Counter()
        for i, cell in enumerate(self._strings("image")):
            paths.append(None)
            if "://" in cell:
                counts["web"] += 1
            elif cell:
                try:
                    paths[-1] = str(_picture(root, cell))
                except ValueError as error:
                    self.reject(i, heading, str(error))
        if counts["web"]:
            self.notes.append(f"{counts['web']} pictures are web addresses: not fetched, those posts have no picture")
        return pl.Series(paths, dtype=pl.String)

    def _heading(self, name: str) -> str | None:
        return self.columns.get(name) or self._table.find(name)

    def _strings(self, name: str) -> pl.Series:
        """Stripped cells, "" where empty or where there is no such column."""
        heading = self._heading(name)
        if heading is None:
            return pl.Series([""] * self._table.frame.height)
        return as_strings(self._table.frame[heading]).fill_null("")


def _picture(root: Path, cell: str) -> Path:
    """The file a cell names.

    Raises:
        ValueError: Outside `root` (links followed), or not there.
    """
    try:
        path = (root / cell).resolve()
        inside, there = path.is_relative_to(root), path.is_file()
    except OSError as error:
        raise ValueError(f"is no file name: {error.strerror}") from error
    if not inside:
        raise ValueError("lies outside the file's folder")
    if not there:
        raise ValueError("no such picture in the file's folder")
    return path
