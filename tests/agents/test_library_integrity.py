"""Large files are hashed once and then known by their stamps; no harm to them goes unseen."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import polars as pl
import pytest

from agents import Library
from agents.library import integrity
from lcbm_model.errors import LibraryError
from tests.agents.hashing_embedder import HashingEmbedder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library whose vectors count as large."""
    monkeypatch.setattr(integrity, "HASHED_ALWAYS", 20_000)
    frame = pl.DataFrame({"text": [f"post {i}" for i in range(100)], "likes": range(100)})
    Library.from_frame(frame, embedder=HashingEmbedder()).save(tmp_path / "library")
    return tmp_path / "library"


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Roles of the files that are hashed, as they are."""
    seen: list[str] = []

    def watch(path: Path, real: object = integrity.digest) -> str:
        seen.append(path.name.split("-")[0])
        return real(path)  # type: ignore[operator]

    monkeypatch.setattr(integrity, "digest", watch)
    return seen


def reopen(folder: Path) -> Library:
    return Library.open(folder, embedder=HashingEmbedder())


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_large_file_just_written_is_not_hashed_again(folder: Path, hashed: list[str]) -> None:
    assert len(reopen(folder).search("post 3", 5)) == 5
    assert sorted(hashed) == ["posts", "rejected"]


def test_the_full_check_hashes_everything(folder: Path, hashed: list[str]) -> None:
    Library.check(folder)
    assert sorted(hashed) == ["posts", "rejected", "vectors"]


def test_harm_to_a_large_file_is_named_even_with_its_time_set_back(folder: Path) -> None:
    (vectors,) = folder.glob("vectors-*")
    before = vectors.stat()
    flip(vectors)
    os.utime(vectors, ns=(before.st_atime_ns, before.st_mtime_ns))
    for attempt in (lambda: reopen(folder), lambda: Library.check(folder)):
        with pytest.raises(LibraryError, match=r"vectors-.*is damaged"):
            attempt()


def test_a_copy_is_hashed_once(folder: Path, tmp_path: Path, hashed: list[str]) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    reopen(tmp_path / "copy")
    assert "vectors" in hashed
    hashed.clear()
    reopen(tmp_path / "copy")
    assert "vectors" not in hashed


def test_a_damaged_copy_is_named(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    flip(next((tmp_path / "copy").glob("vectors-*")))
    with pytest.raises(LibraryError, match=r"vectors-.*is damaged"):
        reopen(tmp_path / "copy")


@pytest.mark.parametrize("notes", ["", "[]", '{"x": 1}', "\0"])
def test_damaged_notes_only_cost_time(folder: Path, hashed: list[str], notes: str) -> None:
    (folder / integrity.STAMPS).write_text(notes, encoding="utf-8")
    reopen(folder)
    assert "vectors" in hashed
    assert list(json.loads((folder / integrity.STAMPS).read_text(encoding="utf-8"))) != []


def test_bits_lost_beneath_the_stamp_are_found_by_the_full_check(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a failing disk does: other bytes under the same stamp."""
    (vectors,) = folder.glob("vectors-*")
    stamp = integrity._stamp
    flip(vectors)
    noted = json.loads((folder / integrity.STAMPS).read_text(encoding="utf-8"))[vectors.name]
    monkeypatch.setattr(integrity, "_stamp", lambda path, sha: noted if path == vectors else stamp(path, sha))
    reopen(folder)
    with pytest.raises(LibraryError, match=r"vectors-.*is damaged"):
        Library.check(folder)


def test_small_files_leave_no_notes(tmp_path: Path) -> None:
    frame = pl.DataFrame({"text": ["a", "b"], "likes": [1, 2]})
    Library.from_frame(frame, embedder=HashingEmbedder()).save(tmp_path)
    assert not (tmp_path / integrity.STAMPS).exists()
