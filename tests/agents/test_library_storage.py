"""A library on disk: whole at every moment, damage is named, another embedder is told."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from filelock import FileLock

from agents import Library
from agents.library import add_posts, storage
from lcbm_model.errors import LibraryError
from tests.agents.hashing_embedder import HashingEmbedder

ROOT = Path(__file__).resolve().parents[2]


def make(n: int, dimension: int = 64) -> Library:
    frame = pl.DataFrame({"text": [f"post {i} of {n}" for i in range(n)], "likes": range(n)})
    return Library.from_frame(frame, embedder=HashingEmbedder(dimension=dimension))


def reopen(folder: Path) -> Library:
    return Library.open(folder, embedder=HashingEmbedder())


def test_what_was_saved_is_what_is_opened(tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text("text,likes,date\nrain,5,2024-01-01\nsun,lots,\nsnow,7,\n", encoding="utf-8")
    built = Library.from_csv(tmp_path / "posts.csv", embedder=HashingEmbedder(), metric="likes")
    assert built.save(tmp_path / "deep" / "library") == tmp_path / "deep" / "library"
    opened = reopen(tmp_path / "deep" / "library")
    assert opened.posts == built.posts
    assert opened.rejected == built.rejected != ()
    assert (opened.metrics, opened.notes, opened.source) == (built.metrics, built.notes, "posts.csv")
    assert opened.search("rain", 2) == built.search("rain", 2)
    assert opened.scale("likes", "post") == built.scale("likes", "post")


def test_the_manifest_says_what_is_there(tmp_path: Path) -> None:
    make(3).save(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    embedder = HashingEmbedder()
    assert manifest["embedder"] == {"name": "hashing", "hash": embedder.hash, "dimension": 64}
    assert (manifest["format"], manifest["posts"], manifest["normalised"]) == (1, 3, True)
    assert manifest["channels"] == {"post": 3}
    for stored in manifest["files"].values():
        assert (tmp_path / stored["name"]).stat().st_size == stored["bytes"]


def test_a_second_save_replaces_the_first_and_leaves_foreign_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    make(3).save(tmp_path)
    still_open = reopen(tmp_path)
    make(5).save(tmp_path)
    assert len(reopen(tmp_path)) == 5
    assert len(still_open.search("post", 10)) == 3, "a library that is open stays whole"
    names = sorted(p.name.split("-")[0] for p in tmp_path.iterdir())
    assert names == [".lock", "manifest.json", "notes.txt", "posts", "rejected", "vectors"]


@pytest.mark.parametrize("role", ["posts", "vectors", "rejected"])
@pytest.mark.parametrize("harm", ["altered", "cut", "gone"])
def test_damage_is_named_and_never_searched(tmp_path: Path, role: str, harm: str) -> None:
    library = make(30)
    library.rejected = (storage.RejectedRow(row=1, column="text", value="", problem="is empty"),)
    library.save(tmp_path)
    (path,) = tmp_path.glob(f"{role}-*")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    if harm == "altered":
        path.write_bytes(data)
    elif harm == "cut":
        path.write_bytes(data[: len(data) // 2])
    else:
        path.unlink()
    with pytest.raises(LibraryError, match=rf"{role}-.*(is damaged|cannot be read).*Build the library anew"):
        reopen(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is damaged"),
        ("{", "is damaged"),
        ('{"format": 2}', "is damaged: format"),
        ("[]", "is damaged"),
    ],
)
def test_a_damaged_manifest(tmp_path: Path, text: str, said: str) -> None:
    make(3).save(tmp_path)
    (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(LibraryError, match=f"manifest.json: {said}"):
        reopen(tmp_path)


def test_a_manifest_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    make(3).save(tmp_path)
    path = tmp_path / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["files"]["posts"]["name"] = "../../posts-0123456789abcdef.parquet"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(LibraryError, match=r"is damaged: files\.posts\.name"):
        reopen(tmp_path)


def test_no_library_there(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(LibraryError, match=r"holds no library.*lcbm library build"):
            reopen(folder)
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(LibraryError, match="holds no library"):
        reopen(tmp_path / "file")
    with pytest.raises(LibraryError, match="cannot be written"):
        make(2).save(tmp_path / "file")


def test_another_embedder_is_told_the_remedy(tmp_path: Path) -> None:
    make(3).save(tmp_path)
    for other in (HashingEmbedder("other"), HashingEmbedder(dimension=32)):
        with pytest.raises(LibraryError, match=r"made by the embedder 'hashing'.*Open it with 'hashing', or build"):
            Library.open(tmp_path, embedder=other)


def test_two_writers_at_once_the_second_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(3).save(tmp_path)
    monkeypatch.setattr(storage, "_LOCK_SECONDS", 0.1)
    with FileLock(tmp_path / ".lock"), pytest.raises(LibraryError, match="somebody else is writing"):
        make(4).save(tmp_path)
    assert len(reopen(tmp_path)) == 3
    make(4).save(tmp_path)
    assert len(reopen(tmp_path)) == 4


def _python(code: str, *args: str) -> subprocess.Popen[str]:
    setup = "import sys\nfrom pathlib import Path\nfrom tests.agents.test_library_storage import make\n"
    command = [sys.executable, "-c", setup + code, *args]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a POSIX feature")
@pytest.mark.parametrize("room", [0, 4_000, 40_000])
def test_a_full_disk_leaves_the_old_library_whole(tmp_path: Path, room: int) -> None:
    """A limit on file sizes makes writes fail in the middle as a full disk does: at once, in posts, in vectors."""
    make(3).save(tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    code = f"""
