"""Figures and times as exports in many languages write them; what stays in doubt is refused and not guessed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import Library
from agents.library.dates import parse_dates
from lcbm_model.corpus.localised import Kind, plain_figures
from lcbm_model.corpus.tables import parse_numbers
from tests.agents.hashing_embedder import HashingEmbedder

TODAY = date(2026, 1, 1)


def figures(cells: list[str], kind: Kind) -> tuple[list[float | None], list[str]]:
    plain, notes = plain_figures(pl.Series("Views", cells), kind)
    return [None if v != v else v for v in parse_numbers(plain).values.tolist()], notes


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1,234", "12", "1,234,567"], "count", [1234, 12, 1234567]),
        (["1.234", "12", "1.234.567"], "count", [1234, 12, 1234567]),
        (["1.234", "2.5"], "count", [1.234, 2.5]),
        (["1.234,50", "7"], "count", [1234.5, 7]),
        (["1 234", "1\u202f234", "1'234"], "count", [1234, 1234, 1234]),
        (["1.2K", "3,4 Mio.", "12 Tsd.", "5M", "900"], "count", [1200, 3.4e6, 12000, 5e6, 900]),
        (["0:01:30", "2:05", "1:00:00"], "count", [90, 125, 3600]),
        (["--", "-", "—", "n/a", "", "k. A.", "5"], "count", [None, None, None, None, None, None, 5]),
        (["3,4 %", "0,5%", "12 %"], "rate", [0.034, 0.005, 0.12]),
        (["0,034", "0,1"], "rate", [0.034, 0.1]),
        (["1,234 %", "0,5 %"], "rate", [0.01234, 0.005]),
        (["3.4%", "12.75 %"], "rate", [0.034, 0.1275]),
        (["2,5", "1,75"], "rating", [2.5, 1.75]),
        (["1,234", "2"], "rating", [1234, 2]),
        (["3,4", "3.4"], "rate", [None, 3.4]),
        (["3,4", "12"], "count", [None, 12]),
    ],
)
def test_localised_figures(cells: list[str], kind: Kind, values: list[float | None]) -> None:
    assert figures(cells, kind)[0] == pytest.approx(values)


def test_what_was_done_is_said() -> None:
    assert figures(["1.2K", "12"], "count")[1] == [
        "column 'Views': 1 rounded figures (1.2K as 1200); posts that near each other cannot be told apart, an exact "
        "export is better"
    ]
    assert "commas are read as decimal marks (3,4 % as 3.4 %)" in figures(["3,4 %"], "rate")[1][0]
    assert "times are read as seconds (0:01:30 as 90)" in figures(["0:01:30"], "count")[1][0]
    assert figures(["1,234", "5", ""], "count")[1] == []


@settings(deadline=None)  # a shared machine is slow now and then
@given(st.lists(st.integers(0, 10**12), min_size=1), st.sampled_from(",.'\u202f "))
def test_counts_survive_every_separator(counts: list[int], separator: str) -> None:
    assert figures([f"{n:,}".replace(",", separator) for n in counts], "count")[0] == counts


@settings(deadline=None)  # a shared machine is slow now and then
@given(st.lists(st.integers(0, 10_000), min_size=1), st.sampled_from(".,"))
def test_percentages_survive_both_decimal_marks(hundredths: list[int], mark: str) -> None:
    cells = [f"{n / 100:.2f} %".replace(".", mark) for n in hundredths]
    assert figures(cells, "rate")[0] == pytest.approx([n / 10_000 for n in hundredths])


@settings(deadline=None)  # a shared machine is slow now and then
@given(st.lists(st.text(), max_size=5), st.sampled_from(["count", "rate", "rating"]))
def test_no_text_breaks_it(cells: list[str], kind: Kind) -> None:
    cells = [c.encode("utf-8", "ignore").decode() for c in cells]
    assert len(plain_figures(pl.Series("x", cells, dtype=pl.String), kind)[0]) == len(cells)


@pytest.mark.parametrize(
    ("cell", "day", "hour"),
    [
        ("Mar 5, 2024", date(2024, 3, 5), None),
        ("March 5, 2024", date(2024, 3, 5), None),
        ("5 Mar 2024 14:05", date(2024, 3, 5), 14),
        ("Fri, Feb 27, 2026", None, None),
        ("Tue, Mar 5, 2024", date(2024, 3, 5), None),
        ("2024-03-05T23:30:00-08:00", date(2024, 3, 5), 23),
        ("2024-03-05 23:30 +0000", date(2024, 3, 5), 23),
        ("2024-03-05 23:30:00 UTC", date(2024, 3, 5), 23),
        ("2024-03-05 23:30 (PST)", date(2024, 3, 5), 23),
        ("25.03.2024, 14:05", date(2024, 3, 25), 14),
        ("03/25/2024 02:05 PM", date(2024, 3, 25), 14),
        ("2024-03-05 00:00:00", date(2024, 3, 5), None),
        ("25-03-2024", date(2024, 3, 25), None),
        ("--", None, None),
    ],
)
def test_times_as_they_are_written(cell: str, day: date | None, hour: int | None) -> None:
    found = parse_dates(pl.Series([cell]), TODAY)
    assert (found.days, found.hours) == (([date(2026, 2, 27)], [None]) if "2026" in cell else ([day], [hour]))
    assert set(found.problems.values()) == ({"lies in the future"} if "2026" in cell else set())


def test_one_bad_cell_does_not_cost_the_column_and_doubt_does() -> None:
    found = parse_dates(pl.Series(["05/13/2024", "06/02/2024", "soon", "12/25/2024 10:00"]), TODAY)
    assert found.days == [date(2024, 5, 13), date(2024, 6, 2), None, date(2024, 12, 25)]
    assert found.problems == {2: "is not a date; write 2024-12-31"}
    doubt = parse_dates(pl.Series(["05/03/2024", "06/02/2024"]), TODAY)
    assert set(doubt.problems.values()) == {"may be day or month first; write 2024-12-31"}
    told = parse_dates(pl.Series(["05/03/2024", "06/02/2024"]), TODAY, ["%m/%d/%Y"])
    assert told.days == [date(2024, 5, 3), date(2024, 6, 2)]
    typing_error = [f"{day:02d}/{month:02d}/2024" for day in range(1, 13) for month in range(1, 13)] + ["03/25/2024"]
    assert 0 in parse_dates(pl.Series(typing_error), TODAY).problems, "one odd cell does not turn a whole column"


@settings(deadline=None)  # a shared machine is slow now and then
@given(st.lists(st.text(), max_size=5))
def test_no_text_breaks_the_dates(cells: list[str]) -> None:
    found = parse_dates(pl.Series(cells, dtype=pl.String), TODAY)
    assert len(found.days) == len(found.hours) == len(cells)


def test_ids_that_a_spreadsheet_cut_short_do_not_merge_posts(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text("id,text,likes\n1.80E+16,One,1\n1.80E+16,Two,2\n77,Three,3\n", encoding="utf-8")
    library = Library.from_csv(path, embedder=HashingEmbedder())
    assert len(library) == 3
    assert library.posts[2].id == "77"
    assert any("2 ids such as '1.80E+16' were cut short" in note for note in library.notes)


def test_hostile_cells(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    cells = ["\x1b[31mred\x07 alert\x9b", "=HYPERLINK(1)", "right\u202eto left", "two\r\nlines", "x" * 100_001, "\x1b"]
    rows = "".join(f'{i},"{cell}",{i}\n' for i, cell in enumerate(cells))
    path.write_bytes(("id,text,likes\n" + rows).encode())
    library = Library.from_csv(path, embedder=HashingEmbedder())
    assert [p.text for p in library.posts] == ["[31mred alert", "=HYPERLINK(1)", "right\u202eto left", "two\nlines"]
    assert [(r.row, r.problem) for r in library.rejected] == [
        (5, "is longer than 100000 characters"),
        (6, "is empty"),
    ]
    assert "2 texts held control characters, which are left out" in library.notes
