"""Workbooks as tables: title rows, several sheets, formulas that never run, damage and bombs refused."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lcbm_model.corpus import table_excel
from lcbm_model.corpus.tables import read_openings, read_table
from lcbm_model.errors import TableError
from tests.lcbm_model.workbook import Formula, write_xlsx

ROWS = [["Text", "Clicks", "Rate"], ["First tram", 12, 0.034], [], ["Second tram", 3.5, None], ["1,234", "1,234", " "]]


def test_cells_keep_what_they_say_and_rows_their_number(tmp_path: Path) -> None:
    table = read_table(write_xlsx(tmp_path / "a.xlsx", {"Posts": ROWS}), required=["text"])
    assert table.frame.columns == ["text", "Clicks", "Rate"]
    assert table.frame.rows() == [("First tram", "12", "0.034"), ("Second tram", "3.5", None), ("1,234", "1,234", " ")]
    assert list(table.rows) == [1, 3, 4], "blank rows count, as the sheet shows them"
    assert table.notes == ("column 'Text' is read as 'text'",)


def test_the_first_sheet_with_cells_or_the_one_that_is_named(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", {"Cover": [], "Metrics": [["Date"], ["2024-01-01"]], "Posts": ROWS})
    table = read_table(path)
    assert table.frame.columns == ["Date"]
    assert table.notes == ("read sheet 'Metrics', one of 3",)
    assert read_table(path, sheet="Posts").column("text").to_list() == ["First tram", "Second tram", "1,234"]
    with pytest.raises(TableError, match=r"no such sheet \(got 'Post'\). Sheets there: 'Cover', 'Metrics', 'Posts'"):
        read_table(path, sheet="Post")
    assert [(o.sheet, o.rows[0]) for o in read_openings(path)] == [
        ("Metrics", ("Date",)),
        ("Posts", ("Text", "Clicks", "Rate")),
    ]


def test_title_rows_above_the_headings(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", {"Posts": [["Post performance"], [], *ROWS]})
    assert [row[0] for row in read_openings(path)[0].rows[:3]] == ["Post performance", "", "Text"]
    table = read_table(path, header=2)
    assert table.column("clicks").to_list() == ["12", "3.5", "1,234"]
    assert list(table.rows) == [1, 3, 4]


def test_a_formula_is_never_run_and_its_stored_result_is_read(tmp_path: Path) -> None:
    rows = [["text", "likes"], ["told", Formula("1+1|2")], [Formula('HYPERLINK("http://example.org","x")|shown'), 3]]
    rows += [["untold", Formula("cmd|'/C calc'!A0".replace("|", "!"))]]
    table = read_table(write_xlsx(tmp_path / "a.xlsx", {"Posts": rows}))
    assert table.frame.rows() == [("told", "2"), ("shown", "3"), ("untold", None)]


@pytest.mark.parametrize(
    ("sheets", "header", "said"),
    [
        ({"A": []}, 0, "no sheet with cells"),
        ({"A": [["text"]]}, 0, "no rows of data"),
        ({"A": [["text"]]}, 3, "has no headings"),
        ({"A": [["x"], [" "], ["a"]]}, 1, "empty header"),
        ({"A": [["text", "text"], ["a", "b"]]}, 0, "two columns of one name"),
    ],
)
def test_sheets_that_are_no_tables(
    tmp_path: Path, sheets: dict[str, list[list[object]]], header: int, said: str
) -> None:
    with pytest.raises(TableError, match=said):
        read_table(write_xlsx(tmp_path / "a.xlsx", sheets), header=header)


def test_columns_without_a_heading_are_kept_only_where_filled(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", {"A": [["text", "", "likes", "", ""], ["a", None, 1, "beyond", None]]})
    assert read_table(path).frame.columns == ["text", "column_2", "likes", "column_4"]


def test_an_unpacked_size_beyond_reason_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_excel, "MAX_UNPACKED", 2**20)
    path = write_xlsx(tmp_path / "a.xlsx", {"A": [["text"], ["x" * 2**21]]})
    assert path.stat().st_size < 2**15
    with pytest.raises(TableError, match=r"larger than 1 MiB once unpacked.*Save the sheet of posts as CSV"):
        read_table(path)


def test_a_huge_cell_is_read_as_it_is(tmp_path: Path) -> None:
    table = read_table(write_xlsx(tmp_path / "a.xlsx", {"A": [["text"], ["x" * 3_000_000], ["fine"]]}))
    assert [len(t) for t in table.column("text")] == [3_000_000, 4]


def test_damage_is_said_on_one_line_whatever_is_damaged(tmp_path: Path) -> None:
    whole = write_xlsx(tmp_path / "a.xlsx", {"Posts": ROWS}).read_bytes()
    rng, path, said = random.Random(0), tmp_path / "b.xlsx", []
    for cut in [b"PK", b"text", *(whole[: rng.randrange(5, len(whole))] for _ in range(20)), *_altered(whole, rng, 60)]:
        path.write_bytes(cut)
        try:
            read_table(path)
        except TableError as error:
            said.append(str(error))
    assert len(said) > 40
    assert not [text for text in said if "\n" in text or "b.xlsx" not in text]


def _altered(whole: bytes, rng: random.Random, times: int) -> list[bytes]:
    found = []
    for _ in range(times):
        data = bytearray(whole)
        for _ in range(5):
            data[rng.randrange(len(data))] = rng.randrange(256)
        found.append(bytes(data))
    return found
