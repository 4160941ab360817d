"""The Library tab's service: reading by hand, pictures, search, both sides, what is offered to the Optimise tab."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

from lcbm_model.errors import InputError, LibraryError, PictureError, TableError
from tests.agents.hashing_embedder import HashingEmbedder
from tests.lcbm_model.workbook import write_xlsx
from tests.ui.floors_fake import fake_floors
from ui.library_mapping import Mapping, by_our_names
from ui.library_service import KEPT, LibraryService, Reading
from ui.library_tab import item_of, tiles
from ui.services import Services


def built(reading: Reading) -> Any:
    from agents.library import Library

    return Library.from_file(reading.path, metric=reading.metric, embedder=HashingEmbedder(), **reading.options())


@pytest.fixture
def library() -> Iterator[LibraryService]:
    floors = replace(fake_floors(), load_library=lambda path, metric: built(Reading(path, path.name, metric)))
    services = Services(floors)
    yield LibraryService(services, build=built)
    services.close()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = "".join(
        f"Invented post {i} about {'copper' if i % 2 else 'toast'},{i * 3},1000,2026-02-{i:02d},p{i}.png\n"
        for i in range(1, 25)
    )
    path = tmp_path / "our posts.csv"
    path.write_text(f"Message,Taps,Shown,Day,Photo\n{rows}", encoding="utf-8")
    return path


MAPPED = {"text": "Message", "clicks": "Taps", "impressions": "Shown", "date": "Day"}


def test_headings_of_ones_own_are_mapped_by_hand(library: LibraryService, table: Path) -> None:
    plain = library.keep(table, "click_rate")
    seen = library.preview(replace(plain, columns={"text": "Message"}))
    assert "click_rate" in seen.problem
    assert "/tmp" not in seen.problem
    reading = library.keep(table, "click_rate", columns=MAPPED)
    seen = library.preview(reading)
    assert seen.problem == ""
    assert {c.heading: c.read_as for c in seen.columns}["Taps"] == ("clicks",)
    key, opened = library.open(reading)
    assert len(opened.posts) == 24
    asked = library.search(key, "copper", k=3)
    assert len(asked) == 3
    # Under our own names it can be read without the mapping, as the Optimise tab does.
    again = built(Reading(library.table_for_briefs(key), "x", "click_rate"))
    assert [p.values["click_rate"] for p in again.posts] == pytest.approx(
        [p.values["click_rate"] for p in opened.posts]
    )
    assert [p.exposure for p in again.posts] == [p.exposure for p in opened.posts]


@pytest.mark.parametrize("metric", ["likes", "like_rate", "views"])
def test_a_measure_that_is_anothers_exposure_stands_in_the_table_once(
    library: LibraryService, tmp_path: Path, metric: str
) -> None:
    path = tmp_path / "posts.csv"
    rows = "".join(f"Invented post {i},{i},{100 * i}\n" for i in range(1, 25))
    path.write_text(f"Message,likes,views\n{rows}", encoding="utf-8")
    key, opened = library.open(library.keep(path, metric, columns={"text": "Message"}))
    assert len(opened.posts) == 24
    again = built(Reading(library.table_for_briefs(key), "x", metric))
    assert [p.values[metric] for p in again.posts] == pytest.approx([p.values[metric] for p in opened.posts])


def test_a_name_that_holds_the_kept_one_is_told_whole(library: LibraryService, table: Path) -> None:
    reading = library.keep(table.rename(table.parent / "our_posts.csv"), "click_rate")
    with pytest.raises(TableError) as caught:
        library.open(reading)
    assert "our_posts.csv" in str(caught.value)
    assert "our_our" not in str(caught.value)


def test_messages_name_the_file_as_its_owner_knows_it(library: LibraryService, table: Path) -> None:
    reading = library.keep(table, "click_rate")
    with pytest.raises(TableError) as caught:
        library.open(reading)
    assert "our posts.csv" in str(caught.value)
    assert str(reading.path.parent) not in str(caught.value)


def test_pictures_that_come_along_are_shown_and_missing_ones_cost_no_row(
    library: LibraryService, table: Path, tmp_path: Path
) -> None:
    pictures = []
    for i in (1, 2):
        Image.new("RGB", (60, 40), (i * 90, 90, 90)).save(tmp_path / f"P{i}.png")
        pictures.append(tmp_path / f"P{i}.png")
    mapped = {**MAPPED, "image": "Photo"}
    alone = library.keep(table, "click_rate", columns=mapped)
    seen = library.preview(alone)
    assert seen.problem == ""
    assert "24 posts name a picture that did not come along: read without it" in seen.notes
    _, opened = library.open(alone)
    assert len(opened.posts) == 24
    assert all(p.image is None for p in opened.posts)
    _, opened = library.open(library.keep(table, "click_rate", pictures, columns=mapped))
    assert len(opened.posts) == 24
    shown = [p for p in opened.posts if p.image is not None]
    assert len(shown) == 2
    assert item_of(shown[0], "click_rate")["thumb"].startswith("data:image/jpeg")
    with pytest.raises(PictureError):
        library.keep(table, "click_rate", [table])
    with pytest.raises(InputError, match="more than 200"):
        library.keep(table, "click_rate", pictures * 101)


@pytest.fixture
def pictured(tmp_path: Path) -> tuple[pl.DataFrame, list[Path]]:
    """Eight posts in our own columns, each naming its picture, and the pictures."""
    files = [tmp_path / f"{i}.png" for i in range(8)]
    for i, file in enumerate(files):
        Image.new("RGB", (40, 40), (i * 30, 0, 0)).save(file)
    rows = {
        "text": [f"Post number {i} about pans" for i in range(8)],
        "clicks": list(range(8)),
        "impressions": [100] * 8,
        "image": [file.name for file in files],
    }
    return pl.DataFrame(rows), files


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_in_which_every_row_names_a_picture_opens_with_all_of_them(
    library: LibraryService, pictured: tuple[pl.DataFrame, list[Path]], tmp_path: Path, ending: str
) -> None:
    posts, pictures = pictured
    table = tmp_path / f"posts.{ending}"
    if ending == "csv":
        posts.write_csv(table)
    else:
        posts.with_columns(tags=pl.lit(["pans", "copper"])).write_parquet(table)
    reading = library.keep(table, "click_rate", pictures)
    seen = library.preview(reading)
    assert seen.problem == ""
    assert {c.heading: c.samples for c in seen.columns}["image"] == ("0.png", "1.png", "2.png")
    _, opened = library.open(reading)
    shown = [Image.open(p.image).getpixel((0, 0)) for p in opened.posts]
    assert shown == [(i * 30, 0, 0) for i in range(8)]


def test_without_its_pictures_such_a_table_serves_every_tab(
    library: LibraryService, pictured: tuple[pl.DataFrame, list[Path]], tmp_path: Path
) -> None:
    posts, _ = pictured
    table = tmp_path / "upload" / "posts.csv"
    table.parent.mkdir()
    posts.write_csv(table)
    _, opened = library.open(library.keep(table, "click_rate"))
    for past in (opened, library.services.library(table, "click_rate")):
        assert len(past.posts) == 8
        assert not past.rejected
        assert all(p.image is None for p in past.posts)


def test_a_preview_counts_rows_as_the_file_does(library: LibraryService, tmp_path: Path) -> None:
    rows = ["A pan,3,100,a.png", "Two pans,4,100,b.png,too,many", "Three pans,lots,100,https://x.org/c.png"]
    table = tmp_path / "posts.csv"
    table.write_text("\n".join(["text,clicks,impressions,image", *rows]), encoding="utf-8")
    seen = library.preview(library.keep(table, "click_rate"))
    assert seen.rows == 3
    assert [bad.row for bad in seen.rejected] == [2, 3]
    assert [p.text for p in seen.posts] == ["A pan"]
    assert any(note.startswith("1 post names a picture") for note in seen.notes)
    assert any("web addresses" in note for note in seen.notes)


def test_excel_is_read_too(library: LibraryService, tmp_path: Path) -> None:
    rows = [["text", "shares"], *([f"Post {i}", str(i)] for i in range(9))]
    write_xlsx(tmp_path / "posts.xlsx", {"Notes": [["nothing"]], "Posts": rows})
    _, opened = library.open(library.keep(tmp_path / "posts.xlsx", "shares", sheet="Posts"))
    assert len(opened.posts) == 9


def test_a_search_is_narrowed_and_its_conditions_are_checked(library: LibraryService, table: Path) -> None:
    key, _ = library.open(library.keep(table, "click_rate", columns=MAPPED))
    late = library.search(key, "copper", since="2026-02-20")
    assert late
    assert all(str(h.post.date) >= "2026-02-20" for h in late)
    best = library.search(key, "copper", floor=75)
    assert best
    assert all((h.percentile or 0) >= 75 for h in best)
    with pytest.raises(LibraryError):
        library.search(key, "copper", since="some day")
    with pytest.raises(TableError, match="is empty"):
        library.search(key, "  ")
    with pytest.raises(LibraryError, match="Open a library first"):
        library.search(None, "copper")
    with pytest.raises(LibraryError, match="again"):
        library.search("0" * 32, "copper")


def test_both_sides_and_insights(library: LibraryService, table: Path, tmp_path: Path) -> None:
    key, _ = library.open(library.keep(table, "click_rate", columns=MAPPED))
    sides = library.contrast(key, "copper")
    assert sides.complete
    assert min(h.percentile or 0 for h in sides.well) > max(h.percentile or 0 for h in sides.badly)
    with pytest.raises(TableError, match="theme"):
        library.contrast(key, "")
    with pytest.raises(LibraryError, match="too few"):
        library.insights(key)


def test_only_so_many_are_held(library: LibraryService, table: Path) -> None:
    reading = library.keep(table, "click_rate", columns=MAPPED)
    keys = [library.open(reading)[0] for _ in range(KEPT + 1)]
    assert len(set(keys)) == KEPT + 1
    with pytest.raises(LibraryError):
        library.get(keys[0])
    assert library.get(keys[-1])[0].shown == "our posts.csv"


def test_the_forms_fields_become_our_names() -> None:
    chosen = Mapping.options("", " Sheet 2 ", 3, "Message", "", "Taps", "Shown", "", "Day", "", "", "")
    assert chosen["sheet"] == "Sheet 2"
    assert chosen["source"] is None
    assert chosen["header"] == 3
    assert by_our_names(chosen["columns"], "click_rate") == {
        "text": "Message",
        "clicks": "Taps",
        "impressions": "Shown",
        "date": "Day",
    }
    assert by_our_names({"result": "Shares total"}, "shares") == {"shares": "Shares total"}
    with pytest.raises(TableError, match="not what shares is made of"):
        by_our_names({"count": "x"}, "shares")
    with pytest.raises(TableError, match="0 to 1000"):
        Mapping.options("", "", -1, *[""] * 9)


def test_figures_of_a_library_have_units(library: LibraryService, table: Path) -> None:
    _, opened = library.open(library.keep(table, "click_rate", columns=MAPPED))
    made = tiles(list(opened.posts), "click_rate")
    assert made[0] == {"value": "24", "unit": "posts", "hint": "Rows of your file that could be used."}
    assert all(tile["unit"] and tile["hint"] for tile in made)
    assert len(tiles([], "click_rate")) == 3
