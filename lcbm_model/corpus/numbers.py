"""Numbers as teams write them, read cell by cell, so that one bad cell costs one row and not the file.

Read: `1234`, `1,234`, `1 234`, `1'234`, `3.4`, `3.4 %` (as 0.034), `1.2e5`. Empty, `-`, `n/a`, `null`: missing.
Refused, with the reason in the row's problem: `1.2k` (rounded: the exact count is wanted), `3,4` (a decimal comma;
where most commas of a column are such, `1,234` is in doubt too), currency signs, NaN and infinity, truth values, words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl

_MISSING = frozenset({"", "-", "–", "—", "n/a", "na", "null", "none", "#n/a"})
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
# Thousands come in groups of three behind a leading group that is no bare zero: "0,123" is a decimal comma.
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}([, '’\u00a0\u202f])\d{3}(\1\d{3})*(\.\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+(?:[.' \u00a0\u202f]\d{3})*,\d+")
_ABBREVIATED = re.compile(r"[+-]?[\d.,]+\s*(k|m|mn|mio|b|bn|thousand|million)", re.IGNORECASE)


@dataclass(frozen=True)
class Numbers:
    """A column read as numbers.

    Attributes:
        values: (N,) float64; NaN where the cell is missing or has a problem.
        problems: Cell index 0..N-1 to what is wrong with it. A missing cell is no problem.
    """

    values: np.ndarray
    problems: dict[int, str] = field(default_factory=dict)

    @property
    def present(self) -> int:
        """Cells that hold a number."""
        return int(np.isfinite(self.values).sum())


def parse_numbers(column: pl.Series | Sequence[object]) -> Numbers:
    """Read a column of any type as numbers.

    Args:
        column: N cells: strings as written, or numbers.
    """
    import polars as pl

    cells = (
        column if isinstance(column, pl.Series) else pl.Series(values=[_as_text(v) for v in column], dtype=pl.String)
    )
    if cells.dtype.is_numeric():
        values = cells.cast(pl.Float64).to_numpy().astype(np.float64)
        present = cells.is_not_null().to_numpy()
    else:
        texts = as_strings(cells)
        # Most cells are plain: one vectorised cast reads them, only the others are looked at one by one.
        values = texts.cast(pl.Float64, strict=False).to_numpy().astype(np.float64)
        return _mend(texts, values)
    odd = np.flatnonzero(present & ~np.isfinite(values))
    values[odd] = np.nan
    return Numbers(values, dict.fromkeys(odd.tolist(), "is not a finite number; leave the cell empty if it is unknown"))


def _mend(texts: pl.Series, values: np.ndarray) -> Numbers:
    """Fill the cells a plain cast could not read. texts: (N,) stripped; values: (N,) with NaN where unread."""
    problems: dict[int, str] = {}
    unread = np.flatnonzero(~np.isfinite(values)).tolist()
    cells = [(i, text) for i, text in zip(unread, texts.gather(unread).to_list(), strict=True) if text is not None]
    decimal = sum(_is_decimal_comma(text) for _, text in cells)
    decimal_comma = 0 < decimal >= sum("," in text for _, text in cells) - decimal
    for i, text in cells:
        try:
            values[i] = _parse(text, decimal_comma)
        except ValueError as error:
            values[i] = np.nan
            problems[i] = str(error)
    return Numbers(values, problems)


def parse_number(text: str) -> float:
    """One number as teams write them; NaN where the cell says that it is missing.

    Raises:
        ValueError: Not a number, with the reason for people.
    """
    return _parse(text.strip(), False)


def _parse(text: str, decimal_comma: bool) -> float:
    if text.casefold() in _MISSING:
        return float("nan")
    body, percent = (text[:-1].rstrip(), True) if text.endswith("%") else (text, False)
    if "," in body and (decimal_comma or _is_decimal_comma(text)):
        raise ValueError("has a comma that may be a decimal comma; write 3.4 and 1234 (or 1,234 without any 3,4)")
    if _GROUPED.fullmatch(body):
        body = re.sub(r"[, '’\u00a0\u202f]", "", body)
    if not _PLAIN.fullmatch(body):
        if _ABBREVIATED.fullmatch(body):
            raise ValueError("is rounded (k, M); the exact number is wanted")
        raise ValueError("is not a number")
    value = float(body)
    if not np.isfinite(value):
        raise ValueError("is not a finite number")
    return value / 100 if percent else value


def _is_decimal_comma(text: str) -> bool:
    body = text.removesuffix("%").rstrip()
    return bool(_DECIMAL_COMMA.fullmatch(body)) and not _GROUPED.fullmatch(body)


def as_strings(column: pl.Series) -> pl.Series:
    """Cells of any type as stripped text; null stays null."""
    import polars as pl

    try:
        return column.cast(pl.String, strict=False).str.strip_chars()
    except pl.exceptions.InvalidOperationError:  # lists and structs
        return pl.Series(column.name, [_as_text(cell) for cell in column.to_list()], dtype=pl.String)


def _as_text(value: object) -> str | None:
    return None if value is None else str(value)
