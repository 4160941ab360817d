"""A team's own past posts: CSV, JSONL or Parquet with a text column and the metrics they keep."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from lcbm_model.behavior import Observation
from lcbm_model.content import Communicator, Content, Media
from lcbm_model.corpus.base import Problem, Problems
from lcbm_model.corpus.figures import read_figures
from lcbm_model.corpus.frame_reader import split_of
from lcbm_model.corpus.frames import SPLITS
from lcbm_model.corpus.localised import Kind
from lcbm_model.corpus.record import Record
from lcbm_model.corpus.shrinkage import COUNT_RELIABILITY, Array, fit_beta_prior, percentiles, shrink_rates
from lcbm_model.corpus.tables import Table, read_table
from lcbm_model.errors import MetricError, TableError
from lcbm_model.metrics import Metric, get_metric, metric_names

_WORDS = (
    "channel", "title", "topic", "format", "brand", "audience", "date", "image", "id", "split", "context", "group",
    "test",
)  # fmt: skip


@dataclass
class _Measured:
    """One metric of the table. Arrays are (N,); NaN where a row has no value."""

    metric: Metric
    values: Array
    counts: Array
    exposures: Array
    ranks: Array
    reliabilities: Array


class TableReader:
    """Posts of one team.

    Columns: `text`; any of `channel`, `title`, `topic`, `format`, `brand`, `audience`, `date`, `image`, `id`, `split`,
    `context` (whose rows are comparable; the channel by default), `group` (never split; by default the arms of one
    test, else rows of equal text) and `test` (arms of one randomised test). Metrics: a column named like a known
    metric, or the two columns a rate is made of (`clicks` and `impressions` for `click_rate`). Rates with counts are
    shrunk by a beta prior fitted to them inside each context.
    """

    name = "table"
    licence = "the team's own"

    pictures_beside = True
    """Without a folder of pictures, they are looked for where the file lies."""

    def __init__(self, metrics: Sequence[str] = ()) -> None:
        self.problems = Problems()
        self.metrics = tuple(metrics)

    @property
    def required(self) -> tuple[str, ...]:
        """Only the text; a metric is needed too, whichever."""
        return ("text",)

    def read(self, path: Path | str, *, images: Path | str | None = None) -> Iterator[Record]:
        """Read posts; pictures are looked for in `images`, else beside the file (see `Reader.read`).

        Raises:
            TableError: The file cannot serve, or a group lies in two splits.
            MetricError: No metric in it, or not one that was asked for by name.
        """
        path, self.problems = Path(path), Problems()
        table = read_table(path, required=["text"], where=path.name)
        self.problems.add_lost(path.name, table.problems)
        columns = self._columns(table)
        keep = self._usable(table, columns)
        measured = self._metrics(table, keep)
        for m in measured:
            self._rank(m, columns["context"], keep)
        if not keep.any():
            first = f": first, {self.problems[0]}" if self.problems else ""
            raise TableError(f"{path.name}: rows", f"no usable row{first}", remedy="Mend the rows named")
        self._check_groups(table, columns, keep)
        return self._records(table, columns, keep, measured, Path(images) if images is not None else path.parent)

    def set_apart(self, record: Record, name: str) -> Record:
        """A record of a further table of the same corpus: what its file named by itself begins with `name`.

        Two tables may both have a test 1 and a group A. Equal text stays one group, so that reposts are found.
        """
        own = {"id": f"{name}/{record.id}", "context": f"{name}/{record.context}"}
        if record.group != f"{self.name}:{_said(record.content.text)}":
            own["group"] = f"{name}/{record.group}"
        if record.arms is not None:
            own["arms"] = f"{name}/{record.arms}"
        return record.model_copy(update=own)

    def _columns(self, table: Table) -> dict[str, list[str | None]]:
        """The describing columns as text, with defaults for what the file does not say."""
        n = table.frame.height
        found: dict[str, list[str | None]] = {"text": _texts(table, "text") or []}
        for name in _WORDS:
            found[name] = _texts(table, name) or [None] * n
        found["channel"] = [c or "post" for c in found["channel"]]
        found["context"] = [c or channel for c, channel in zip(found["context"], found["channel"], strict=True)]
        named = zip(found["group"], found["test"], found["text"], strict=True)
        found["group"] = [g or (f"test {test}" if test else _said(text)) for g, test, text in named]
        if not any(found["split"]):
            found["split"] = [split_of(str(g)) for g in found["group"]]
        return found

    def _usable(self, table: Table, columns: dict[str, list[str | None]]) -> np.ndarray:
        keep = np.ones(table.frame.height, dtype=bool)
        seen: set[str] = set()
        for i, text in enumerate(columns["text"]):
            name, split = columns["id"][i], columns["split"][i]
            if not (text or "").strip():
                self._leave_out(table, keep, i, "text", text, "is empty", "Give the text or drop the row")
            elif name is not None and name in seen:
                self._leave_out(table, keep, i, "id", name, "is there twice", "Give each row its own id")
            elif split not in SPLITS:
                self._leave_out(table, keep, i, "split", split, "is no split", f"Use one of {', '.join(SPLITS)}")
            seen.add(name or "")
        return keep

    def _leave_out(
        self, table: Table, keep: np.ndarray, i: int, column: str, value: Any, problem: str, remedy: str
    ) -> None:
        keep[i] = False
        self.problems.add(Problem(table.path.name, column, table.rows[i], value, problem, remedy))

    def _metrics(self, table: Table, keep: np.ndarray) -> list[_Measured]:
        for name in self.metrics:
            if not self._has(table, get_metric(name)):
                raise MetricError(
                    f"{table.path.name}: columns",
                    "has not the metric asked for",
                    value=name,
                    remedy=f"Add {_wanted(get_metric(name))}",
                )
        names = self.metrics or tuple(n for n in metric_names() if n != "replay" and self._has(table, get_metric(n)))
        if not names:
            raise MetricError(
                f"{table.path.name}: columns",
                "hold no metric",
                value=table.frame.columns,
                remedy=f"Add one of {', '.join(metric_names())}, or what a rate is made of: clicks and impressions",
            )
        self.metrics = names
        return [self._measure(table, keep, get_metric(n)) for n in names]

    def _has(self, table: Table, metric: Metric) -> bool:
        made_of = metric.kind == "rate" and metric.count_column and metric.exposure_column
        return table.find(metric.name) is not None or bool(
            made_of and table.find(metric.count_column or "") and table.find(metric.exposure_column or "")
        )

    def _measure(self, table: Table, keep: np.ndarray, metric: Metric) -> _Measured:
        """Read a metric's numbers; rows with impossible ones are left out of the whole table."""
        n = table.frame.height
        counts = self._numbers(table, keep, metric.count_column)
        exposures = self._numbers(table, keep, metric.exposure_column)
        signed = metric.signed or metric.kind == "rating"
        values = self._numbers(table, keep, metric.name, kind=metric.kind, signed=signed)
        if metric.kind == "count":
            counts = np.where(values < 0, np.nan, values)  # votes up less votes down count nobody
        if metric.kind == "rate":
            with np.errstate(divide="ignore", invalid="ignore"):
                made = np.where(exposures > 0, counts / exposures, np.nan)
            values = np.where(np.isfinite(made), made, values)
            column = metric.count_column if table.find(metric.count_column or "") else metric.name
            remedy = f"{metric.title} lies in 0..1: check {column!r} and {metric.exposure_column!r}"
            problem = "is above one" if column == metric.name else f"is above {metric.exposure_column}"
            shown = values if column == metric.name else counts
            # Five clicks of no impressions are no rate above one, and as impossible.
            for i in np.flatnonzero(((values > 1) | (counts > exposures)) & keep).tolist():
                self._leave_out(table, keep, i, str(column), float(shown[i]), problem, remedy)
        values = np.where(keep, values, np.nan)
        return _Measured(metric, values, counts, exposures, np.full(n, np.nan), np.full(n, np.nan))

    def _numbers(
        self, table: Table, keep: np.ndarray, column: str | None, *, kind: Kind = "count", signed: bool = False
    ) -> Array:
        heading = table.find(column) if column else None
        if heading is None:
            return np.full(table.frame.height, np.nan)
        numbers = read_figures(table.frame[heading], kind, exact=True).numbers
        for i, problem in sorted(numbers.problems.items()):
            if keep[i]:
                self._leave_out(table, keep, i, heading, table.frame[heading][i], problem, "Mend the number")
        for i in [] if signed else np.flatnonzero((numbers.values < 0) & keep).tolist():
            self._leave_out(table, keep, i, heading, float(numbers.values[i]), "is negative", "Give zero or more")
        return numbers.values

    def _rank(self, m: _Measured, contexts: list[str | None], keep: np.ndarray) -> None:
        """Percentiles inside each context: rates with counts by their shrunken value, the rest as they are.

        A context whose values are all equal has no ranks, as in `rank_within`.
        """
        known = keep & np.isfinite(m.values)
        names = np.array([c or "" for c in contexts], dtype=object)
        for context in dict.fromkeys(names[known].tolist()):
            rows = np.flatnonzero(known & (names == context))
            values, reliability = m.values[rows], np.full(rows.size, COUNT_RELIABILITY)
            counted = np.isfinite(m.counts[rows]) & (m.exposures[rows] > 0)
            if m.metric.kind == "rate" and counted.any():
                counts, exposures = m.counts[rows[counted]], m.exposures[rows[counted]]
                prior = fit_beta_prior(counts, exposures)
                values[counted], reliability[counted] = shrink_rates(counts, exposures, prior)
            if np.ptp(values) > 0:
                m.ranks[rows] = percentiles(values, higher_is_better=m.metric.higher_is_better)
            m.reliabilities[rows] = reliability

    def _check_groups(self, table: Table, columns: dict[str, list[str | None]], keep: np.ndarray) -> None:
        first: dict[str | None, str | None] = {}
        for i in np.flatnonzero(keep).tolist():
            group, split = columns["group"][i], columns["split"][i]
            if first.setdefault(group, split) != split:
                raise TableError(
                    f"{table.path.name}: row {table.rows[i]}, column 'split'",
                    f"group {group!r} lies in {first[group]} and {split}",
                    remedy="Give all rows of one group the same split, or leave the column out to have it made",
                )

    def _records(
        self,
        table: Table,
        columns: dict[str, list[str | None]],
        keep: np.ndarray,
        measured: list[_Measured],
        folder: Path,
    ) -> Iterator[Record]:
        for i in np.flatnonzero(keep).tolist():
            row = {name: values[i] for name, values in columns.items()}
            seen = tuple(_observation(m, i) for m in measured if np.isfinite(m.values[i]))
            reliabilities = [m.reliabilities[i] for m in measured if np.isfinite(m.values[i])]
            content = Content(
                text=row["text"] or "",
                channel=row["channel"] or "post",
                title=row["title"],
                topic=row["topic"],
                format=row["format"],
                communicator=Communicator(name=row["brand"]) if row["brand"] else None,
                audience=row["audience"],
                date=self._date(table, i, row["date"]),
                media=self._media(table, i, row["image"], folder),
            )
            yield Record(
                id=row["id"] or f"{self.name}-{table.rows[i]}",
                source=self.name,
                content=content,
                observations=seen,
                context=f"{self.name}:{row['context']}",
                group=f"{self.name}:{row['group']}",
                arms=row["test"],
                split=row["split"],  # type: ignore[arg-type]
                weight=float(np.mean(reliabilities)) if reliabilities else 0.0,
            )

    def _date(self, table: Table, i: int, text: str | None) -> date | None:
        if text is None:
            return None
        try:
            return datetime.fromisoformat(text).date()
        except ValueError:
            remedy = "Write 2026-11-22; the row is used without its date"
            self.problems.add(Problem(table.path.name, "date", table.rows[i], text, "is no date", remedy))
            return None

    def _media(self, table: Table, i: int, name: str | None, folder: Path) -> tuple[Media, ...]:
        """The row's picture. A name that leads out of the folder is not followed: tables come from anywhere."""
        if name is None:
            return ()
        path = folder / name
        problem = None
        if not path.resolve().is_relative_to(folder.resolve()):
            problem = "lies outside the folder of pictures"
        elif not os.path.isfile(path):  # noqa: PTH113 (unlike Path.is_file, no error where the name is too long)
            problem = "picture not found"
        if problem:
            remedy = "Put it into the folder of pictures; the row is used without it"
            self.problems.add(Problem(table.path.name, "image", table.rows[i], name, problem, remedy))
            return ()
        return (Media(path=path),)


def _texts(table: Table, name: str) -> list[str | None] | None:
    heading = table.find(name)
    if heading is None:
        return None
    return [str(v).strip() or None if v is not None else None for v in table.frame[heading].to_list()]


def _said(text: str | None) -> str:
    """Text without case and spacing: rows that say the same are one group."""
    return " ".join((text or "").casefold().split())


def _wanted(metric: Metric) -> str:
    made = f", or {metric.count_column!r} and {metric.exposure_column!r}" if metric.count_column else ""
    return f"a column {metric.name!r}{made}"


def _observation(m: _Measured, i: int) -> Observation:
    def known(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    return Observation(
        metric=m.metric.name,
        value=float(m.values[i]),
        count=known(m.counts[i]),
        exposure=known(m.exposures[i]),
        percentile=known(m.ranks[i]),
    )
