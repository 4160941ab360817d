"""Metric columns of a table: found by name, made of count and exposure where need be, checked cell by cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from agents.library.fields import unmapped
from lcbm_model.corpus.figures import read_figures
from lcbm_model.corpus.rates import contradicted
from lcbm_model.corpus.tables import Numbers, Table
from lcbm_model.errors import TableError
from lcbm_model.metrics import Metric, get_metric, metric_names

Reject = Callable[[int, str, str], None]
"""Called with a row's index, the column's heading and the problem."""

EXPOSURE = "exposure"
EXPOSURES = (EXPOSURE, "impressions", "sends", "views", "votes")
"""Columns that say how many people had the chance, by preference."""


@dataclass(frozen=True)
class Measure:
    """One metric of all rows. Both arrays are (N,) float64, NaN where unknown."""

    metric: Metric
    values: np.ndarray
    exposures: np.ndarray


class Measures:
    """Finds and reads the metric columns of a table. `found` holds them, the main one first."""

    def __init__(self, table: Table, columns: Mapping[str, str], metric: str | Metric | None, reject: Reject) -> None:
        """Read all known metrics.

        Args:
            columns: Our names to the file's headings, where they differ.
            metric: The main metric; the first one found by default.

        Raises:
            MetricError: Nobody defined `metric`.
            TableError: The file does not have it, or has no known metric at all.
        """
        self._table, self._columns, self._reject = table, columns, reject
        self._read: dict[str, Numbers | None] = {}
        self.names_read: dict[str, None] = {}
        self.notes: list[str] = []
        self._left_out: list[str] = []
        main = get_metric(metric) if metric is not None else None
        self._strict: set[str] = set()
        if main is not None:
            parts = (main.name, main.count_column, main.exposure_column)
            self._strict = {h for part in parts if part and (h := self.heading(part))}
        others = [get_metric(name) for name in metric_names() if main is None or name != main.name]
        measures = [self._measure(m, strict=m is main) for m in ([main] if main else []) + others]
        self.found = [m for m in measures if m is not None]
        if main is not None and (not self.found or self.found[0].metric is not main):
            raise self._absent(main)
        if not self.found:
            problem = "has no column of a known metric" + "".join(f"; {why}" for why in self._left_out)
            remedy = f"Name a column after one of: {', '.join(metric_names())}; or map it: --map 'HEADING=shares'"
            raise TableError(str(table.path), problem, remedy=remedy)

    def heading(self, name: str) -> str | None:
        """The file's heading for our name of a column."""
        return self._columns.get(name) or self._table.find(name)

    def exposure(self) -> np.ndarray:
        """(N,) people reached by each post: the main metric's exposure, else the first known of `EXPOSURES`."""
        filled = self.found[0].exposures.copy()
        for name in EXPOSURES:
            filled = np.where(np.isnan(filled), self._numbers(name), filled)
        return filled

    def _measure(self, metric: Metric, *, strict: bool) -> Measure | None:
        own, count, shown = (self.heading(n) if n else None for n in self._names(metric))
        if own is None and not (metric.kind == "rate" and count and shown):
            return None
        values = self._numbers(metric.name, metric)
        exposures = self._numbers(metric.exposure_column) if shown else self._numbers(EXPOSURE)
        if metric.kind == "rate" and count and shown:
            made = self._ratio(metric, self._numbers(metric.count_column), exposures, strict)
            self._note_contradictions(metric, values, made)
            values = np.where(np.isnan(values), made, values)
        if not strict and np.isnan(values).all():
            return None
        return Measure(metric, values, exposures)

    def _note_contradictions(self, metric: Metric, stated: np.ndarray, counted: np.ndarray) -> None:
        """A rate is taken as stated; who counts otherwise is told."""
        rows = np.flatnonzero(contradicted(stated, counted))
        if len(rows):
            first = int(rows[0])
            both = f"row {self._table.rows[first]}: {stated[first]:.4g} and {counted[first]:.4g}"
            self.notes.append(
                f"{len(rows)} rows state another {metric.title} than {metric.count_column} over "
                f"{metric.exposure_column} make ({both}): the stated one is used"
            )

    @staticmethod
    def _names(metric: Metric) -> tuple[str, str | None, str | None]:
        return metric.name, metric.count_column, metric.exposure_column

    def _ratio(self, metric: Metric, counts: np.ndarray, exposures: np.ndarray, strict: bool) -> np.ndarray:
        """Counts over exposures; nobody reached is no result. (N,)"""
        over = counts > exposures
        if strict:
            for i in np.flatnonzero(over):
                problem = f"is more than {metric.exposure_column} ({exposures[i]:g})"
                self._reject(int(i), self.heading(metric.count_column or "") or "", problem)
        elif over.any():
            self.notes.append(
                f"{int(over.sum())} rows have more {metric.count_column} than {metric.exposure_column}: "
                f"no {metric.name} there"
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(over | (exposures <= 0), np.nan, counts / exposures)

    def _numbers(self, name: str | None, metric: Metric | None = None) -> np.ndarray:
        """(N,) checked values of a column; NaN throughout where there is none or where it is of another kind."""
        heading = self.heading(name) if name else None
        if heading is None or name is None:
            return np.full(self._table.frame.height, np.nan)
        if heading not in self._read:
            self._read[heading] = self._checked(heading, metric or _known(name))
        numbers = self._read[heading]
        if numbers is not None:
            self.names_read[name] = None
        return np.full(self._table.frame.height, np.nan) if numbers is None else numbers.values

    def _checked(self, heading: str, metric: Metric | None) -> Numbers | None:
        found = read_figures(self._table.frame[heading], metric.kind if metric else "count")
        self.notes += found.notes
        if found.unclear and heading in self._strict:
            remedy = "Write 0.034 or 3.4 % throughout, or leave the column out where counts are there"
            raise TableError(f"{self._table.path}: column {heading!r}", found.unclear, remedy=remedy)
        numbers = found.numbers
        problems = numbers.problems | _out_of_range(numbers.values, metric)
        filled = numbers.present + len(numbers.problems)
        if heading not in self._strict and 2 * len(problems) > filled:
            first = min(problems)
            shown = str(self._table.frame[heading][first])[:40]
            why = f"column {heading!r} is left out: most of it is no such number ({shown!r} {problems[first]})"
            self._left_out.append(why)
            self.notes.append(why)
            return None
        for i, problem in problems.items():
            self._reject(i, heading, problem)
        return Numbers(np.where(np.isin(np.arange(len(numbers.values)), list(problems)), np.nan, numbers.values))

    def _absent(self, metric: Metric) -> TableError:
        error = unmapped(str(self._table.path), metric.name, self._table.frame.columns)
        parts = [p for p in (metric.count_column, metric.exposure_column) if p and metric.kind == "rate"]
        made = f". It can also be made of {' and '.join(repr(p) for p in parts)}" if len(parts) == 2 else ""
        return TableError(error.where, error.problem, remedy=error.remedy + made)


def _known(name: str) -> Metric | None:
    return get_metric(name) if name in metric_names() else None


def _out_of_range(values: np.ndarray, metric: Metric | None) -> dict[int, str]:
    """Index to problem for values that cannot be: a rate beyond 0..1, a negative count or exposure."""
    if metric is not None and metric.kind == "rate":
        bad = np.flatnonzero((values < 0) | (values > 1))
        return dict.fromkeys(bad.tolist(), "is no rate; write 0.034 or 3.4 %")
    if metric is not None and (metric.kind == "rating" or metric.signed):
        return {}
    return dict.fromkeys(np.flatnonzero(values < 0).tolist(), "is negative")


def measure_columns(measures: list[Measure]) -> dict[str, pl.Series]:
    """Frame columns `value.NAME` and `exposure.NAME`, null where unknown."""
    columns: dict[str, pl.Series] = {}
    for m in measures:
        columns[f"value.{m.metric.name}"] = pl.Series(m.values).fill_nan(None)
        columns[f"exposure.{m.metric.name}"] = pl.Series(m.exposures).fill_nan(None)
    return columns
