"""Dates as teams write them. What cannot be told for certain is refused, not guessed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import product

import polars as pl

_DAYS = (
    "%Y-%m-%d",
    *("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y"),
    *("%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%a, %b %d, %Y", "%d-%b-%Y", "%a, %d %b %Y"),
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", ", %H:%M", ", %I:%M %p", ", %H:%M:%S")
_FORMATS = tuple(day + time for day, time in product(_DAYS, _TIMES))
_ZONE = re.compile(r"(:\d{2}(?:\.\d+)?)\s*(?:[+-]\d{2}:?\d{2}|\(?[A-Z]{2,5}\)?)$")
"""What may stand behind a time of day. AM and PM are no zones."""
_HALF = re.compile(r"(?<=\d)([AP]M)$", re.IGNORECASE)
_SURE = 0.95
"""Share of the readable cells that a format must read; two that do and disagree leave the column in doubt."""
_SAMPLE = 50
"""Cells by which formats that read nothing are dropped before all cells are tried."""


@dataclass(frozen=True)
class Dates:
    """A column of times.

    Attributes:
        days: (N,) the writer's own days; time zones are not moved.
        hours: (N,) 0..23, None where no time of day is given.
        problems: Cell index to what is wrong with it; an empty cell has no problem.
    """

    days: list[date | None]
    hours: list[int | None]
    problems: dict[int, str]


def parse_dates(column: pl.Series, today: date, formats: Sequence[str] = ()) -> Dates:
    """Read a column of dates or times.

    Args:
        column: (N,) dates, times or strings.
        today: A later day (but for time zones) is a problem.
        formats: strptime formats that the column is known to be written in, tried before all others.

    ISO 8601 is read cell by cell. Other formats are read where the column as a whole leaves no doubt about which of
    day and month comes first.
    """
    cells = column.to_list()
    times: list[datetime | date | None] = []
    odd: dict[int, str] = {}
    for i, cell in enumerate(cells):
        time, text = _iso(cell)
        times.append(time)
        if text is not None:
            odd[i] = text
    read, doubt = _read_odd(set(odd.values()), formats)
    problems: dict[int, str] = {}
    for i, text in odd.items():
        times[i] = read.get(text)
        if text not in read:
            doubtful = "may be day or month first; write 2024-12-31"
            problems[i] = doubtful if text in doubt else "is not a date; write 2024-12-31"
    days = [time.date() if isinstance(time, datetime) else time for time in times]
    for i, day in enumerate(days):
        if day is not None and day > today + timedelta(days=1):
            problems[i] = "lies in the future"
    hours = [_hour(time, cell) for time, cell in zip(times, cells, strict=True)]
    return Dates(days, hours, problems)


def _read_odd(texts: set[str], known: Sequence[str]) -> tuple[dict[str, datetime], set[str]]:
    """Times of the texts that can be read, and the texts whose day and month are in doubt.

    An export's own format counts where it reads what one hand wrote: a file saved anew elsewhere may have another.
    """
    read: dict[str, datetime] = {}
    doubt: set[str] = set()
    shapes: dict[str, list[str]] = {}
    for text in sorted(texts):
        shapes.setdefault(_shape(text), []).append(text)
    for alike in shapes.values():
        sure, readable = _surely(alike)
        for form in known:
            own = {text: time for text in alike if (time := _read(text, form)) is not None}
            if own and len(own) >= _SURE * len(readable | own.keys()):
                read |= own
                break
        else:
            if sure is None:
                doubt |= readable
            else:
                read |= sure
    return read, doubt


def _surely(texts: list[str]) -> tuple[dict[str, datetime] | None, set[str]]:
    """Times of texts written by one hand, None where two formats read them and disagree; and all that can be read."""
    sample = texts[:: max(1, len(texts) // _SAMPLE)]
    formats = [form for form in _FORMATS if any(_read(text, form) is not None for text in sample)]
    found = [{text: time for text in texts if (time := _read(text, form)) is not None} for form in formats]
    readable: set[str] = set().union(*found)
    sure = [times for times in found if len(times) >= _SURE * len(readable)]
    if not sure:
        return {}, readable
    return (sure[0] if all(_agree(sure[0], other) for other in sure[1:]) else None), readable


def _shape(text: str) -> str:
    """Texts written by one hand: '05/03/2024 9:30' and '15/3/2024 10:00' are alike."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", text))


def _agree(one: dict[str, datetime], other: dict[str, datetime]) -> bool:
    return all(one[text] == other[text] for text in one.keys() & other.keys())


def _iso(cell: object) -> tuple[datetime | date | None, str | None]:
    """The time, or else the text that still needs reading."""
    if isinstance(cell, date):
        return cell, None
    text = "" if cell is None else " ".join(str(cell).split())
    if not text or text.strip("-–—") == "":
        return None, None
    try:
        return datetime.fromisoformat(text), None
    except ValueError:
        pass
    text = _HALF.sub(r" \1", text)
    bare = text if text.upper().endswith((" AM", " PM")) else _ZONE.sub(r"\1", text)
    try:
        return datetime.fromisoformat(bare), None
    except ValueError:
        return None, bare


def _hour(time: datetime | date | None, cell: object) -> int | None:
    """The hour of a cell that gives one. A day in a spreadsheet comes with midnight: no time of day."""
    if not isinstance(time, datetime):
        return None
    told = cell if isinstance(cell, datetime) else str(cell)
    midnight = (time.hour, time.minute, time.second) == (0, 0, 0)
    return None if midnight or (isinstance(told, str) and ":" not in told) else time.hour


def _read(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)
    except ValueError:
        return None
