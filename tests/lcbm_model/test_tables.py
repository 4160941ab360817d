"""Tables: good rows stay, bad rows are named, files that are no tables are refused with the remedy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcbm_model.corpus import textlines
from lcbm_model.corpus.tables import Table, read_table
from lcbm_model.errors import TableError


def write(folder: Path, name: str, data: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def refused(path: Path, **options: object) -> str:
    with pytest.raises(TableError) as caught:
        read_table(path, **options)
    return str(caught.value)


@pytest.fixture
def posts() -> list[dict[str, object]]:
    return [{"text": "First tram of the day", "clicks": 12}, {"text": 'A "quoted", wide pan', "clicks": 3}]


def test_the_three_formats_agree(tmp_path: Path, posts: list[dict[str, object]]) -> None:
    frame = pl.DataFrame(posts)
    frame.write_csv(tmp_path / "a.csv")
    frame.write_csv(tmp_path / "a.tsv", separator="\t")
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_ndjson(tmp_path / "a.jsonl")
    for path in sorted(tmp_path.iterdir()):
        table = read_table(path, required=["text"])
        assert table.column("text").to_list() == [p["text"] for p in posts], path.name
        assert [str(v) for v in table.column("clicks")] == ["12", "3"], path.name
        assert list(table.rows) == [1, 2]
        assert table.problems == ()
        assert table.notes == ()


def test_headings_are_found_whatever_their_case_and_required_ones_renamed(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "a.csv", "Text,Click rate\nhello,0.1\n"), required=["text"])
    assert table.frame.columns == ["text", "Click rate"]
    assert table.find("click_rate") == "Click rate"
    assert table.find("shares") is None
    assert table.notes == ("column 'Text' is read as 'text'",)


def test_a_missing_column_names_the_near_one_and_all_there(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,click_rates\nhello,0.1\n")
    message = refused(path, required=["click_rate"])
    assert "no column 'click_rate'" in message
    assert "Did you mean 'click_rates'" in message
    assert "'text'" in message
    with pytest.raises(TableError, match="no column 'shares'"):
        read_table(path).column("shares")


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "text,clicks\n", "no rows of data"),
        ("a.csv", "\n\nhello,1\n", "empty header"),
        ("a.csv", "text,text\na,b\n", "two columns of one name"),
        ("a.csv", 'text,clicks\nfine,1\n"open,2\nmore,3\n', "line 3: opens a quotation mark"),
        ("a.csv", "text,clicks\na,1\n".encode("utf-16-le"), "NUL"),
        ("a.csv", b"text\n\x81\xff\n", "line 2: is neither UTF-8 nor Windows-1252"),
        ("a.csv", "text,clicks\nonly one cell\n", "no usable row"),
        ("a.jsonl", "[1]\n", "no usable row"),
        ("a.xlsx", "PK", "is no readable spreadsheet"),
        ("a.docx", "PK", "Known endings: .csv"),
        ("a.parquet", b"PAR1 nothing of the kind PAR1", "no whole Parquet"),
        ("a.parquet", b"text", "no whole Parquet"),
    ],
)
def test_files_that_are_no_tables(tmp_path: Path, name: str, data: str | bytes, said: str) -> None:
    message = refused(write(tmp_path, name, data))
    assert said in message
    assert name in message


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "is not a file" in refused(tmp_path / "folder.csv")


def test_a_parquet_cut_off_or_altered_is_refused_and_never_half_read(tmp_path: Path) -> None:
    whole = tmp_path / "a.parquet"
    pl.DataFrame({"text": [f"post {i}" for i in range(2000)]}).write_parquet(whole)
    data = whole.read_bytes()
    for cut in (10, len(data) // 2, len(data) - 1):
        assert "Parquet" in refused(write(tmp_path, "cut.parquet", data[:cut]))
    assert "Parquet" in refused(write(tmp_path, "altered.parquet", data[: len(data) - 60] + b"\xff" * 52 + data[-8:]))


def test_bad_csv_rows_are_named_and_the_others_stay(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "a.csv", 'text,clicks\na,1\nb,2,3\n\n"c"d,4\ne\0,5\n,\n"f\ng",6\n=cmd(),7\n'))
    assert table.frame.rows() == [("a", "1"), ("f\ng", "6"), ("=cmd()", "7")]
    assert list(table.rows) == [1, 7, 8], "blank rows count, as in a spreadsheet"
    assert [(p.row, p.problem) for p in table.problems] == [
        (2, "has 3 cells, the header has 2"),
        (4, "is no CSV: ',' expected after '\"'"),
        (5, "holds a NUL character"),
    ]


def test_bad_json_lines_are_named_and_the_others_stay(tmp_path: Path) -> None:
    lines = ['{"text": "a", "clicks": 1.5}', '{"text": "\\u0000"}', "[]", "{", '{"text": "\\ud800"}', "", "[" * 90_000]
    lines += ['{"text": "b", "tags": ["x"], "clicks": null}', '{"text": true}', f'{{"n": {"9" * 5000}}}']
    table = read_table(write(tmp_path, "a.jsonl", "\n".join(lines)))
    assert table.column("text").to_list() == ["a", "b", "true"]
    assert table.column("clicks").to_list() == ["1.5", None, None]
    assert table.column("tags").to_list() == [None, '["x"]', None]
    assert list(table.rows) == [1, 8, 9]
    assert [p.row for p in table.problems] == [2, 3, 4, 5, 7, 10]


def test_parquet_rows_with_nul_are_left_out_and_categories_become_text(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    frame = pl.DataFrame({"text": ["a", "b\0", "c"], "kind": pl.Series(["x", "y", "x"], dtype=pl.Categorical)})
    frame.write_parquet(path)
    table = read_table(path)
    assert table.frame.rows() == [("a", "x"), ("c", "x")]
    assert list(table.rows) == [1, 3]
    assert [(p.row, p.column, p.value) for p in table.problems] == [(2, "text", "b\\0")]


def test_mixed_encodings_keep_every_letter_and_say_so(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "a.csv", "text\ncafé\n".encode() + "thé\nnaïve\n".encode("cp1252")))
    assert table.column("text").to_list() == ["café", "thé", "naïve"]
    assert len(table.notes) == 1
    assert "2 lines are not UTF-8 (first: line 3)" in table.notes[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_marked_encodings(tmp_path: Path, encoding: str) -> None:
    table = read_table(write(tmp_path, "a.csv", "text;clicks\nžluťoučký kůň;1\n".encode(encoding)))
    assert table.frame.rows() == [("žluťoučký kůň", "1")]
    assert "columns are separated by ';'" in table.notes


def test_an_endless_line_is_refused_without_being_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textlines, "MAX_LINE", 2**20)
    path = write(tmp_path, "a.csv", b"text\n" + b"x" * 2**21)
    assert "line 2: is longer than 1 MiB" in refused(path)
    assert "is longer than" in refused(write(tmp_path, "a.jsonl", b'{"text": "' + b"x" * 2**21))


def test_a_cell_beyond_the_csv_limit_costs_its_row_only(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "a.csv", "text\n" + "x" * 200_000 + "\nfine\n"))
    assert table.column("text").to_list() == ["fine"]
    assert table.problems[0].row == 1


_cells = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\r"), min_size=1).filter(str.strip)


@settings(deadline=None)  # a shared machine is slow now and then
@given(texts=st.lists(_cells, min_size=1, max_size=8))
def test_any_text_survives_both_text_formats(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("any")
    pl.DataFrame({"text": texts}).write_csv(folder / "a.csv", quote_style="always")
    lines = "\n".join(json.dumps({"text": t}) for t in texts)
    for table in (read_table(folder / "a.csv"), read_table(write(folder, "a.jsonl", lines))):
        assert isinstance(table, Table)
        assert table.column("text").to_list() == texts
        assert np.array_equal(np.asarray(table.rows), np.arange(1, len(texts) + 1))
