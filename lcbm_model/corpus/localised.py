"""Figures as exports in many languages write them, put into the plain form that `parse_numbers` reads.

What a column measures settles most doubts: a count has no fraction, so 1.234 views are 1234; a rate has no thousands,
so 3,4 % is 3.4 %. What stays in doubt is left as it is and refused where it is read, with the reason.
"""

from __future__ import annotations

import re
from typing import Literal

import polars as pl

from lcbm_model.corpus.numbers import as_strings

Kind = Literal["count", "rate", "rating"]

_NOTHING = r"^(--+|\.|n\.?\s?v\.?|k\.?\s?a\.?)$"
_GROUPED_POINT = r"^[+-]?[1-9]\d{0,2}(\.\d{3})+$"
_POINT_THEN_COMMA = r"^[+-]?\d{1,3}(\.\d{3})+,\d+\s*%?$"
_COMMA = r"^[+-]?\d+,\d+\s*%?$"
_ROUNDED = re.compile(r"([+-]?\d+(?:[.,]\d+)?)\s*(k|tsd\.?|m|mn|mio\.?|b|bn|mrd\.?)", re.IGNORECASE)
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{2})")
_TIMES = {"k": 1e3, "tsd": 1e3, "m": 1e6, "mn": 1e6, "mio": 1e6, "b": 1e9, "bn": 1e9, "mrd": 1e9}


def plain_figures(column: pl.Series, kind: Kind, *, exact: bool = False) -> tuple[pl.Series, list[str]]:
    """Cells in plain form and, for people, what was done to them.

    Args:
        column: (N,) cells as written; a typed column comes back as it is.
        kind: What the column measures.
        exact: Leave rounded figures (`1.2K`) as they are: they are refused where they are read.
    """
    if column.dtype.is_numeric():
        return column, []
    cells = as_strings(column)
    # Marks for nothing that `parse_numbers` does not know.
    cells = pl.select(pl.when(cells.str.to_lowercase().str.contains(_NOTHING)).then(None).otherwise(cells)).to_series()
    notes: list[str] = []
    if kind != "rate":
        cells = _odd_cells(cells, column.name, notes, exact=exact)
    cells = _points_as_thousands(cells, column.name, kind, notes)
    return _decimal_commas(cells, column.name, kind, notes).alias(column.name), notes


def _points_as_thousands(cells: pl.Series, name: str, kind: Kind, notes: list[str]) -> pl.Series:
    """`1.234.567` always; `1.234` in a column of counts where every point stands so."""
    both = _matches(cells, _POINT_THEN_COMMA)
    pointed = _matches(cells, r"\.")
    grouped = _matches(cells, _GROUPED_POINT)
    sure = both if kind != "count" or bool((pointed & ~grouped & ~both).any()) else both | grouped
    sure = sure | _matches(cells, r"^[+-]?[1-9]\d{0,2}(\.\d{3}){2,}$")
    if not sure.any():
        return cells
    first = cells.filter(sure)[0]
    plain = cells.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    mended = pl.select(pl.when(sure).then(plain).otherwise(cells)).to_series()
    notes.append(f"column {name!r}: points are read as thousands separators ({first} as {mended.filter(sure)[0]})")
    return mended


def _decimal_commas(cells: pl.Series, name: str, kind: Kind, notes: list[str]) -> pl.Series:
    """`3,4 %` in rates, where the column has no decimal point."""
    commas = _matches(cells, _COMMA)
    if kind == "count" or not commas.any() or bool(_matches(cells, r"\d\.\d").any()):
        return cells
    if kind == "rating" and not bool((commas & ~_matches(cells, r"^[+-]?[1-9]\d{0,2},\d{3}$")).any()):
        return cells  # 1,234 may be a large rating; nothing in the column says otherwise
    mended = pl.select(pl.when(commas).then(cells.str.replace(",", ".", literal=True)).otherwise(cells)).to_series()
    notes.append(
        f"column {name!r}: commas are read as decimal marks ({cells.filter(commas)[0]} as {mended.filter(commas)[0]})"
    )
    return mended


def _odd_cells(cells: pl.Series, name: str, notes: list[str], *, exact: bool) -> pl.Series:
    """`1.2K` as 1200 and `0:01:30` as 90 seconds."""
    rounded: list[str] = []
    clocks: list[str] = []
    odd = {text: text for text in cells.filter(_matches(cells, r"(?i)[a-z:]")).unique().to_list()}
    for text in odd:
        if found := None if exact else _ROUNDED.fullmatch(text):
            times = _TIMES[found[2].casefold().rstrip(".")]
            odd[text] = f"{float(found[1].replace(',', '.')) * times:.10g}"
            rounded.append(text)
        elif found := _CLOCK.fullmatch(text):
            odd[text] = str(int(found[1] or 0) * 3600 + int(found[2]) * 60 + int(found[3]))
            clocks.append(text)
    if not rounded and not clocks:
        return cells
    if rounded:
        some = min(rounded)
        count = int(cells.is_in(rounded).sum())
        notes.append(
            f"column {name!r}: {count} rounded figures ({some} as {odd[some]}); posts that near each other cannot be "
            "told apart, an exact export is better"
        )
    if clocks:
        some = min(clocks)
        notes.append(f"column {name!r}: times are read as seconds ({some} as {odd[some]})")
    return cells.replace(odd)


def _matches(cells: pl.Series, pattern: str) -> pl.Series:
    return cells.str.contains(pattern).fill_null(False)
