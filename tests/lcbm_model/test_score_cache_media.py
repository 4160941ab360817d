"""The score cache and pictures by their bytes; what cannot be read is handed through."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lcbm_model.content import Content, Media
from lcbm_model.prediction import Prediction
from lcbm_model.simulator.base import Context, Known
from lcbm_model.simulator.score_cache import CachedSimulator
from tests.lcbm_model.recording import ONE, Recording


def test_pictures_are_known_by_their_bytes(cached: Callable[..., CachedSimulator], tmp_path: Path) -> None:
    one, copy = tmp_path / "one.png", tmp_path / "copy.png"
    one.write_bytes(b"a" * 100)
    copy.write_bytes(b"a" * 100)
    simulator = cached()

    def ask(path: Path, **fields: str) -> int:
        before = len(simulator.inner.texts)
        simulator.predict([ONE.model_copy(update={"media": (Media(path=path, **fields),)})], "shares")
        return len(simulator.inner.texts) - before

    assert ask(one) == 1
    assert ask(copy) == 0
    assert ask(one, alt="a loaf") == 1
    one.write_bytes(b"b" * 100)  # at once, and of the same size: its times may not tell
    assert ask(one) == 1
    old = tmp_path / "old.png"
    old.write_bytes(b"c")
    os.utime(old, (1, 1))
    assert ask(old) == 1
    old.write_bytes(b"d")
    os.utime(old, (1, 1))
    assert ask(old) == 1


def test_a_picture_that_changes_meanwhile_is_not_kept(cached: Callable[..., CachedSimulator], tmp_path: Path) -> None:
    picture = tmp_path / "p.png"
    picture.write_bytes(b"before")
    shown = ONE.model_copy(update={"media": (Media(path=picture),)})

    class Meddled(Recording):
        def predict(self, *call: object) -> list[Prediction]:  # type: ignore[override]
            picture.write_bytes(b"after")
            return super().predict(*call)  # type: ignore[arg-type]

    cached(Meddled()).predict([shown], "shares")
    for content in (b"before", b"after"):
        picture.write_bytes(content)
        simulator = cached()
        simulator.predict([shown], "shares")
        assert len(simulator.inner.texts) == 1


@pytest.mark.parametrize("name", ["missing.png", "folder", "no\0name"])
def test_unreadable_media_are_handed_through(cached: Callable[..., CachedSimulator], tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    shown = ONE.model_copy(update={"media": (Media(path=tmp_path / name),)})
    simulator = cached()
    for _ in range(2):
        assert len(simulator.predict([shown, shown], "shares")) == 2
    assert [len(texts) for texts in simulator.inner.texts] == [2, 2]


def test_a_pipe_for_a_picture_is_not_opened(cached: Callable[..., CachedSimulator], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    shown = ONE.model_copy(update={"media": (Media(path=tmp_path / "pipe.png"),)})
    assert cached().predict([shown], "shares")[0].ok  # reading it would wait for ever


def test_text_that_is_no_unicode_is_handed_through(cached: Callable[..., CachedSimulator]) -> None:
    odd = Content(text="\ud800", channel="post")
    simulator = cached()
    assert [p.ok for p in simulator.predict([odd, ONE, odd], "shares")] == [True, True, True]
    simulator.predict([odd, ONE], "shares")
    assert simulator.inner.texts == [["\ud800", ONE.text, "\ud800"], ["\ud800"]]
    assert simulator.predict([ONE], "shares", Context(examples=(Known(text="\ud800", percentile=1),)))[0].ok
