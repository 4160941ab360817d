"""Rates as tables write them: shares of 1, per cent with a sign, and per cent without one.

A share is at most 1, a click rate in per cent mostly more: what most of a column says, all of it means. Where a column
is neither, nobody can tell whether 0.5 is half of the readers or one in two hundred.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
import numpy.typing as npt
import polars as pl

from lcbm_model.corpus.numbers import as_strings

Values = npt.NDArray[np.float64]

MOST = 0.5
"""Share of the figures without a sign of which more must be above 1 for all to be per cent."""
SOME = 0.05
"""Share from which they are no slips of single rows."""
APART = 0.1
"""Relative difference between a stated rate and the one counted from which they are not the same figure, ..."""
ROUNDED = 0.002
"""... beyond what rounding leaves between them."""


class Scale(Enum):
    """What the figures of a column that carry no sign are."""

    SHARES = "shares of 1"
    PER_CENT = "per cent"
    UNCLEAR = "either"


def scale_of(column: pl.Series, values: Values) -> tuple[Scale, npt.NDArray[np.bool_]]:
    """What a column's plain figures are, and which rows (N,) have one.

    Args:
        column: (N,) cells as written, or numbers.
        values: (N,) what was read, per cent with a sign as shares; NaN where nothing.
    """
    plain = ~np.isnan(values)
    if not column.dtype.is_numeric():
        plain &= ~as_strings(column).str.contains("%", literal=True).fill_null(False).to_numpy()
    above = int((values[plain] > 1).sum())
    share = above / max(1, int((values[plain] != 0).sum()))
    if share > MOST:
        return Scale.PER_CENT, plain
    return (Scale.UNCLEAR if above > 1 and share >= SOME else Scale.SHARES), plain


def contradicted(stated: Values, counted: Values) -> npt.NDArray[np.bool_]:
    """Rows (N,) whose stated rate is another than their counts make."""
    gap = np.abs(stated - counted)
    return gap > np.maximum(ROUNDED, APART * np.maximum(stated, counted))  # NaN is never greater
