"""Parquet into columns of their own types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import polars.selectors as cs

from lcbm_model.corpus.tables import RowProblem, Table, check_header
from lcbm_model.errors import TableError


def read_parquet(path: Path, where: str) -> Table:
    """Read a Parquet file; categories become strings.

    Raises:
        TableError: Damaged, cut off, or no Parquet.
    """
    with _whole(where):
        frame = pl.read_parquet(path, glob=False)
    frame = frame.with_columns(cs.categorical().cast(pl.String), cs.enum().cast(pl.String))
    frame.columns = check_header(frame.columns, where)
    return without_nuls(path, frame, range(1, frame.height + 1))


def parquet_headings(path: Path, where: str) -> tuple[str, ...]:
    """Names of the columns, read from the file's foot alone."""
    with _whole(where):
        return tuple(pl.read_parquet_schema(path))


@contextmanager
def _whole(where: str) -> Iterator[None]:
    try:
        yield
    # Polars panics on some damaged pages, and its panic is no `Exception`.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise TableError(where, f"is no whole Parquet file: {reason}", remedy="Export or copy it again") from error


def without_nuls(path: Path, frame: pl.DataFrame, rows: Sequence[int], notes: tuple[str, ...] = ()) -> Table:
    """A table without the rows that hold an embedded NUL, as the text formats leave them out.

    Args:
        rows: Number of each row in the file.
    """
    problems: list[RowProblem] = []
    bad = np.zeros(frame.height, dtype=bool)
    for name in frame.select(cs.string()).columns:
        holds = frame[name].str.contains("\0", literal=True).fill_null(False).to_numpy()
        for i in np.flatnonzero(holds & ~bad).tolist():
            shown = str(frame[name][i])[:120].replace("\0", "\\0")
            problems.append(RowProblem(rows[i], name, shown, "holds a NUL character"))
        bad |= holds
    if bad.any():
        frame, rows = frame.filter(~bad), np.asarray(rows)[~bad].tolist()
    return Table(path, frame, rows, tuple(sorted(problems, key=lambda p: p.row)), notes)
