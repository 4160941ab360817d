"""Excel and OpenDocument sheets into raw string columns.

Read by fastexcel (calamine): formulas are never run, their last stored result is read; no entity of the XML is
expanded; the binary `.xls` that some exports still use is read as well.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from lcbm_model.corpus.table_parquet import without_nuls
from lcbm_model.corpus.tables import Opening, Table, check_header
from lcbm_model.errors import TableError

MAX_UNPACKED = 2**30
"""Bytes of a workbook once unpacked. A table of posts is smaller; a zip bomb is not."""
_SHEETS = 20
"""Sheets looked at for the posts."""


def read_excel(path: Path, where: str, skipped: int = 0, sheet: str | None = None) -> Table:
    """Read one sheet, every cell as text: 1234 as "1234", a day as "2024-03-05 00:00:00", an error cell as empty.

    Args:
        skipped: Rows above the headings.
        sheet: By default the first that has any cells.

    Raises:
        TableError: Damaged, locked by a password, too large once unpacked, no such sheet, or no headings.
    """
    with _whole(path, where) as book:
        name = _sheet(book, where, sheet)
        cells = _cells(book, name)
    if cells.height <= skipped:
        raise TableError(f"{where}, sheet {name!r}", "has no headings", remedy="The first row must name the columns")
    header = [str(cell or "") for cell in cells.row(skipped)]
    used = max((i for i, name in enumerate(header) if name.strip()), default=-1) + 1
    if used == 0:
        where = f"{where}, sheet {name!r}, row {skipped + 1}"
        raise TableError(where, "has an empty header", remedy="The first row must name the columns")
    beyond = [c for c in cells.columns[used:] if cells[c].slice(skipped + 1).is_not_null().any()]
    kept = cells.columns[:used] + beyond
    headings = check_header([*header[:used], *("" for _ in beyond)], f"{where}, sheet {name!r}, row {skipped + 1}")
    frame = cells.slice(skipped + 1).select(kept)
    frame.columns = headings
    filled = frame.select(pl.any_horizontal(pl.all().str.strip_chars() != "").fill_null(False)).to_series()
    rows = (filled.arg_true() + 1).to_list()  # blank rows count, as the sheet shows them
    notes = (f"read sheet {name!r}, one of {len(book.sheet_names)}",) if len(book.sheet_names) > 1 else ()
    return without_nuls(path, frame.filter(filled), rows, notes)


def excel_openings(path: Path, where: str, limit: int) -> list[Opening]:
    """The first rows of each sheet that has any."""
    found = []
    with _whole(path, where) as book:
        for name in book.sheet_names[:_SHEETS]:
            cells = _cells(book, name, limit)
            if cells.height:
                found.append(Opening(name, tuple(tuple(str(c or "") for c in row) for row in cells.iter_rows())))
    return found


def _sheet(book: Any, where: str, sheet: str | None) -> str:
    if sheet is None:
        filled = next((name for name in book.sheet_names if _cells(book, name, 1).height), None)
        if filled is None:
            raise TableError(where, "has no sheet with cells", remedy="Export it again, with a header and rows")
        return filled
    if sheet not in book.sheet_names:
        remedy = f"Sheets there: {', '.join(repr(name) for name in book.sheet_names)}"
        raise TableError(where, "has no such sheet", value=sheet, remedy=remedy)
    return sheet


def _cells(book: Any, name: str, limit: int | None = None) -> pl.DataFrame:
    # skip_rows=0 keeps blank rows at the top, so that row numbers stay those of the sheet.
    sheet = book.load_sheet(name, header_row=None, skip_rows=0, n_rows=limit, dtypes="string")
    return sheet.to_polars()


@contextmanager
def _whole(path: Path, where: str) -> Iterator[Any]:
    import fastexcel

    _check_size(path, where)
    try:
        yield fastexcel.read_excel(str(path))
    except TableError:
        raise
    except BaseException as error:
        # The reader panics on some damaged files: an exception of its own, which is no `Exception` and not exported.
        if not isinstance(error, (fastexcel.FastExcelError, pl.exceptions.PolarsError)) and not _is_panic(error):
            raise
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        remedy = "Open it in a spreadsheet program and save it anew, without a password, or as CSV"
        raise TableError(where, f"is no readable spreadsheet: {reason}", remedy=remedy) from error


def _is_panic(error: BaseException) -> bool:
    return type(error).__name__ == "PanicException"


def _check_size(path: Path, where: str) -> None:
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as packed:
                size = sum(part.file_size for part in packed.infolist())
        except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError):
            return  # the reader names what is wrong with it
    if size > MAX_UNPACKED:
        remedy = "Save the sheet of posts as CSV"
        raise TableError(where, f"is larger than {MAX_UNPACKED // 2**20} MiB once unpacked", value=size, remedy=remedy)
