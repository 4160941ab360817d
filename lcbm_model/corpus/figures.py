"""A column of figures, as exports in many languages write them, read as a whole: what one cell leaves open the others
mostly settle."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from lcbm_model.corpus.localised import Kind, plain_figures
from lcbm_model.corpus.numbers import Numbers, parse_numbers
from lcbm_model.corpus.rates import Scale, scale_of


@dataclass(frozen=True)
class Figures:
    """What a column holds.

    Attributes:
        numbers: Values, rates as shares of 1, and what is wrong with which cell.
        notes: How it was read, for people.
        unclear: Why nobody can tell what its rates mean; "" where that is clear.
    """

    numbers: Numbers
    notes: tuple[str, ...] = ()
    unclear: str = ""


def read_figures(column: pl.Series, kind: Kind, *, exact: bool = False) -> Figures:
    """(N,) cells or numbers -> their values.

    Args:
        kind: What the column measures: a count has no fraction, a rate no thousands.
        exact: Refuse rounded figures (`1.2K`): training on them would tell posts apart that nobody can.
    """
    cells, notes = plain_figures(column, kind, exact=exact)
    numbers = parse_numbers(cells)
    if kind != "rate":
        return Figures(numbers, tuple(notes))
    scale, plain = scale_of(column, numbers.values)
    if scale is Scale.SHARES:
        return Figures(numbers, tuple(notes))
    figures = numbers.values[plain]
    above = figures[figures > 1][0]
    if scale is Scale.PER_CENT:
        notes.append(f"column {column.name!r}: figures are read as per cent ({above:g} as {above / 100:g})")
        return Figures(replace(numbers, values=np.where(plain, numbers.values / 100, numbers.values)), tuple(notes))
    problems = dict.fromkeys(np.flatnonzero(plain).tolist(), "may be a share of 1 or per cent")
    numbers = Numbers(np.where(plain, np.nan, numbers.values), numbers.problems | problems)
    unclear = f"holds {above:g} and {figures[figures <= 1][0]:g}: nobody can tell shares of 1 from per cent"
    return Figures(numbers, tuple(notes), unclear)
