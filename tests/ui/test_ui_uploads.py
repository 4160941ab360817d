"""What is uploaded is what its bytes say, under a name nobody chose."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from lcbm_model.errors import PictureError, TableError
from tests.lcbm_model.films import write_film
from ui.thumbs import thumbnail
from ui.uploads import MAX_BYTES, TABLES, checked_picture, checked_table, checked_video, kept_table

EXE = b"MZ\x90\x00\x03\x00\x00\x00" + b"\0" * 200
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def put(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("photo.jpg", EXE),
        ("photo.png", SVG),
        ("photo.svg", SVG),
        ("photo.gif", b"GIF89a"),
        ("photo.webp", b""),
        ("photo.jpg", b"\xff\xd8\xff\xe0" + b"\0" * 50),
    ],
)
def test_what_is_no_picture_is_refused_whatever_its_name(tmp_path: Path, name: str, data: bytes) -> None:
    with pytest.raises(PictureError):
        checked_picture(put(tmp_path, name, data), tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_picture_is_kept_under_a_random_name_with_its_true_ending(tmp_path: Path) -> None:
    path = tmp_path / "../weird name;rm -rf.svg".replace("../", "")
    Image.new("RGB", (40, 30), "teal").save(path, "PNG")
    first, second = (checked_picture(path, tmp_path / "kept") for _ in range(2))
    assert first.suffix == ".png"
    assert first.name != second.name
    assert "weird" not in first.name


def test_tables_are_told_by_their_bytes(tmp_path: Path) -> None:
    assert {".csv", ".tsv", ".xlsx", ".xls", ".ods", ".jsonl", ".parquet"} <= set(TABLES)
    good = {
        "a.csv": b"text,clicks\nhello,3\n",
        "a.tsv": "text\tclicks\nh\u00e9\t3\n".encode("utf-16"),
        "a.xlsx": b"PK\x03\x04rest",
        "a.xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest",
        "a.jsonl": b'{"text": "x"}\n',
    }
    for name, data in good.items():
        assert checked_table(put(tmp_path, name, data)).name == name
    pl.DataFrame({"text": ["a"]}).write_parquet(tmp_path / "a.parquet")
    checked_table(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("a.xlsx", b"text,clicks\n", "is no xlsx file"),
        ("a.xlsx", EXE, "is no xlsx file"),
        ("a.parquet", b"PK\x03\x04", "is no parquet file"),
        ("a.csv", EXE, "is not a text file"),
        ("a.csv", b"  \n", "is empty"),
        ("a.exe", EXE, "is no table"),
        ("a.csv.html", b"<script>", "is no table"),
        ("a", b"text\n", "is no table"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, name: str, data: bytes, problem: str) -> None:
    with pytest.raises(TableError, match=problem):
        kept_table(put(tmp_path, name, data), tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_two_hundred_megabytes_are_refused_unread(tmp_path: Path) -> None:
    big = tmp_path / "big.csv"
    with big.open("wb") as file:
        file.write(b"text\n")
        file.truncate(200 * 2**20)
    with pytest.raises(TableError, match=f"larger than {MAX_BYTES >> 20} MB"):
        checked_table(big)
    with pytest.raises(PictureError, match="larger than"):
        checked_picture(big, tmp_path)


def test_a_table_is_kept_alone_in_a_folder_of_a_random_name(tmp_path: Path) -> None:
    file = put(tmp_path, "Q3 results; DROP TABLE.csv", b"text\nx\n")
    first, second = (kept_table(file, tmp_path / "kept") for _ in range(2))
    assert first.parent != second.parent
    assert first.name == "posts.csv"
    assert len(first.parent.name) == 24
    assert first.read_bytes() == file.read_bytes()


def test_thumbnails_are_small_and_never_fail(tmp_path: Path) -> None:
    Image.effect_noise((3000, 2000), 60).convert("RGBA").save(tmp_path / "big.png")
    made = thumbnail(tmp_path / "big.png")
    assert made is not None
    assert made.startswith("data:image/jpeg;base64,")
    assert len(made) < 120_000
    assert thumbnail(None) is None
    assert thumbnail(tmp_path / "gone.png") is None
    assert thumbnail(put(tmp_path, "bad.png", EXE)) is None
    assert thumbnail(put(tmp_path, "svg.png", SVG)) is None


@pytest.mark.parametrize(
    ("name", "data"), [("film.mp4", EXE), ("film.webm", SVG), ("film.mkv", b""), ("film.exe", EXE)]
)
def test_what_is_no_video_is_refused_whatever_its_name(tmp_path: Path, name: str, data: bytes) -> None:
    with pytest.raises(PictureError) as refused:
        checked_video(put(tmp_path, name, data), tmp_path / "kept")
    assert str(tmp_path) not in str(refused.value)
    assert not (tmp_path / "kept").exists()


def test_a_video_is_kept_under_a_name_nobody_chose(tmp_path: Path) -> None:
    film = write_film(tmp_path / "my film.mp4", [(200, 30, 30)])
    kept = checked_video(film, tmp_path / "kept")
    assert kept.read_bytes() == film.read_bytes()
    assert kept.suffix == ".mp4"
    assert "my" not in kept.name


def test_pictures_are_known_by_their_bytes(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), "red").save(tmp_path / "really_png.jpg", format="PNG")
    copy = checked_picture(tmp_path / "really_png.jpg", tmp_path / "store")
    assert copy.suffix == ".png"
    assert "really" not in copy.name


@pytest.mark.parametrize(
    "data", [b"MZ\x90\x00 this is a program", b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>', b""]
)
def test_what_is_no_picture_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.jpg").write_bytes(data)
    with pytest.raises(PictureError, match="is not a picture"):
        checked_picture(tmp_path / "x.jpg", tmp_path / "store")


def test_a_truncated_picture_is_refused(tmp_path: Path) -> None:
    Image.effect_noise((64, 64), 50).save(tmp_path / "x.png")
    data = (tmp_path / "x.png").read_bytes()
    (tmp_path / "x.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(PictureError, match="cannot be read"):
        checked_picture(tmp_path / "x.png", tmp_path / "store")


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("x.exe", b"MZ", "is no table"),
        ("x.csv", b"MZ\x00\x01", "not a text file"),
        ("x.csv", b"  \n", "is empty"),
        ("x.parquet", b"text\nhello", "is no parquet file"),
    ],
)
def test_tables_are_known_by_their_bytes(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(TableError, match=said):
        checked_table(tmp_path / name)


# The form -----------------------------------------------------------------------------------------------------------


# The sample and the door --------------------------------------------------------------------------------------------
