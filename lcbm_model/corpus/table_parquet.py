"""Parquet into columns of their own types."""

from __future__ import annotations

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
    try:
        frame = pl.read_parquet(path, glob=False)
    # Polars panics on some damaged pages, and its panic is no `Exception`.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise TableError(where, f"is no whole Parquet file: {reason}", remedy="Export or copy it again") from error
    frame = frame.with_columns(cs.categorical().cast(pl.String), cs.enum().cast(pl.String))
    frame.columns = check_header(frame.columns, where)
    return _without_nuls(path, frame)


def _without_nuls(path: Path, frame: pl.DataFrame) -> Table:
    """Leaves out rows with an embedded NUL, as the text formats do."""
    problems: list[RowProblem] = []
    bad = np.zeros(frame.height, dtype=bool)
    for name in frame.select(cs.string()).columns:
        holds = frame[name].str.contains("\0", literal=True).fill_null(False).to_numpy()
        for i in np.flatnonzero(holds & ~bad).tolist():
            shown = str(frame[name][i])[:120].replace("\0", "\\0")
            problems.append(RowProblem(i + 1, name, shown, "holds a NUL character"))
        bad |= holds
    if not bad.any():
        return Table(path, frame, range(1, frame.height + 1))
    rows = (np.flatnonzero(~bad) + 1).tolist()
    return Table(path, frame.filter(~bad), rows, tuple(sorted(problems, key=lambda p: p.row)))
