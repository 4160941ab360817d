"""Numbers as teams write them."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcbm_model.corpus.tables import parse_number, parse_numbers


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1234", 1234),
        (" 7 ", 7),
        ("-5", -5),
        ("1,234", 1234),
        ("1,234,567.5", 1_234_567.5),
        ("1 234", 1234),
        ("1\u202f234", 1234),
        ("1'234", 1234),
        ("3.4", 3.4),
        ("3.4 %", 0.034),
        ("3.4%", 0.034),
        ("1.2e3", 1200),
        (".5", 0.5),
    ],
)
def test_read(cell: str, value: float) -> None:
    assert parse_number(cell) == pytest.approx(value)
    assert parse_numbers([cell]).values[0] == pytest.approx(value)


@pytest.mark.parametrize("cell", ["", "  ", "-", "n/a", "NULL", "None", "–"])
def test_missing_is_no_problem(cell: str) -> None:
    numbers = parse_numbers([cell, "1"])
    assert math.isnan(numbers.values[0])
    assert numbers.problems == {}
    assert numbers.present == 1


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("1.2k", "rounded"),
        ("3M", "rounded"),
        ("3,4", "decimal comma"),
        ("0,123", "decimal comma"),
        ("3,4 %", "decimal comma"),
        ("many", "not a number"),
        ("$3", "not a number"),
        ("=1+1", "not a number"),
        ("1_000", "not a number"),
        ("0x10", "not a number"),
        ("true", "not a number"),
        ("nan", "not a number"),
        ("inf", "not a number"),
        ("1e999", "not a finite number"),
        ("12 34", "not a number"),
        ("1,234 567", "not a number"),
    ],
)
def test_refused_with_the_reason(cell: str, said: str) -> None:
    numbers = parse_numbers([cell, "1"])
    assert said in numbers.problems[0]
    assert math.isnan(numbers.values[0])
    assert numbers.values[1] == 1
    with pytest.raises(ValueError, match=said):
        parse_number(cell)


def test_a_column_of_decimal_commas_puts_its_thousands_in_doubt() -> None:
    assert set(parse_numbers(["3,4", "1,234", "2"]).problems) == {0, 1}
    assert set(parse_numbers(["3,4", "1,234", "5,678", "2"]).problems) == {0}, "one slip does not cost a column"


def test_typed_columns() -> None:
    numbers = parse_numbers(pl.Series([1.5, None, float("nan"), float("-inf")]))
    assert numbers.values[0] == 1.5
    assert np.isnan(numbers.values[1:]).all()
    assert set(numbers.problems) == {2, 3}
    assert parse_numbers(pl.Series([1, 2], dtype=pl.UInt8)).values.tolist() == [1, 2]
    assert set(parse_numbers(pl.Series([True, None])).problems) == {0}
    assert set(parse_numbers(pl.Series([[1], [2]])).problems) == {0, 1}
    assert parse_numbers([]).values.shape == (0,)


@settings(deadline=None)  # a shared machine is slow now and then
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_every_finite_number_survives(values: list[float]) -> None:
    assert parse_numbers([repr(v) for v in values]).values.tolist() == values


@settings(deadline=None)  # a shared machine is slow now and then
@given(st.integers(-(10**15), 10**15))
def test_thousands_separators_change_nothing(value: int) -> None:
    assert parse_numbers([f"{value:,}", "1"]).values[0] == value


@settings(deadline=None)  # a shared machine is slow now and then
@given(st.lists(st.text(), max_size=5))
def test_no_text_breaks_it(cells: list[str]) -> None:
    cells = [c.encode("utf-8", "ignore").decode() for c in cells]
    numbers = parse_numbers(cells)
    assert numbers.values.shape == (len(cells),)
    assert not np.isinf(numbers.values).any()
    assert all(np.isnan(numbers.values[i]) for i in numbers.problems)
