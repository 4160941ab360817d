"""CSV and TSV into raw string columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import polars as pl

from lcbm_model.corpus.tables import RowProblem, Table, check_header
from lcbm_model.corpus.textlines import TextLines
from lcbm_model.errors import TableError

_BATCH = 50_000
"""Rows held as Python lists before they move into a frame: bounds memory on large files."""


def read_csv(path: Path, where: str) -> Table:
    """Read a CSV whose delimiter is a comma, semicolon, tab or bar, told from its header.

    Raises:
        TableError: No header, an unclosed quotation mark, or text in no known encoding.
    """
    source = TextLines(path, where)
    lines = iter(source)
    first = next(lines, "")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter(first)
    # `csv` and not the polars reader: that one pads short rows in silence and cannot name a bad row.
    reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise TableError(f"{where}, line 1", f"has a header that is no CSV: {error}") from error
    if not any(h.strip() for h in header):
        raise TableError(f"{where}, line 1", "has an empty header", remedy="The first line must name the columns")
    names = check_header(header, f"{where}, line 1")
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
            problems.append(RowProblem(number, "", "", f"is no CSV: {error}"))
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


def _delimiter(header: str) -> str:
    """The delimiter that occurs most in the header outside quotation marks; a comma where none does."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(",;\t|", key=bare.count)
