"""Lines to score, pasted or from files, and what a file says of each."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lcbm_model.errors import TableError
from tests.lcbm_model.workbook import write_xlsx
from ui.lines import MAX_LINES, Line, lines_from
from ui.ranking import Setting
from ui.uploads import checked_table


def texts_of(file: Path) -> list[str]:
    return [line.text for line in lines_from("", file)[0]]


def test_lines_and_files_come_together_without_repeats(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('text,n\n"two\nlines",1\nB,2\n,3\n', encoding="utf-8")
    lines, notes = lines_from("A\n\nB\nA", tmp_path / "x.csv")
    assert ([line.text for line in lines], notes) == (
        ["A", "B", "two lines"],
        ["2 repeated lines left out"],
    )
    (tmp_path / "x.jsonl").write_text('{"text": "C"}\n\n{"text": "D"}\n')
    assert texts_of(tmp_path / "x.jsonl") == ["C", "D"]
    (tmp_path / "x.txt").write_text("E\nF\n")
    assert texts_of(tmp_path / "x.txt") == ["E", "F"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.csv", b"Text;id\nCaf\xc3\xa9 au lait;1\n"),
        ("x.csv", b"text,id\nCaf\xe9 au lait,1\n"),
        ("x.tsv", b"id\tTEXT\n1\tCaf\xc3\xa9 au lait\n"),
        ("x.jsonl", b'{"Text": "Caf\xc3\xa9 au lait"}\n{"Text": null}\n'),
        ("x.txt", b"\xef\xbb\xbfCaf\xc3\xa9 au lait\n"),
        ("x.txt", b"Caf\xe9 au lait\n"),
        ("x.txt", "Caf\u00e9 au lait\n".encode("utf-16")),
    ],
)
def test_files_are_read_as_the_command_line_reads_them(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    assert texts_of(checked_table(tmp_path / name, also=(".txt",))) == ["Caf\u00e9 au lait"]


def test_a_spreadsheet_is_read(tmp_path: Path) -> None:
    pl.DataFrame({"Text": ["A pan", None, "A pot"], "n": [1, 2, 3]}).write_parquet(tmp_path / "x.parquet")
    assert texts_of(tmp_path / "x.parquet") == ["A pan", "A pot"]
    book = write_xlsx(tmp_path / "x.xlsx", {"Sheet 1": [["id", "Text"], [1, "A pan"], [2, "A pot"]]})
    assert texts_of(checked_table(book)) == ["A pan", "A pot"]


def test_what_was_guessed_or_left_out_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"text,id\nCaf\xe9,1\na,b,c,d\nPan,2\n")
    lines, notes = lines_from("", tmp_path / "x.csv")
    assert [line.text for line in lines] == ["Caf\u00e9", "Pan"]
    assert "Windows-1252" in notes[0]
    assert "rows left out: 1; the first is row 2" in notes[-1]


@pytest.mark.parametrize("data", [b"headline\nx\n", b'text\n"never closed\n', b"text\n\x81\xff\n"])
def test_files_without_readable_texts_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.csv").write_bytes(data)
    with pytest.raises(TableError, match=r"^x\.csv") as refused:
        lines_from("", tmp_path / "x.csv")
    assert str(tmp_path) not in str(refused.value)


def test_too_many_lines_are_refused() -> None:
    with pytest.raises(TableError, match=str(MAX_LINES)):
        lines_from("\n".join(map(str, range(MAX_LINES + 1))), None)
    with pytest.raises(TableError, match="are empty"):
        lines_from(" \n ", None)


def test_a_file_says_what_each_line_goes_with(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(
        "text,Title,format\nLook at this,Ten pans that last,link\n"
        'Look at this,,photo\n"Look  at this",,photo\nNo more,,\n'
    )
    lines, _ = lines_from("Pasted", tmp_path / "x.csv")
    assert lines == [
        Line("Pasted"),
        Line("Look at this", "Ten pans that last", "link"),
        Line("Look at this", None, "photo"),
        Line("No more"),
    ]
    assert [line.about for line in lines] == ["", "link \N{MIDDLE DOT} Ten pans that last", "photo", ""]
    contents = [Setting("post", format="status", title="A page").content(line) for line in lines]
    assert [(c.title, c.format) for c in contents] == [
        ("A page", "status"), ("Ten pans that last", "link"), ("A page", "photo"), ("A page", "status"),
    ]  # fmt: skip
