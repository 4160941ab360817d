"""What every reader of a data source offers, and how it reports rows that cannot be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from lcbm_model.corpus.record import Record
from lcbm_model.corpus.tables import RowProblem

KEPT_PER_KIND = 50
"""Problems of one kind that are kept in full; beyond that they are only counted, so that memory stays bounded."""


@dataclass(frozen=True)
class Problem:
    """One row that was left out, or used without its picture: where, what and what to do about it."""

    file: str
    column: str
    row: int
    """Row of the data, counted from 1 (the header of a CSV file is not counted)."""
    value: Any
    problem: str
    remedy: str

    def __str__(self) -> str:
        shown = repr(self.value)
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
        return f"{self.file}: row {self.row}, column {self.column!r}: {self.problem} (got {shown}). {self.remedy}"


class Problems(list[Problem]):
    """The problems met in one file. `counts` holds all of them by kind, the list at most 50 of each."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def add(self, problem: Problem) -> None:
        """Count a problem and keep it while there is room for its kind."""
        kind = f"{problem.column}: {problem.problem}"
        self.counts[kind] += 1
        if self.counts[kind] <= KEPT_PER_KIND:
            self.append(problem)

    def add_lost(self, file: str, lost: Iterable[RowProblem]) -> None:
        """Add the rows that a table lost while it was read."""
        for bad in lost:
            self.add(Problem(file, bad.column, bad.row, bad.value, bad.problem, "Mend or drop the row"))

    def count_more(self, column: str, problem: str, n: int) -> None:
        """Count `n` further problems of a kind whose first ones were added in full."""
        self.counts[f"{column}: {problem}"] += n

    @property
    def total(self) -> int:
        """How many problems were met, kept or not."""
        return self.counts.total()


@runtime_checkable
class Reader(Protocol):
    """Turns one file of a source into records.

    `read` checks the file before it returns: a file that cannot be read, lacks columns or has a group in two splits
    raises `TableError` at once. Single bad rows are left out and told in `problems`, which is complete once the
    iterator is used up. Records come in the file's order.
    """

    name: str
    licence: str
    metrics: tuple[str, ...]
    problems: Problems

    @property
    def required(self) -> tuple[str, ...]:
        """Columns a file must have."""
        ...

    def read(self, path: Path | str, *, images: Path | str | None = None) -> Iterator[Record]:
        """Read records from `path`; pictures are looked for in the folder `images` where one is given.

        Raises:
            TableError: The file as a whole cannot serve.
        """
        ...
