"""A team's table into checked posts. A bad row is put aside with its reason; good rows stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from agents.library.duplicates import Dedupe, check_dedupe, quality_of, repeats
from agents.library.exports import PostsTable
from agents.library.fields import FIELDS, NAMELESS, Fields, channel_key
from agents.library.measures import EXPOSURE, Measures, measure_columns
from agents.library.records import RejectedRow
from lcbm_model.corpus.tables import Table, missing_column
from lcbm_model.errors import LibraryError, TableError
from lcbm_model.metrics import Metric, get_metric, metric_names

__all__ = ["Ingested", "channel_key", "ingest"]


@dataclass(frozen=True)
class Ingested:
    """Checked posts of one table.

    Attributes:
        frame: One row a post: id, text, channel, date, hour, image, audience, format, exposure, `value.*` and
            `exposure.*`.
        metrics: Names of the metrics measured, the main one first.
        rejected: Rows put aside, in file order.
        notes: What a person should know of how the file was read.
    """

    frame: pl.DataFrame
    metrics: tuple[str, ...]
    rejected: tuple[RejectedRow, ...]
    notes: tuple[str, ...]
    used: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Heading of the table to our names that were read from it."""


def ingest(
    posts: Table | PostsTable,
    *,
    metric: str | Metric | None = None,
    columns: Mapping[str, str] | None = None,
    folder: Path | None = None,
    dedupe: Dedupe = "exact",
    known: pl.DataFrame | None = None,
) -> Ingested:
    """Check every row of a table.

    Args:
        posts: A plain table, or one that `read_posts` understood.
        metric: The main metric; the first known one found by default.
        columns: Our column names to the file's headings, where they differ: {"text": "Message"}.
        folder: Where relative pictures are and beyond which none is read; the file's own by default.
        dedupe: Of posts that say the same ("exact") or nearly the same ("near") the better measured one is kept.
        known: Posts of a library (`id`, `text`, `channel`, `audience`): they are found again by their text where the
            file has no ids, and keep their channel where no cell says one.

    Raises:
        TableError: No text column, no column of the metric, or a mapping to a heading that is not there.
        MetricError: Nobody defined the metric.
        LibraryError: No row is left.
        SettingsError: No such way to look for repeats.
    """
    check_dedupe(dedupe)
    if isinstance(posts, Table):
        posts = PostsTable(posts, {})
    table = posts.table
    posts = replace(posts, columns=_checked_mapping(table, {**posts.columns, **(columns or {})}))
    fields = Fields(posts)
    measures = Measures(table, posts.columns, metric, fields.reject)
    days, hours = fields.times()
    channels = fields.channels()
    frame = pl.DataFrame(
        {
            "text": fields.texts(),
            "channel": channels.fill_null(fields.default_channel),
            "date": days,
            "hour": hours,
            "image": fields.images(folder or table.path.parent),
            "audience": fields.audiences(),
            "format": fields.formats(),
            EXPOSURE: pl.Series(measures.exposure()).fill_nan(None),
            **measure_columns(measures.found),
        }
    )
    frame = frame.insert_column(0, fields.ids(frame).alias("id"))
    if known is not None:
        frame = _under_known_ids(frame, channels, known)
        frame = _in_known_channels(frame, channels, known)
    names = tuple(m.metric.name for m in measures.found)
    fields.reject_repeated(frame["id"], quality_of(frame, names[0]).tolist())
    notes = [*table.notes, *fields.notes, *measures.notes, *_reject_repeats(table, fields, frame, names[0], dedupe)]
    rejected = fields.all_rejected()
    frame = frame.filter(~pl.Series(fields.bad_mask(), dtype=pl.Boolean))
    _check_left(table, frame, names[0], rejected, notes)
    return Ingested(frame, names, rejected, tuple(notes), _used(fields, measures))