import resource
library = make(1500)
resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))
try:
    library.save(Path(sys.argv[1]))
except Exception as error:
    print(type(error).__name__, error)
"""
    out, err = _python(code, str(tmp_path)).communicate(timeout=120)
    assert out.startswith("LibraryError"), err
    assert "cannot be written" in out
    assert "untouched" in out
    after = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert {n: after[n] for n in before} == before
    assert not [n for n in after if n.endswith(".part")]
    assert len(reopen(tmp_path)) == 3
    make(4).save(tmp_path)
    assert len(list(tmp_path.glob("posts-*"))) == 1, "what a failed save left is cleared by the next"


def test_killed_in_mid_write_the_old_or_the_new_library_is_there(tmp_path: Path) -> None:
    make(3).save(tmp_path)
    code = """
libraries = [make(300), make(400)]
print("ready", flush=True)
while True:
    for library in libraries:
        library.save(Path(sys.argv[1]))
"""
    rng = random.Random(0)
    for _ in range(3):
        process = _python(code, str(tmp_path))
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.communicate()[1]
            time.sleep(rng.uniform(0.01, 0.3))
        finally:
            process.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
            process.communicate(timeout=60)
        library = reopen(tmp_path)
        assert len(library) in (3, 300, 400)
        assert len(library.search("post 1", 5)) == min(5, len(library))


def test_a_library_from_before_kinds_of_post_were_kept(tmp_path: Path) -> None:
    frame = pl.DataFrame({"text": ["a pan", "a pot"], "likes": [1, 2], "format": ["Photos", None]})
    folder = Library.from_frame(frame, embedder=HashingEmbedder(), metric="likes").save(tmp_path / "new")
    opened = Library.open(folder, embedder=HashingEmbedder())
    assert [p.format for p in opened.posts] == ["photo", None]
    assert [h.post.text for h in opened.search("pan", 5, filters={"format": "image"})] == ["a pan"]

    told = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    posts = folder / told["files"]["posts"]["name"]
    pl.read_parquet(posts).drop("format").write_parquet(posts)
    stored = posts.read_bytes()
    told["files"]["posts"] |= {"sha256": hashlib.sha256(stored).hexdigest(), "bytes": len(stored)}
    (folder / "manifest.json").write_text(json.dumps(told), encoding="utf-8")
    older = Library.open(folder, embedder=HashingEmbedder(), verify=True)
    assert [p.format for p in older.posts] == [None, None]
    assert older.search("pan", 5, filters={"format": "photo"}) == []
    (tmp_path / "more.csv").write_text("text,likes,format\na pin,3,Reels\n", encoding="utf-8")
    add_posts(folder, tmp_path / "more.csv", embedder=HashingEmbedder())
    grown = Library.open(folder, embedder=HashingEmbedder())
    assert [p.format for p in grown.posts] == [None, None, "video"]
