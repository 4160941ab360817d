"""CSV and TSV into raw string columns."""

from __future__ import annotations

import contextlib
import csv
import re
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

import polars as pl

from lcbm_model.corpus.tables import Opening, RowProblem, Table, check_header
from lcbm_model.corpus.textlines import TextLines
from lcbm_model.errors import TableError

_BATCH = 50_000
"""Rows held as Python lists before they move into a frame: bounds memory on large files."""


_DELIMITERS = ",;\t|"
_TITLES = 20
"""Lines looked at for the headings of a file that begins with title lines."""


def read_csv(path: Path, where: str, skipped: int = 0) -> Table:
    """Read a CSV whose delimiter is a comma, semicolon, tab or bar, told from its header.

    Args:
        skipped: Rows above the header.

    Raises:
        TableError: No header, an unclosed quotation mark, or text in no known encoding.
    """
    source = TextLines(path, where)
    lines = iter(source)
    first = list(islice(lines, 1 if not skipped else skipped + _TITLES))
    delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter_of_row(first, skipped)
    # `csv` and not the polars reader: that one pads short rows in silence and cannot name a bad row.
    reader = csv.reader(chain(first, lines), delimiter=delimiter, strict=True)
    try:
        for _ in range(skipped):
            next(reader, [])
        header = next(reader, [])
    except csv.Error as error:
        raise TableError(f"{where}, line {reader.line_num}", f"has a header that is no CSV: {error}") from error
    if not any(h.strip() for h in header):
        where = f"{where}, line {max(reader.line_num, 1)}"
        raise TableError(where, "has an empty header", remedy="The first line must name the columns")
    names = check_header(header, f"{where}, line {reader.line_num}")
    problems: list[RowProblem] = []
    rows: list[int] = []
    frames, batch = [], []
    schema = dict.fromkeys(names, pl.String)
    for number, cells in _good_rows(reader, names, where, problems):
        rows.append(number)
        batch.append(cells)
        if len(batch) == _BATCH:
            frames.append(pl.DataFrame(batch, schema=schema, orient="row"))
            batch = []
    frames.append(pl.DataFrame(batch, schema=schema, orient="row"))
    notes = source.notes
    if delimiter not in ",\t":
        notes += (f"columns are separated by {delimiter!r}",)
    return Table(path, pl.concat(frames), rows, tuple(problems), notes)


def _good_rows(
    reader: Iterator[list[str]], names: list[str], where: str, problems: list[RowProblem]
) -> Iterator[tuple[int, list[str]]]:
    """Row number and cells of each whole row; the others go to `problems`, blank ones nowhere."""
    number = 0
    while True:
        number += 1
        line = reader.line_num + 1  # type: ignore[attr-defined]
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                raise TableError(
                    f"{where}, line {line}", "opens a quotation mark that is never closed", remedy="Close or double it"
                ) from error
            last = int(reader.line_num)  # type: ignore[attr-defined]
            lost = (
                f"opens a quotation mark in line {line} that line {last} closes in mid-cell: all of these are left out"
            )
            problems.append(RowProblem(number, "", "", lost if last > line else f"is no CSV: {error}"))
            continue
        if not any(cell.strip() for cell in cells):
            continue  # counted all the same: row numbers stay those a spreadsheet shows, less the header
        if len(cells) != len(names):
            shown = shown_row(cells)
            problems.append(RowProblem(number, "", shown, f"has {len(cells)} cells, the header has {len(names)}"))
        elif nul := next((n for n, cell in zip(names, cells, strict=True) if "\0" in cell), None):
            problems.append(RowProblem(number, nul, shown_row(cells), "holds a NUL character"))
        else:
            yield number, cells


def shown_row(cells: list[str]) -> str:
    """A row for people, cut at 120 characters."""
    return " | ".join(cells)[:120].replace("\0", "\\0")


def csv_opening(path: Path, where: str, limit: int) -> Opening:
    """The first records, split by the delimiter that gives one of them the most cells."""
    lines = list(islice(TextLines(path, where), limit))
    delimiters = "\t" if path.suffix.lower() == ".tsv" else _DELIMITERS
    split = (_records(lines, delimiter) for delimiter in delimiters)
    rows = max(split, key=lambda rows: max((len(row) for row in rows), default=0))
    return Opening(None, tuple(tuple(row) for row in rows))


def _records(lines: list[str], delimiter: str) -> list[list[str]]:
    """Records of the first lines; those after a line that is no CSV are left out."""
    rows: list[list[str]] = []
    with contextlib.suppress(csv.Error):
        for row in csv.reader(lines, delimiter=delimiter):
            rows.append(row)
    return rows


def _delimiter_of_row(lines: list[str], row: int) -> str:
    """The delimiter of the headings: with title lines above, the one that gives that record the most cells."""
    if row == 0:
        return _delimiter(lines[0] if lines else "")
    found = {mark: _records(lines, mark) for mark in _DELIMITERS}
    return max(_DELIMITERS, key=lambda mark: len(found[mark][row]) if len(found[mark]) > row else 0)


def _delimiter(header: str) -> str:
    """The delimiter that occurs most in the header outside quotation marks; a comma where none does."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(_DELIMITERS, key=bare.count)
