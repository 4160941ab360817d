"""The common part of readers of known tables: open, check, split, measure, then yield records in slices."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from lcbm_model.content import Media
from lcbm_model.corpus.base import Problem, Problems
from lcbm_model.corpus.frames import ROW, SPLITS, Check, Kind, apply_checks, check_groups, open_frame
from lcbm_model.corpus.record import Record, Split
from lcbm_model.errors import TableError

SLICE = 4096
"""Rows turned into Python objects at a time: the frame stays columnar, so memory stays small."""


def split_of(group: str) -> Split:
    """A group's split where the file names none: 80 / 10 / 10 by its hash, the same on every machine."""
    draw = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") / 2**64
    return "train" if draw < 0.8 else "validation" if draw < 0.9 else "test"


class FrameReader(ABC):
    """A reader of one table with known columns. A source states its columns, checks, measures and records."""

    name: ClassVar[str]
    licence: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[Mapping[str, Kind]]
    optional: ClassVar[tuple[str, ...]] = ()
    signed: ClassVar[tuple[str, ...]] = ()
    group: ClassVar[str] = ROW
    """Column that is never cut by a split; by default each row stands alone."""
    images_folder: ClassVar[str | None] = None
    """Folder of pictures that the source comes with, looked for beside the file by `corpus build`."""

    def __init__(self) -> None:
        self.problems = Problems()

    @property
    def required(self) -> tuple[str, ...]:
        """Columns a file must have; a missing `split` column is made from the group's hash."""
        return tuple(c for c in self.columns if c not in self.optional)

    def read(self, path: Path | str, *, images: Path | str | None = None) -> Iterator[Record]:
        """Check the file, then yield its records in order (see `Reader.read`).

        Raises:
            TableError: The file cannot serve, or `images` is no folder.
        """
        path, folder = Path(path), Path(images) if images is not None else None
        if folder is not None and not folder.is_dir():
            raise TableError("images", "no such folder", value=str(folder), remedy="Give the folder of pictures")
        self.problems = Problems()
        columns: dict[str, Kind] = {**self.columns, "split": "text"}
        frame = open_frame(path, columns, (*self.optional, "split"), self.problems)
        frame = apply_checks(frame, [*self._filled(), *self.checks()], path, self.problems)
        frame = self._split(frame, path)
        if frame.height == 0:
            first = f": first, {self.problems[0]}" if self.problems else ""
            raise TableError(f"{path.name}: rows", f"no usable row{first}", remedy="Mend the rows named")
        check_groups(frame, self.group, path)
        return self._records(self.measure(frame), path, folder)

    @abstractmethod
    def checks(self) -> Sequence[Check]:
        """What makes a row unusable."""

    @abstractmethod
    def measure(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Add percentiles and reliabilities as columns."""

    @abstractmethod
    def record(self, row: Mapping[str, Any], media: tuple[Media, ...]) -> Record | None:
        """One checked and measured row as a record; None leaves it out (tell why in `problems`)."""

    def picture_name(self, row: Mapping[str, Any]) -> str | None:
        """File name of a row's picture inside the folder of pictures, for sources that have them."""
        return None

    def row_id(self, row: Mapping[str, Any]) -> str:
        """Identifier of a row: the source and the row's number in its file."""
        return f"{self.name}-{row[ROW]}"

    def _filled(self) -> list[Check]:
        """Required values must be there; measured ones must be finite and not negative."""
        found = []
        for column, kind in self.columns.items():
            value = pl.col(column)
            if column not in self.optional:
                found.append(Check(column, value.is_null(), "is missing", "Fill the value in or drop the row"))
            if kind == "float":
                found.append(Check(column, value.is_finite().not_(), "is no finite number", "Give a finite number"))
            if kind in ("int", "float") and column not in self.signed:
                found.append(Check(column, value < 0, "is negative", "Give zero or more"))
        return found

    def _split(self, frame: pl.DataFrame, path: Path) -> pl.DataFrame:
        if frame["split"].is_null().all():
            made = pl.col(self.group).cast(pl.String).map_elements(split_of, return_dtype=pl.String)
            return frame.with_columns(made.alias("split"))
        unknown = pl.col("split").is_in(SPLITS).not_() | pl.col("split").is_null()
        check = Check("split", unknown, "is no split", f"Use one of {', '.join(SPLITS)}")
        return apply_checks(frame, [check], path, self.problems)

    def _records(self, frame: pl.DataFrame, path: Path, folder: Path | None) -> Iterator[Record]:
        pictures = {p.name for p in folder.iterdir()} if folder is not None else set()
        for part in frame.iter_slices(SLICE):
            for row in part.iter_rows(named=True):
                media = self._media(row, path, folder, pictures)
                record = self.record(row, media)
                if record is not None:
                    yield record

    def _media(self, row: Mapping[str, Any], path: Path, folder: Path | None, there: set[str]) -> tuple[Media, ...]:
        name = self.picture_name(row)
        if folder is None or name is None:
            return ()
        if name not in there:
            remedy = f"Put {name!r} into the folder; the row is used without its picture"
            self.problems.add(Problem(path.name, "picture", row[ROW], name, "picture not found", remedy))
            return ()
        return (Media(path=folder / name),)


def rank_within(frame: pl.DataFrame, value: str, group: str, into: str) -> pl.DataFrame:
    """Add mid-rank percentiles 0..100 of `value` inside `group` as column `into`.

    A group whose values are all equal has no ranks (null): that all of them stand in the middle is nothing observed.
    """
    rank = 100 * (pl.col(value).rank("average") - 0.5) / pl.len()
    apart = pl.col(value).min() < pl.col(value).max()
    return frame.with_columns(pl.when(apart.over(group)).then(rank.over(group)).alias(into))
