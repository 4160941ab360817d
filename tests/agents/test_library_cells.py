"""Cells as spreadsheets and pasted text bring them: dates, half days, stray quotation marks, line separators."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from agents.library import Library
from agents.library.changes import add_posts
from agents.library.dates import parse_dates
from agents.library.storage import MANIFEST
from lcbm_model.errors import LibraryError
from tests.agents.hashing_embedder import HashingEmbedder

TODAY = date(2024, 12, 1)
MONTH_FIRST = ("%m/%d/%Y %H:%M",)


@pytest.mark.parametrize(
    ("cells", "hours"),
    [
        (["03/15/2024 9:30PM", "03/16/2024 8:05AM"], [21, 8]),
        (["2024-03-05 09:30pm"], [21]),
        (["2024-03-05 9:30 PM"], [21]),
        (["03/15/2024 9:30 CET"], [9]),
    ],
)
def test_half_days_are_read_with_and_without_a_space(cells: list[str], hours: list[int]) -> None:
    found = parse_dates(pl.Series(cells), TODAY)
    assert found.problems == {}
    assert found.hours == hours


def test_the_column_decides_against_the_exports_own_format() -> None:
    """A file saved anew in another country: the fifteenth month shows it."""
    european = pl.Series(["05/03/2024 10:00", "15/03/2024 11:00", "07/03/2024 11:00", "22/03/2024 09:00"])
    assert {day.month for day in parse_dates(european, TODAY, MONTH_FIRST).days if day} == {3}
    open_ = pl.Series(["05/03/2024 10:00", "07/03/2024 11:00"])
    assert [day.month for day in parse_dates(open_, TODAY, MONTH_FIRST).days if day] == [5, 7]


@pytest.mark.parametrize("mark", ["\N{LINE SEPARATOR}", "\N{PARAGRAPH SEPARATOR}", "\x85"])
def test_a_rejected_cell_with_a_line_separator_keeps_the_library_readable(tmp_path: Path, mark: str) -> None:
    rows = f"text,shares\nGood pan{mark}for life,5\nGood pan{mark}for life,3\nother,2\n"
    (tmp_path / "posts.csv").write_text(rows, encoding="utf-8")
    built = Library.from_file(tmp_path / "posts.csv", embedder=HashingEmbedder())
    built.save(tmp_path / "library")
    opened = Library.open(tmp_path / "library", embedder=HashingEmbedder())
    assert opened.rejected == built.rejected
    assert len(opened.rejected) == 1


def test_rejected_rows_that_were_damaged_are_told(tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text("text,shares\nsame,5\nsame,3\nother,2\n")
    Library.from_file(tmp_path / "posts.csv", embedder=HashingEmbedder()).save(tmp_path / "library")
    (file,) = [path for path in (tmp_path / "library").iterdir() if "rejected" in path.name]
    assert file.name != MANIFEST
    file.write_text(file.read_text().replace("{", "[", 1))
    with pytest.raises(LibraryError, match="rejected"):
        Library.open(tmp_path / "library", embedder=HashingEmbedder())


def test_adding_a_file_leaves_old_repeats_alone(tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text("id,text,shares\n1,same words,5\n2,same words,9\n3,x,1\n")
    (tmp_path / "more.csv").write_text("id,text,shares\n4,new,5\n5,x,9\n")
    built = Library.from_file(tmp_path / "posts.csv", embedder=HashingEmbedder(), dedupe="no")
    built.save(tmp_path / "library")
    change = add_posts(tmp_path / "library", tmp_path / "more.csv", embedder=HashingEmbedder())
    kept = {post.id for post in Library.open(tmp_path / "library", embedder=HashingEmbedder()).posts}
    assert {"1", "2", "4"} < kept
    assert change.repeated == 1  # the x of the file or of the library


def test_a_stray_quotation_mark_says_which_lines_it_took(tmp_path: Path) -> None:
    lines = ["text,shares", "a one,1", '"b two,2', "c three,3", "d four,4", '"f six",6', "g seven,7"]
    (tmp_path / "posts.csv").write_text("\n".join(lines))
    library = Library.from_file(tmp_path / "posts.csv", embedder=HashingEmbedder())
    assert [post.text for post in library.posts] == ["a one", "g seven"]
    assert "opens a quotation mark in line 3 that line 6 closes" in library.rejected[0].problem


def test_posts_without_ids_are_found_again_by_their_text(tmp_path: Path) -> None:
    """Also where the next table leaves the channel out, or lies in another folder with its pictures."""
    for month, rows in (
        ("jan", "text,channel,image,shares\nsame words,caption,p.png,5\nx,caption,,1\n"),
        ("feb", "text,image,shares\nsame words,p.png,50\nx,,3\nnew,,2\n"),
        ("mar", "text,channel,shares\nx,email_subject,9\n"),
    ):
        (tmp_path / month).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / month / "p.png")
        (tmp_path / month / "posts.csv").write_text(rows)
    built = Library.from_file(tmp_path / "jan" / "posts.csv", embedder=HashingEmbedder())
    built.save(tmp_path / "library")
    change = add_posts(tmp_path / "library", tmp_path / "feb" / "posts.csv", embedder=HashingEmbedder())
    assert (change.added, change.updated) == (1, 2)
    found = {post.text: (post.channel, post.values["shares"]) for post in change.library.posts}
    assert found == {"same words": ("caption", 50), "x": ("caption", 3), "new": ("post", 2)}
    elsewhere = add_posts(tmp_path / "library", tmp_path / "mar" / "posts.csv", embedder=HashingEmbedder())
    assert (elsewhere.added, elsewhere.updated) == (1, 0)


def test_ids_that_a_spreadsheet_rounded_are_no_ids(tmp_path: Path) -> None:
    rounded = ["178414012345678016", "178414012345678016", "178414012345679008"]
    (tmp_path / "posts.csv").write_text(
        "id,text,shares\n" + "".join(f"{r},post {i},5\n" for i, r in enumerate(rounded))
    )
    library = Library.from_file(tmp_path / "posts.csv", embedder=HashingEmbedder())
    assert len(library.posts) == 3
    assert not library.rejected
    assert any("3 ids" in note and "cut short" in note for note in library.notes)
    whole = ["178414012345678123", "122100123456789123", "1784140123456781"]
    (tmp_path / "whole.csv").write_text("id,text,shares\n" + "".join(f"{w},post {i},5\n" for i, w in enumerate(whole)))
    assert [p.id for p in Library.from_file(tmp_path / "whole.csv", embedder=HashingEmbedder()).posts] == whole
