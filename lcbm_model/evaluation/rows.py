"""From a file to the rows of one split (and of the train split, for baselines that learn)."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np

from lcbm_model.corpus.base import Problems
from lcbm_model.corpus.record import Record, Split
from lcbm_model.corpus.registry import get_reader
from lcbm_model.corpus.tables import Table, read_table
from lcbm_model.errors import SettingsError, TableError
from lcbm_model.evaluation.metrics import members
from lcbm_model.evaluation.suites.base import Suite

SEED = 0
ROWS_TO_RANK = 20
"""A limit drops contexts before it thins one below this: a shorter ranking is mostly noise."""


@dataclass(frozen=True)
class Loaded:
    """What a file gave."""

    rows: list[Record]
    train: list[Record]
    """Empty where the file holds no train rows, or where they are the rows being evaluated."""
    problems: Problems


def load_rows(suite: Suite, file: Path, split: str, *, images: Path | None = None, limit: int | None = None) -> Loaded:
    """The usable rows of `split`, cut to about `limit`, and the usable train rows.

    Raises:
        TableError: The file cannot serve, or the split has no usable row.
        SettingsError: A limit below one.
    """
    if limit is not None and limit < 1:
        raise SettingsError("--limit", "must be at least 1", value=limit, remedy="Leave it out to evaluate every row")
    reader = get_reader(suite.reader)
    known = get_args(Split)
    with tempfile.TemporaryDirectory() as folder:
        # A file may name its splits as it likes; readers know three.
        part = None if split in known else _renamed(file, split, Path(folder))
        path = file if part is None else part.copy
        wanted = split if split in known else "test"
        rows: list[Record] = []
        train: list[Record] = []
        if part is not None and images is None and getattr(reader, "pictures_beside", False):
            images = file.parent  # not beside the copy
        for record in reader.read(path, images=images):
            if record.split in (wanted, "train") and suite.usable(record):
                (rows if record.split == wanted else train).append(record)
    if not rows:
        raise TableError(
            file.name, "the split has no usable row", value=split, remedy=f"Use a split the file has: {_splits(file)}"
        )
    problems = reader.problems if part is None else part.told(reader.problems)
    return Loaded(limit_rows(rows, limit, suite) if limit else rows, train, problems)


def limit_rows(rows: Sequence[Record], limit: int, suite: Suite) -> list[Record]:
    """At most about `limit` rows, drawn with a fixed seed, in the file's order.

    Randomised comparisons are kept whole (at least one stays). A ranking is thinned evenly over its contexts, since a
    sample of rows ranks as the whole does, while a few whole contexts would leave no interval.
    """
    if len(rows) <= limit:
        return list(rows)
    rng = np.random.default_rng(SEED)
    unit = np.asarray([(r.arms if suite.kept_whole == "comparison" else r.context) or r.id for r in rows])
    groups = list(members(unit))
    order = [groups[i] for i in rng.permutation(len(groups))]
    kept: list[int] = []
    if suite.kept_whole == "comparison":
        for group in order:
            if kept and len(kept) + len(group) > limit:
                break
            kept += group.tolist()
    else:
        order = order[: max(1, limit // ROWS_TO_RANK)]
        share = _even_share([len(g) for g in order], limit)
        for group in order:
            kept += rng.permutation(group)[:share].tolist()
    return [rows[i] for i in sorted(kept)]


def _even_share(sizes: Sequence[int], limit: int) -> int:
    """Largest share such that groups cut to it hold at most `limit` rows together (at least 1)."""
    share = 1
    for candidate in range(1, max(sizes) + 1):
        if sum(min(size, candidate) for size in sizes) > limit:
            break
        share = candidate
    return share


def _names(table: Table) -> list[str]:
    """The splits that a table names, sorted; empty without a column of them."""
    heading = table.find("split")
    return [] if heading is None else sorted({str(name) for name in table.frame[heading].drop_nulls().unique()})


def _splits(file: Path) -> str:
    return ", ".join(_names(read_table(file))) or "train, validation, test"


@dataclass(frozen=True)
class _Part:
    """Rows of a file in a copy of their own."""

    table: Table
    rows: Sequence[int]
    """Row of the file of each row of the copy."""
    copy: Path

    def told(self, problems: Problems) -> Problems:
        """The problems of the copy as those of the file, behind the rows that the file itself lost."""
        name, found = self.table.path.name, Problems()
        found.add_lost(name, self.table.problems)
        found += [replace(problem, file=name, row=self.rows[problem.row - 1]) for problem in problems]
        found.counts.update(problems.counts)
        return found


def _renamed(file: Path, split: str, folder: Path) -> _Part:
    """The rows in which `split` is called test, and those of `train`; all others are left out."""
    import polars as pl

    table = read_table(file)
    names = _names(table)
    if split not in names:
        remedy = (
            f"Use one of: {', '.join(names)}"
            if names
            else "The file has no column 'split': use train, validation or test"
        )
        raise TableError(file.name, "no such split", value=split, remedy=remedy)
    heading = table.find("split")
    assert heading is not None
    named = table.frame.with_columns(pl.col(heading).cast(pl.String))
    copy = folder / f"{file.stem}.parquet"
    chosen = named[heading].is_in([split, "train"]).fill_null(False)
    named.filter(chosen).with_columns(pl.col(heading).replace({split: "test"})).write_parquet(copy)
    return _Part(table, [table.rows[i] for i in chosen.arg_true()], copy)
