"""Dates as teams write them. What cannot be told for certain is refused, not guessed."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl

_FORMATS = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d")


def parse_dates(column: pl.Series, today: date) -> tuple[list[date | None], dict[int, str]]:
    """Days, and the problem of each cell that has one; an empty cell has none.

    ISO 8601 dates and times are read one by one (the day is the writer's own, time zones are not moved). Other
    formats are read where exactly one of them fits every such cell of the column.

    Args:
        column: (N,) dates, times or strings.
        today: A later day (but for time zones) is a problem.
    """
    values: list[date | None] = []
    problems: dict[int, str] = {}
    odd: dict[int, str] = {}
    for i, cell in enumerate(column.to_list()):
        day, text = _iso(cell)
        values.append(day)
        if text is not None:
            odd[i] = text
    fits = [f for f in _FORMATS if odd and all(_read(text, f) is not None for text in odd.values())]
    # A column of 03/03/2024 reads the same under both orders: no doubt then.
    certain = len({tuple(_read(text, f) for text in odd.values()) for f in fits}) == 1
    for i, text in odd.items():
        if certain:
            values[i] = _read(text, fits[0])
        elif fits:
            problems[i] = "may be day or month first; write 2024-12-31"
        else:
            problems[i] = "is not a date; write 2024-12-31"
    for i, day in enumerate(values):
        if day is not None and day > today + timedelta(days=1):
            problems[i] = "lies in the future"
    return values, problems


def _iso(cell: object) -> tuple[date | None, str | None]:
    """The day, or else the text that still needs reading."""
    if isinstance(cell, datetime):
        return cell.date(), None
    if isinstance(cell, date):
        return cell, None
    text = "" if cell is None else str(cell).strip()
    if not text:
        return None, None
    try:
        return datetime.fromisoformat(text).date(), None
    except ValueError:
        return None, text


def _read(text: str, form: str) -> date | None:
    try:
        return datetime.strptime(text, form).date()
    except ValueError:
        return None
