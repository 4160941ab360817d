"""Files of known columns as typed frames: opened, cast and checked, with each bad row named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import polars as pl

from lcbm_model.corpus.base import KEPT_PER_KIND, Problem, Problems
from lcbm_model.corpus.numbers import parse_numbers
from lcbm_model.corpus.record import Split
from lcbm_model.corpus.tables import read_table
from lcbm_model.errors import TableError

ROW = "_row"
"""Added to every frame: the row's number in its file, counted from 1."""

Kind = Literal["text", "int", "float", "bool"]
_TYPES: dict[Kind, Any] = {"text": pl.String, "int": pl.Int64, "float": pl.Float64, "bool": pl.Boolean}
SPLITS: tuple[str, ...] = get_args(Split)


@dataclass(frozen=True)
class Check:
    """Rows where `bad` holds are left out."""

    column: str
    bad: pl.Expr
    problem: str
    remedy: str


def open_frame(
    path: Path | str, columns: Mapping[str, Kind], optional: Sequence[str], problems: Problems
) -> pl.DataFrame:
    """Read the named columns of a Parquet, CSV or JSONL file, cast to their kinds; rows that do not cast are left out.

    Args:
        columns: Column name to kind. Those in `optional` are added as nulls where the file lacks them.

    Raises:
        TableError: No such file, not readable as its kind, a column missing, or no rows.
    """
    path = Path(path)
    table = read_table(path, required=[c for c in columns if c not in optional], where=path.name)
    problems.add_lost(path.name, table.problems)
    headings = {name: table.find(name) for name in columns}
    frame = table.frame.select(
        pl.Series(ROW, table.rows, dtype=pl.Int64),
        *(pl.col(h).alias(name) if h else pl.lit(None).alias(name) for name, h in headings.items()),
    )
    return _cast(frame, columns, path, problems)


def apply_checks(frame: pl.DataFrame, checks: Sequence[Check], path: Path, problems: Problems) -> pl.DataFrame:
    """Leave out the rows that fail a check, each named in `problems`; a row is told once, for its first failure."""
    for check in checks:
        bad = frame.filter(check.bad)
        if bad.height:
            _note(bad, check.column, check.problem, check.remedy, path, problems)
            frame = frame.filter(check.bad.not_().fill_null(True))
    return frame


def check_groups(frame: pl.DataFrame, group: str, path: Path) -> None:
    """Refuse a file in which one group lies in two splits.

    Raises:
        TableError: Names the first such group and one of its rows.
    """
    if group == ROW:
        return
    cut = (
        frame.group_by(group, maintain_order=True)
        .agg(pl.col("split").unique(maintain_order=True), pl.col(ROW).max())
        .filter(pl.col("split").list.len() > 1)
    )
    if cut.height:
        first = cut.row(0, named=True)
        raise TableError(
            f"{path.name}: row {first[ROW]}, column 'split'",
            f"{group} {first[group]!r} lies in {' and '.join(first['split'])} ({cut.height} such groups)",
            remedy=f"Give all rows of one {group} the same split, or leave the column out to have it made",
        )


def _cast(frame: pl.DataFrame, columns: Mapping[str, Kind], path: Path, problems: Problems) -> pl.DataFrame:
    for name, kind in columns.items():
        old = frame[name]
        if old.dtype == _TYPES[kind]:
            continue
        new = _cast_one(old, kind)
        failed = new.is_null() & old.is_not_null()
        if failed.any():
            _note(frame.filter(failed), name, f"is no {kind}", "Mend the value", path, problems)
        frame = frame.with_columns(new.alias(name)).filter(~failed)
    return frame


def _cast_one(column: pl.Series, kind: Kind) -> pl.Series:
    if kind == "bool":
        return _to_bool(column)
    if kind in ("int", "float") and column.dtype == pl.String:
        column = column.replace("", None)
        column = pl.Series(parse_numbers(column).values, nan_to_null=True)
    if kind == "int" and column.dtype.is_float():
        column = column.set(column.round(0) != column, None)
    return column.cast(_TYPES[kind], strict=False)


def _to_bool(column: pl.Series) -> pl.Series:
    """Text such as "true" or "0" as truth values; polars itself does not read them."""
    if column.dtype != pl.String:
        return column.cast(pl.Boolean, strict=False)
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    return column.str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.Boolean)


def _note(bad: pl.DataFrame, column: str, problem: str, remedy: str, path: Path, problems: Problems) -> None:
    shown = bad.head(KEPT_PER_KIND)
    values = shown[column] if column in shown.columns else shown[ROW]
    for row, value in zip(shown[ROW], values, strict=True):
        problems.add(Problem(path.name, column, row, value, problem, remedy))
    problems.count_more(column, problem, bad.height - shown.height)