def _under_known_ids(frame: pl.DataFrame, told: pl.Series, known: pl.DataFrame) -> pl.DataFrame:
    """The posts without an id of their own under that of the only known one with their text, if nothing told speaks
    against it: a table may leave the channel out, and its pictures may lie in another folder than last time."""
    nameless = pl.col("id").str.starts_with(NAMELESS)
    once = known.filter(nameless).filter(pl.len().over("text") == 1)
    theirs = frame.select("text").join(once, on="text", how="left", maintain_order="left")
    here = frame.select(single=pl.len().over("text") == 1, nameless=nameless)
    agrees = [
        (mine.is_null() | (mine == other)).fill_null(True)
        for mine, other in ((told, theirs["channel"]), (frame["audience"], theirs["audience"]))
    ]
    taken = here["single"] & here["nameless"] & theirs["id"].is_not_null() & agrees[0] & agrees[1]
    return frame.with_columns(id=pl.select(pl.when(taken).then(theirs["id"]).otherwise(frame["id"])).to_series())


def _in_known_channels(frame: pl.DataFrame, told: pl.Series, known: pl.DataFrame) -> pl.DataFrame:
    """The posts, those whose channel nobody told in the channel they are known under."""
    theirs = frame.select("id").join(known.select("id", "channel"), on="id", how="left", maintain_order="left")
    return frame.with_columns(pl.Series("channel", told).fill_null(theirs["channel"]).fill_null(frame["channel"]))


def _reject_repeats(table: Table, fields: Fields, frame: pl.DataFrame, metric: str, dedupe: Dedupe) -> list[str]:
    """Put posts aside that repeat a good one, and say how many."""
    good = pl.Series(fields.bad_mask(), dtype=pl.Boolean).not_().arg_true().to_list()
    found = repeats(frame[good], metric, dedupe)
    for row, (kept, likeness) in found.items():
        how = "repeats the text" if likeness == 100 else f"is nearly ({likeness:.0f} %) the text"
        problem = f"{how} of row {table.rows[good[kept]]}, which is kept: it is measured as well or better"
        fields.reject(good[row], fields.heading("text") or "text", problem)
    if not found:
        return []
    near = sum(likeness < 100 for _, likeness in found.values())
    nearly = f", {near} of them nearly" if near else ""
    return [f"{len(found)} posts repeat another's text{nearly}: the better measured one of each is kept"]


def _used(fields: Fields, measures: Measures) -> dict[str, tuple[str, ...]]:
    used: dict[str, tuple[str, ...]] = {}
    for name in (*FIELDS, *measures.names_read):
        heading = fields.heading(name) if name in FIELDS else measures.heading(name)
        if heading is not None:
            used[heading] = (*used.get(heading, ()), name)
    return used


def _checked_mapping(table: Table, columns: Mapping[str, str]) -> dict[str, str]:
    """The mapping, once each of our names is known and each heading there."""
    where = str(table.path)
    metrics = [get_metric(name) for name in metric_names()]
    parts = {p for m in metrics for p in (m.name, m.count_column, m.exposure_column) if p}
    known = {*FIELDS, EXPOSURE, *parts}
    mapped: dict[str, str] = {}
    for name, heading in columns.items():
        if name not in known:
            remedy = f"Known: {', '.join((*FIELDS, EXPOSURE, *sorted(parts)))}"
            raise TableError(f"{where}: mapping", "names a field that no post has", value=name, remedy=remedy)
        found = table.find(heading)
        if found is None:
            raise missing_column(where, heading, table.frame.columns)
        mapped[name] = found
    return mapped


def _check_left(
    table: Table, frame: pl.DataFrame, metric: str, rejected: tuple[RejectedRow, ...], notes: list[str]
) -> None:
    if frame.height == 0:
        first = rejected[0]
        remedy = f"{len(rejected)} rows were refused; mend the column or map another with `columns`"
        where = f"{table.path}, row {first.row}, column {first.column!r}"
        raise LibraryError(where, f"no usable row is left; this one {first.problem}", value=first.value, remedy=remedy)
    without = frame[f"value.{metric}"].null_count()
    if without == frame.height:
        raise LibraryError(str(table.path), f"no row has a value for {metric}", remedy="Fill that column in")
    if without:
        notes.append(f"{without} of {frame.height} posts have no {metric}: found by search, but without a rank")
