"""Outcomes from a file: a platform's export, or a list of runs with what they reached."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from datetime import date as Date
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from agents.library.dates import Dates, parse_dates
from agents.library.fields import channel_key
from agents.library.records import RejectedRow
from lcbm_model.behavior import PercentileScale
from lcbm_model.corpus.figures import Figures, read_figures
from lcbm_model.corpus.localised import Kind
from lcbm_model.corpus.tables import Table, as_strings, read_table
from lcbm_model.errors import InputError, LcbmError, TableError
from lcbm_model.metrics import Metric, get_metric, metric_names
from optimizer.campaigns import find_candidate, read_run
from optimizer.outcomes.known_texts import KnownTexts
from optimizer.outcomes.noting import note_candidate, note_text
from optimizer.outcomes.record import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

RUN, CANDIDATE, TEXT = "run", "candidate", "text"
_MOST = 100_000
"""Rows of one file."""


@dataclass(frozen=True)
class Imported:
    """What a file held.

    Attributes:
        outcomes: Its good rows.
        matched: Of them, those that a run had predicted.
        rejected: Rows put aside, with the reason.
        notes: How the file was read.
    """

    outcomes: tuple[Outcome, ...]
    matched: int
    rejected: tuple[RejectedRow, ...]
    notes: tuple[str, ...]


def import_outcomes(
    path: str | Path,
    *,
    metric: str | None = None,
    store: str | Path | None = None,
    noted_by: str | None = None,
    scale_of: Callable[[str, str], PercentileScale | None] | None = None,
) -> Imported:
    """Read outcomes from CSV, Excel, JSONL or Parquet. Nothing is kept yet: hand them to `OutcomeStore.add`.

    Columns: `run` (with `candidate`, else the run's best) or `text`; the metric by its name, by `value`, or a rate by
    its count and exposure (`clicks`, `impressions`); optionally `metric`, `channel`, `date`, and the exposure. The
    metric is what the row, `metric` or the columns say, else what the brief of a named run asked for.

    A text that a run wrote is matched with that run, unless the row names another channel: what a text reached
    elsewhere is an outcome of its own, of which nothing had been predicted.

    Args:
        metric: The metric of every row, where no column says.
        store: Folder of runs.
        scale_of: The team's past posts by metric and channel; those of each run by default.

    Raises:
        TableError: The file cannot be read, names neither runs nor texts, leaves the metric open, or has too many rows.
        MetricError: Nobody defined the metric.
    """
    table = read_table(path)
    heading = {name: table.find(name) for name in (RUN, CANDIDATE, TEXT, "metric", "channel", "date", "value")}
    heading[RUN] = heading[RUN] or table.find("run_id")
    heading[CANDIDATE] = heading[CANDIDATE] or table.find("candidate_id")
    if not (heading[RUN] or heading[TEXT]):
        remedy = "Name a column `text` (as published) or `run`"
        raise TableError(str(path), "names neither runs nor texts", value=table.frame.columns[:8], remedy=remedy)
    notes = list(table.notes)
    if metric is None and heading["metric"] is None:
        metric, how = _metric_by_columns(table, named_runs=heading[RUN] is not None)
        notes += how
    if table.frame.height > _MOST:
        raise TableError(str(path), f"has more than {_MOST} rows", value=table.frame.height, remedy="Cut it in parts")
    if metric is not None:
        get_metric(metric)
    rows = _Rows(table, heading)
    known = KnownTexts(store) if heading[TEXT] else None
    places = known.find(rows.texts, rows.channels) if known else [None] * len(rows.texts)
    outcomes: list[Outcome] = []
    rejected = [RejectedRow(row=p.row, column=p.column, value=p.value, problem=p.problem) for p in table.problems]
    for i, place in enumerate(places):
        try:
            outcomes.append(rows.outcome(i, metric, place, store, noted_by, scale_of))
        except LcbmError as error:
            where, value = (error.where, error.value) if isinstance(error, InputError) else ("run", None)
            problem = error.problem if isinstance(error, InputError) else str(error)
            shown = "" if value is None else str(value)[:120]
            rejected.append(RejectedRow(row=table.rows[i], column=where, value=shown, problem=problem))
    notes += rows.notes
    outcomes, repeated = _latest(outcomes)
    if repeated:
        notes.append(f"rows that repeat a text: {repeated}; of each the figures published last are kept")
    notes += known.problems if known else ()
    anywhere = known.find(rows.texts, [None] * len(places)) if known else places
    if elsewhere := sum(here is None and there is not None for here, there in zip(places, anywhere, strict=True)):
        notes.append(f"{elsewhere} texts were written by a run for another channel: nothing was predicted of them here")
    matched = sum(o.run_id is not None for o in outcomes)
    return Imported(tuple(outcomes), matched, tuple(sorted(rejected, key=lambda r: r.row)), tuple(notes))


def _latest(outcomes: Sequence[Outcome]) -> tuple[list[Outcome], int]:
    """One outcome of each text and metric, that of the latest day, in the file's order; and how many were left out.

    Of one day, or without days, the last row counts. Exports begin with the oldest post or with the newest.
    """
    latest: dict[str, int] = {}
    for i, outcome in enumerate(outcomes):
        held = latest.get(outcome.key)
        before = outcomes[held].published if held is not None else None
        if before is None or (outcome.published is not None and outcome.published >= before):
            latest[outcome.key] = i
    return [outcomes[i] for i in sorted(latest.values())], len(outcomes) - len(latest)


def _metric_by_columns(table: Table, *, named_runs: bool) -> tuple[str | None, list[str]]:
    """The metric that the headings tell, and how; None where it is left to the briefs of the named runs.

    Raises:
        TableError: They tell none and name no runs, or they tell several.
    """
    remedy = "Add --metric NAME, or a column `metric`"
    known = [get_metric(name) for name in metric_names()]
    # A column `value` may be of any metric: a column named as one is then no more than its exposure.
    named = [] if table.find("value") else [m.name for m in known if table.find(m.name)]
    pairs = [m.name for m in known if m.kind == "rate" and _has_pair(table, m)]
    if not (choices := named or pairs):
        if named_runs:
            return None, []
        raise TableError(str(table.path), "does not say the metric", value=table.frame.columns[:8], remedy=remedy)
    if len(choices) > 1:
        told = ", ".join(dict.fromkeys([*named, *pairs]))
        raise TableError(str(table.path), "has columns of several metrics", value=told, remedy=remedy)
    [name] = choices
    notes = [f"the columns say that {name} was measured"]
    if passed := [other for other in pairs if other != name]:
        notes.append(f"not read, although their columns are there: {', '.join(passed)} (name one with --metric)")
    return name, notes


def _has_pair(table: Table, metric: Metric) -> bool:
    columns = (metric.count_column, metric.exposure_column)
    return all(name is not None and table.find(name) is not None for name in columns)


class _Figures(TypedDict):
    value: float | None
    count: float | None
    exposure: float | None


class _Rows:
    """Cells of a table by our names."""

    def __init__(self, table: Table, heading: Mapping[str, str | None]) -> None:
        self._table = table
        self._cells = {name: self._column(found) for name, found in heading.items()}
        self.texts = [text or "" for text in self._cells[TEXT]]
        self.channels = self._cells["channel"]
        self._dates = self._read_dates(heading["date"])
        self._asked: dict[str, str] = {}
        self._figures_read: dict[tuple[str, Kind], Figures] = {}

    def _column(self, heading: str | None) -> list[str | None]:
        if heading is None:
            return [None] * self._table.frame.height
        return [cell or None for cell in as_strings(self._table.frame[heading]).to_list()]

    def _read_dates(self, heading: str | None) -> Dates:
        if heading is None:
            height = self._table.frame.height
            return Dates(days=[None] * height, hours=[None] * height, problems={})
        return parse_dates(self._table.frame[heading], datetime.now(UTC).date())

    def _number(self, name: str | None, kind: Kind, i: int) -> float | None:
        """Row `i` of a column of figures, which is read as a whole; None where there is no such column or no figure.

        Raises:
            InputError: The cell holds no number, or nobody can tell which.
        """
        heading = self._table.find(name) if name else None
        if heading is None:
            return None
        if (heading, kind) not in self._figures_read:
            self._figures_read[heading, kind] = read_figures(self._table.frame[heading], kind, exact=True)
        numbers = self._figures_read[heading, kind].numbers
        if problem := numbers.problems.get(i):
            raise InputError(heading, problem, value=self._table.frame[heading][i])
        number = float(numbers.values[i])
        return None if math.isnan(number) else number

    @property
    def notes(self) -> list[str]:
        """How the figures were read that were asked for."""
        return list(dict.fromkeys(note for read in self._figures_read.values() for note in read.notes))

    def outcome(
        self,
        i: int,
        metric_name: str | None,
        place: tuple[str, str] | None,
        store: str | Path | None,
        noted_by: str | None,
        scale_of: Callable[[str, str], PercentileScale | None] | None,
    ) -> Outcome:
        """Row `i`.

        Raises:
            LcbmError: Whatever is wrong with it.
        """
        named = self._cells["metric"][i] or metric_name or self._asked_for(self._cells[RUN][i], store)
        metric = get_metric(named, where="metric")
        figures = self._figures(i, metric)
        run, channel, text = self._cells[RUN][i], self.channels[i], self.texts[i]
        published = self._day(i)
        if run is not None:
            place = (run, self._cells[CANDIDATE][i] or "")
        if place is not None:
            settings, result = read_run(place[0], store)
            brief = settings.brief
            if channel is None or channel_key(channel) == channel_key(brief.channel):
                channel = brief.channel
            if (metric.name, channel) == (brief.metric, brief.channel):
                return note_candidate(
                    place[0],
                    place[1] or None,
                    **figures,
                    published=published,
                    noted_by=noted_by,
                    store=store,
                    scale=scale_of(metric.name, channel) if scale_of else None,
                )
            # Another metric or channel than the run's: true all the same, but nothing had been predicted of it.
            if result is not None:
                written = find_candidate(result, place[1]) if place[1] else result.best
                text = written.text if written else text
        channel = channel or "post"
        return note_text(
            text,
            metric.name,
            **figures,
            channel=channel,
            published=published,
            noted_by=noted_by,
            scale=scale_of(metric.name, channel) if scale_of else None,
        )

    def _asked_for(self, run: str | None, store: str | Path | None) -> str:
        """The metric of a run's own brief.

        Raises:
            LcbmError: No run is named, or none of that name is there.
        """
        if run is None:
            raise InputError("metric", "is missing", remedy="Name it in a column `metric`, or by --metric NAME")
        if run not in self._asked:
            self._asked[run] = read_run(run, store)[0].brief.metric
        return self._asked[run]

    def _day(self, i: int) -> Date | None:
        """When row `i` was published, in whatever way the column as a whole writes days."""
        if problem := self._dates.problems.get(i):
            raise InputError("date", problem, value=self._cells["date"][i], remedy="Write it as 2026-03-31")
        return self._dates.days[i]

    def _figures(self, i: int, metric: Metric) -> _Figures:
        value = self._number("value", metric.kind, i)
        if value is None:
            value = self._number(metric.name, metric.kind, i)
        exposure = self._number(metric.exposure_column, "count", i)
        if exposure is None:
            exposure = self._number("exposure", "count", i)
        return {"value": value, "count": self._number(metric.count_column, "count", i), "exposure": exposure}
