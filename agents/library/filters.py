"""Conditions on posts, evaluated before any vector is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl

from agents.library.ingest import channel_key
from lcbm_model.errors import LibraryError
from lcbm_model.metrics import get_metric

LABELS = ("id", "channel", "audience")


def allowed_rows(
    frame: pl.DataFrame,
    metric: str,
    *,
    min_percentile: float | None = None,
    channel: str | None = None,
    filters: Mapping[str, Any] | None = None,
) -> np.ndarray | None:
    """(N,) bool of posts that pass every condition; None where there is none to pass.

    Args:
        filters: By field. Labels (id, channel, audience) take a value or a list of values; `date`, `exposure` and
            metrics take a range `(low, high)`, either end None for open; so does `percentile`, the rank of `metric`
            inside the channel, counted from the better end. A post without the field does not pass.

    Raises:
        LibraryError: An unknown field or a condition of the wrong form.
    """
    conditions = [_one(frame, metric, field, wanted) for field, wanted in (filters or {}).items()]
    if channel is not None:
        conditions.append(_label("channel", channel))
    if min_percentile is not None:
        if not 0 <= min_percentile <= 100:
            raise LibraryError("min_percentile", "must lie in 0..100", value=min_percentile)
        conditions.append(_range("percentile", _from_better_end(metric), (min_percentile, None)))
    if not conditions:
        return None
    passed: np.ndarray = frame.select(pl.all_horizontal(conditions).fill_null(False).alias("passed"))[
        "passed"
    ].to_numpy()
    return passed


def measured_rows(frame: pl.DataFrame, metric: str) -> np.ndarray:
    """(N,) bool of posts with a result of `metric`."""
    return np.asarray(frame[f"percentile.{metric}"].is_not_null().to_numpy())


def _one(frame: pl.DataFrame, metric: str, field: str, wanted: Any) -> pl.Expr:
    if field in LABELS:
        return _label(field, wanted)
    if field in ("date", "exposure"):
        return _range(field, pl.col(field), wanted)
    if field == "percentile":
        return _range(field, _from_better_end(metric), wanted)
    if f"value.{field}" in frame.columns:
        return _range(field, pl.col(f"value.{field}"), wanted)
    metrics = [c.removeprefix("value.") for c in frame.columns if c.startswith("value.")]
    remedy = f"Known: {', '.join((*LABELS, 'date', 'exposure', 'percentile', *metrics))}"
    raise LibraryError("filters", "no such field in this library", value=field, remedy=remedy)


def _label(field: str, wanted: Any) -> pl.Expr:
    values = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(values, (list, tuple, set, frozenset)) or not all(isinstance(v, str) for v in values):
        raise LibraryError(f"filters: {field}", "takes a text or a list of texts", value=wanted)
    if field == "channel":
        values = [channel_key(v) for v in values]
    return pl.col(field).is_in(list(values))


def _range(field: str, column: pl.Expr, wanted: Any) -> pl.Expr:
    if not isinstance(wanted, (list, tuple)) or len(wanted) != 2:
        raise LibraryError(f"filters: {field}", "takes a range (low, high), None for an open end", value=wanted)
    low, high = (_end(field, end) for end in wanted)
    condition = column.is_not_null()
    if low is not None:
        condition &= column >= low
    if high is not None:
        condition &= column <= high
    return condition


def _end(field: str, end: Any) -> date | float | None:
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


def _from_better_end(metric: str) -> pl.Expr:
    rank = pl.col(f"percentile.{metric}")
    return rank if get_metric(metric).higher_is_better else 100 - rank
