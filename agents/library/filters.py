"""Conditions on posts: checked once, then evaluated by whoever holds the posts, before any vector is looked at."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl

from agents.library.ingest import channel_key
from lcbm_model.content import format_key
from lcbm_model.errors import LibraryError

LABELS = ("id", "channel", "audience", "format")
End = date | float | None


@dataclass(frozen=True)
class OneOf:
    """The column is one of these texts."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Between:
    """The column is known and between the ends, both included; None is an open end."""

    column: str
    low: End
    high: End


Condition = OneOf | Between


def conditions_of(
    columns: Collection[str],
    metric: str,
    *,
    min_percentile: float | None = None,
    channel: str | None = None,
    filters: Mapping[str, Any] | None = None,
) -> list[Condition]:
    """What a post must meet, all of it.

    Args:
        columns: Of the posts: fields, `value.NAME`, `percentile.NAME`.
        filters: By field. Labels (id, channel, audience, format) take a value or a list of values; `date`, `exposure`
            and metrics take a range `(low, high)`, either end None for open; so does `percentile`, the rank of `metric`
            inside the channel, counted from the better end. A post without the field does not pass.

    Raises:
        LibraryError: An unknown field or a condition of the wrong form.
    """
    conditions = [_one(columns, metric, field, wanted) for field, wanted in (filters or {}).items()]
    if channel is not None:
        conditions.append(_labels("channel", channel))
    if min_percentile is not None:
        if not 0 <= min_percentile <= 100:
            raise LibraryError("min_percentile", "must lie in 0..100", value=min_percentile)
        conditions.append(Between(f"percentile.{metric}", min_percentile, None))
    return conditions


def allowed_rows(frame: pl.DataFrame, metric: str, **wanted: Any) -> np.ndarray | None:
    """(N,) bool of posts that pass every condition (as `conditions_of`); None where there is none to pass.

    Raises:
        LibraryError: An unknown field or a condition of the wrong form.
    """
    conditions = [_expression(condition) for condition in conditions_of(frame.columns, metric, **wanted)]
    if not conditions:
        return None
    passed = frame.select(pl.all_horizontal(conditions).fill_null(False).alias("passed"))["passed"]
    return np.asarray(passed.to_numpy())


def measured_rows(frame: pl.DataFrame, metric: str) -> np.ndarray:
    """(N,) bool of posts with a result of `metric`."""
    return np.asarray(frame[f"percentile.{metric}"].is_not_null().to_numpy())


def _expression(condition: Condition) -> pl.Expr:
    column = pl.col(condition.column)
    if isinstance(condition, OneOf):
        return column.is_in(list(condition.values))
    expression = column.is_not_null()
    if condition.low is not None:
        expression &= column >= condition.low
    if condition.high is not None:
        expression &= column <= condition.high
    return expression


def _one(columns: Collection[str], metric: str, field: str, wanted: Any) -> Condition:
    if field in LABELS and field in columns:
        return _labels(field, wanted)
    if field in ("date", "exposure"):
        return Between(field, *_ends(field, wanted))
    if field == "percentile":
        return Between(f"percentile.{metric}", *_ends(field, wanted))
    if f"value.{field}" in columns:
        return Between(f"value.{field}", *_ends(field, wanted))
    metrics = [c.removeprefix("value.") for c in columns if c.startswith("value.")]
    remedy = f"Known: {', '.join((*LABELS, 'date', 'exposure', 'percentile', *metrics))}"
    raise LibraryError("filters", "no such field in this library", value=field, remedy=remedy)


def _labels(field: str, wanted: Any) -> OneOf:
    values = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(values, (list, tuple, set, frozenset)) or not all(isinstance(v, str) for v in values):
        raise LibraryError(f"filters: {field}", "takes a text or a list of texts", value=wanted)
    spelled = {"channel": channel_key, "format": format_key}.get(field, str)
    return OneOf(field, tuple(map(spelled, values)))


def _ends(field: str, wanted: Any) -> tuple[End, End]:
    if not isinstance(wanted, (list, tuple)) or len(wanted) != 2:
        raise LibraryError(f"filters: {field}", "takes a range (low, high), None for an open end", value=wanted)
    return _end(field, wanted[0]), _end(field, wanted[1])


def _end(field: str, end: Any) -> End:
    if end is None:
        return None
    try:
        if field == "date":
            if isinstance(end, datetime):
                return end.date()
            return end if isinstance(end, date) else date.fromisoformat(end)
        if float(end) != float(end):
            raise ValueError("NaN")
        return float(end)
    except (TypeError, ValueError) as error:
        kind = "a date like 2024-12-31" if field == "date" else "a number"
        raise LibraryError(f"filters: {field}", f"an end of the range is not {kind}", value=end) from error
