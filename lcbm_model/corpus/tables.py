"""Tables of posts from CSV, Excel, JSONL and Parquet, read without losing a good row to a bad one.

A file that cannot be a table at all raises `TableError`. A single bad row (ragged, embedded NUL, no JSON) is left
out and listed in `Table.problems` with its number. What was guessed (encoding, delimiter, sheet) is said in
`Table.notes`. CSV, Excel and JSONL columns are strings as written (see `parse_numbers`); Parquet columns keep their
types.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lcbm_model.corpus.numbers import Numbers, as_strings, parse_number, parse_numbers
from lcbm_model.errors import TableError

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "ENDINGS",
    "Numbers",
    "Opening",
    "RowProblem",
    "Table",
    "as_strings",
    "parse_number",
    "parse_numbers",
    "read_openings",
    "read_table",
]

ENDINGS: dict[str, str] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xlsb": "excel",
    ".xls": "excel",
    ".ods": "excel",
}
"""File ending to kind of table."""

_GIVE = "Pass the path of a CSV, Excel, JSONL or Parquet file"


@dataclass(frozen=True)
class RowProblem:
    """A row that was left out. `row` counts rows of data from 1, the header not counted."""

    row: int
    column: str
    value: str
    problem: str


@dataclass(frozen=True)
class Table:
    """A file's good rows as raw columns.

    Attributes:
        path: The file.
        frame: N rows; strings for CSV and JSONL.
        rows: N row numbers in the file, from 1, so that a later problem can name its row.
        problems: Rows that were left out.
        notes: What had to be guessed, for people.
    """

    path: Path
    frame: pl.DataFrame
    rows: Sequence[int]
    problems: tuple[RowProblem, ...] = ()
    notes: tuple[str, ...] = ()

    def find(self, name: str) -> str | None:
        """The heading that means `name` (case, spaces and hyphens ignored), or None."""
        if name in self.frame.columns:
            return name
        return next((heading for heading in self.frame.columns if column_key(heading) == column_key(name)), None)

    def column(self, name: str) -> pl.Series:
        """The column that means `name`.

        Raises:
            TableError: No such column; the message names those there and the nearest.
        """
        heading = self.find(name)
        if heading is None:
            raise missing_column(str(self.path), name, self.frame.columns)
        return self.frame[heading]


@dataclass(frozen=True)
class Opening:
    """The first rows of a file or sheet as raw cells, before anybody knows which of them holds the headings."""

    sheet: str | None
    rows: tuple[tuple[str, ...], ...]


def read_table(
    path: str | Path,
    *,
    required: Sequence[str] = (),
    where: str | None = None,
    header: int = 0,
    sheet: str | None = None,
) -> Table:
    """Read a CSV, TSV, Excel, JSONL or Parquet file.

    Args:
        path: The file; its ending says what it is.
        required: Columns that must be there. A heading that differs in case, spaces or hyphens only is renamed.
        where: What error messages call the file; its path by default.
        header: Rows above the headings (title lines of an export), left out. CSV and Excel only.
        sheet: Which sheet of an Excel file; by default the first that has any cells.

    Raises:
        TableError: Missing, empty, unreadable or damaged file, unknown ending, no row left, required column absent.
    """
    path = Path(path)
    where = where or str(path)
    try:
        table = _read(path, where, _kind(path, where), header, sheet)
    except OSError as error:
        raise TableError(where, f"cannot be read: {error.strerror or error}") from error
    if table.frame.height == 0:
        raise _no_rows(table, where)
    return _with_required(table, required, where)


def read_openings(path: str | Path, *, limit: int = 20) -> list[Opening]:
    """The first rows of a CSV file or of each sheet of an Excel file; for JSONL and Parquet the headings alone.

    Raises:
        TableError: As `read_table`.
    """
    path = Path(path)
    where = str(path)
    kind = _kind(path, where)
    try:
        if kind == "csv":
            from lcbm_model.corpus.table_csv import csv_opening

            return [csv_opening(path, where, limit)]
        if kind == "excel":
            from lcbm_model.corpus.table_excel import excel_openings

            return excel_openings(path, where, limit)
        if kind == "parquet":
            from lcbm_model.corpus.table_parquet import parquet_headings

            return [Opening(None, (parquet_headings(path, where),))]
        from lcbm_model.corpus.table_jsonl import jsonl_headings

        return [Opening(None, (jsonl_headings(path, where, limit),))]
    except OSError as error:
        raise TableError(where, f"cannot be read: {error.strerror or error}") from error


def _read(path: Path, where: str, kind: str, header: int, sheet: str | None) -> Table:
    if kind == "parquet":
        from lcbm_model.corpus.table_parquet import read_parquet

        return read_parquet(path, where)
    if kind == "jsonl":
        from lcbm_model.corpus.table_jsonl import read_jsonl

        return read_jsonl(path, where)
    if kind == "excel":
        from lcbm_model.corpus.table_excel import read_excel

        return read_excel(path, where, header, sheet)
    from lcbm_model.corpus.table_csv import read_csv

    return read_csv(path, where, header)


def _kind(path: Path, where: str) -> str:
    kind = ENDINGS.get(path.suffix.lower())
    if not path.exists():
        raise TableError(where, "no such file", remedy=_GIVE)
    if not path.is_file():
        raise TableError(where, "is not a file", remedy=_GIVE)
    if kind is None:
        remedy = f"Known endings: {', '.join(ENDINGS)}"
        raise TableError(where, "has an ending that names no known table format", value=path.suffix, remedy=remedy)
    if path.stat().st_size == 0:
        raise TableError(where, "is empty", remedy="Export it again, with a header and at least one row")
    return kind


def _no_rows(table: Table, where: str) -> TableError:
    if table.problems:
        first = table.problems[0]
        at = f"row {first.row}" + (f", column {first.column!r}" if first.column else "")
        return TableError(where, f"has no usable row; the first problem is in {at}: {first.problem}", value=first.value)
    return TableError(where, "has no rows of data", remedy="Export it again, with a header and at least one row")


def _with_required(table: Table, required: Sequence[str], where: str) -> Table:
    renames: dict[str, str] = {}
    for name in required:
        heading = table.find(name)
        if heading is None:
            raise missing_column(where, name, table.frame.columns)
        if heading != name:
            renames[heading] = name
    notes = tuple(f"column {old!r} is read as {new!r}" for old, new in renames.items())
    return Table(table.path, table.frame.rename(renames), table.rows, table.problems, table.notes + notes)


def column_key(heading: str) -> str:
    """Headings that a person would call the same have the same key: 'Click rate', 'click-rate', 'click_rate'."""
    return re.sub(r"[\W_]+", "_", heading.strip().casefold()).strip("_")


def missing_column(where: str, name: str, columns: Sequence[str]) -> TableError:
    """The error for a column that is not there: names the columns that are, and the nearest."""
    keys = {column_key(c): c for c in columns}
    near = difflib.get_close_matches(column_key(name), list(keys), n=1, cutoff=0.6)
    guess = f"Did you mean {keys[near[0]]!r}? " if near else ""
    shown = ", ".join(repr(c) for c in list(columns)[:20]) + (", ..." if len(columns) > 20 else "")
    return TableError(where, f"has no column {name!r}", remedy=f"{guess}Columns there: {shown}")


def check_header(headings: Sequence[str], where: str) -> list[str]:
    """Stripped headings; a nameless one gets `column_N`.

    Raises:
        TableError: Embedded NUL (a binary or UTF-16 file), or two columns of one name.
    """
    if any("\0" in h for h in headings):
        raise TableError(where, "holds NUL bytes: it is no text, or UTF-16 without a mark", remedy="Save it as UTF-8")
    names = [h.strip() or f"column_{i}" for i, h in enumerate(headings, start=1)]
    twice = next((n for i, n in enumerate(names) if n in names[:i]), None)
    if twice is not None:
        raise TableError(where, "has two columns of one name", value=twice, remedy="Rename one of them")
    return names
