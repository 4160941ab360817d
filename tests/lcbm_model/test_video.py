"""Videos are seen through a few frames; files from strangers are opened as videos of known formats or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from lcbm_model.errors import PictureError
from lcbm_model.vision.video import FRAMES, frames_folder, is_video, key_frames, seen_media
from optimizer.brief import Brief
from tests.lcbm_model.films import write_film

RED, GREEN, BLUE = (200, 30, 30), (30, 200, 30), (30, 30, 200)


def colour(image: object) -> int:
    """Which of red, green, blue a frame is."""
    return int(np.asarray(image, dtype=float).mean(axis=(0, 1)).argmax())


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LCBM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
def test_one_frame_of_each_scene_in_the_order_of_time(tmp_path: Path, ending: str) -> None:
    film = write_film(tmp_path / f"film{ending}", [RED, GREEN, BLUE])
    frames = key_frames(film)
    assert [colour(frame.image) for frame in frames] == [0, 1, 2]
    assert [frame.seconds for frame in frames] == sorted(frame.seconds for frame in frames)
    assert frames[-1].seconds > 1
    assert len(key_frames(film, most=2)) == 2


def test_a_film_of_one_picture_gives_one_frame(tmp_path: Path) -> None:
    assert len(key_frames(write_film(tmp_path / "still.mp4", [RED, RED, RED, RED]))) == 1


def test_large_frames_are_kept_small(tmp_path: Path) -> None:
    (frame,) = key_frames(write_film(tmp_path / "wide.mp4", [RED], size=(1280, 720)))
    assert frame.image.size == (512, 288)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.mp4", b"", "cannot be decoded"),
        ("junk.mp4", b"\x00\x01\x02" * 500, "cannot be decoded"),
        ("program.mp4", b"MZ\x90\x00" + b"\0" * 400, "cannot be decoded"),
        ("playlist.mp4", b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:9,\nhttp://127.0.0.1:9/x.ts\n", "cannot be decoded"),
        ("list.mkv", b"ffconcat version 1.0\nfile /etc/passwd\n", "cannot be decoded"),
        (
            "drawing.webm",
            b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
            "cannot be decoded",
        ),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PictureError, match=said):
        key_frames(tmp_path / name)


def test_a_video_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.mp4", tmp_path):
        with pytest.raises(PictureError, match="no such video"):
            key_frames(path)


def test_a_film_that_was_cut_off_is_seen_or_refused_in_words(tmp_path: Path) -> None:
    """Matroska can be read from the front; whatever remains of it never ends in another error."""
    film = write_film(tmp_path / "film.mkv", [RED, GREEN, BLUE])
    whole = film.read_bytes()
    for share in (0.1, 0.4, 0.7):
        film.write_bytes(whole[: int(len(whole) * share)])
        try:
            assert 1 <= len(key_frames(film)) <= FRAMES
        except PictureError:
            assert share < 0.7


def test_a_brief_with_a_video_shows_its_frames(tmp_path: Path, cache: Path) -> None:
    film = write_film(tmp_path / "film.mp4", [RED, GREEN, BLUE])
    brief = Brief(message="Pans", draft="A pan", picture=film)
    media = brief.content().media
    assert [m.kind for m in media] == ["image"] * 3
    assert all(m.path.is_relative_to(cache) for m in media)
    assert brief.content("Another").media == media
    write_film(film, [BLUE])
    assert len(brief.content().media) == 1


def test_frames_that_were_swept_are_made_again(tmp_path: Path, cache: Path) -> None:
    film = write_film(tmp_path / "film.mp4", [RED, BLUE])
    frames = [media.path for media in seen_media(film)]
    for frame in frames:
        os.utime(frame, (0, 0))
    seen_media(film)
    assert all(frame.stat().st_mtime > 1e9 for frame in frames)  # looked at: a sweeper leaves them for a while
    assert frames_folder() == cache / "frames"
    frames[0].unlink()
    assert [media.path for media in seen_media(film)] == frames
    assert frames[0].is_file()


def test_pictures_are_handed_through() -> None:
    assert seen_media(None) == ()
    assert [m.path for m in seen_media(Path("a.png"))] == [Path("a.png")]
    assert is_video("A.MP4")
    assert not is_video("a.gif")
