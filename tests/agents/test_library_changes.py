"""Adding, updating and taking out: figures follow the newest file, and nothing is ever half done."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from agents import Library
from agents.library import Change, add_posts, delete_posts, storage
from lcbm_model.errors import LibraryError, TableError
from tests.agents.hashing_embedder import HashingEmbedder

ROOT = Path(__file__).resolve().parents[2]
HEADER = "id,text,channel,date,impressions,clicks\n"
FIRST = HEADER + "a,Rain sells umbrellas,post,2024-01-05,1000,20\nb,Sun sells hats,post,2024-01-06,1000,30\n"


def csv(folder: Path, name: str, data: str) -> Path:
    path = folder / name
    path.write_text(data, encoding="utf-8")
    return path


@pytest.fixture
def library(tmp_path: Path) -> Path:
    built = Library.from_csv(csv(tmp_path, "first.csv", FIRST), metric="click_rate", embedder=HashingEmbedder())
    return built.save(tmp_path / "library")


def add(library: Path, data: str, name: str = "second.csv", **options: Any) -> Change:
    return add_posts(library, csv(library.parent, name, data), embedder=HashingEmbedder(), **options)


def counts(change: Change) -> tuple[int, int, int, int, int]:
    return change.added, change.updated, change.unchanged, change.repeated, change.deleted


def values(library: Path) -> dict[str, dict[str, float]]:
    return {p.id: p.values for p in Library.open(library, embedder=HashingEmbedder()).posts}


def test_new_posts_are_added_and_known_ones_get_their_new_figures(library: Path) -> None:
    change = add(
        library,
        HEADER
        + "b,Sun sells hats,post,2024-01-06,2000,80\n"  # new figures
        + "a,Rain sells umbrellas,post,2024-01-05,1000,20\n"  # the same again
        + "c,Snow sells sleds,post,2024-01-07,1000,50\n"
        + "d,,post,2024-01-07,1000,50\n",
    )
    assert counts(change) == (1, 1, 1, 0, 0)
    assert values(library) == {"a": {"click_rate": 0.02}, "b": {"click_rate": 0.04}, "c": {"click_rate": 0.05}}
    assert [(r.row, r.problem) for r in change.rejected] == [(4, "is empty")]
    opened = Library.open(library, embedder=HashingEmbedder())
    assert opened.posts == change.library.posts
    assert opened.source == "first.csv, second.csv"
    assert [p.percentiles["click_rate"] for p in opened.posts] == pytest.approx([100 / 6, 50, 500 / 6]), "ranked anew"
    assert opened.search("Snow sells sleds", 1)[0].post.id == "c"
    assert add(library, HEADER + "c,Snow sells sleds,post,2024-01-07,1000,50\n").unchanged == 1


def test_a_changed_text_is_found_by_its_new_words(library: Path) -> None:
    assert counts(add(library, HEADER + "a,Thunder sells candles,post,,1000,20\n")) == (0, 1, 0, 0, 0)
    opened = Library.open(library, embedder=HashingEmbedder())
    hit = opened.search("Thunder sells candles", 1)[0]
    assert (hit.post.id, hit.similarity) == ("a", pytest.approx(1, abs=1e-5))
    assert hit.post.values == {"click_rate": 0.02}
    assert str(hit.post.date) == "2024-01-05", "what the file leaves out stays"


def test_posts_without_ids_are_known_by_what_they_say(tmp_path: Path) -> None:
    table = "text,likes\nOne thing,1\nAnother thing,2\n"
    Library.from_csv(csv(tmp_path, "a.csv", table), embedder=HashingEmbedder()).save(tmp_path / "library")
    change = add(tmp_path / "library", "text,likes\nA third thing,7\nOne thing,5\n")
    assert counts(change) == (1, 1, 0, 0, 0)
    assert {p.text: p.values["likes"] for p in change.library.posts} == {
        "One thing": 5,
        "Another thing": 2,
        "A third thing": 7,
    }


def channels(change: Change) -> dict[str, str]:
    return {post.id: post.channel for post in change.library.posts}


def test_a_post_keeps_its_channel_where_no_cell_says_one(tmp_path: Path) -> None:
    table = "id,text,channel,likes\na,Rain,headline,1\nb,Sun,advert,2\nc,Sun,headline,3\n"
    Library.from_csv(csv(tmp_path, "a.csv", table), embedder=HashingEmbedder()).save(tmp_path / "library")
    change = add(tmp_path / "library", "id,text,likes\na,Rain,5\nb,Sun,6\nc,Sun,7\nd,Fog,8\n")
    assert channels(change) == {"a": "headline", "b": "advert", "c": "headline", "d": "post"}
    assert counts(change) == (1, 3, 0, 0, 0)
    assert change.rejected == (), "b and c say the same in two channels"
    change = add(tmp_path / "library", "id,text,channel,likes\na,Rain,,5\nb,Sun,Video,6\ne,Hail,,9\n")
    assert channels(change) == {"a": "headline", "b": "video", "c": "headline", "d": "post", "e": "post"}
    assert counts(change) == (1, 1, 1, 0, 0)


def test_a_post_without_id_and_channel_is_found_by_its_text(tmp_path: Path) -> None:
    table = "text,channel,likes\nRain,post,1\nSun,,2\n"
    Library.from_csv(csv(tmp_path, "a.csv", table), embedder=HashingEmbedder()).save(tmp_path / "library")
    for again in ("text,likes\nRain,5\nSun,6\n", "text,channel,likes\nRain,,7\nSun,post,8\n"):
        assert counts(add(tmp_path / "library", again)) == (0, 2, 0, 0, 0)


def test_another_export_brings_its_own_metric(library: Path) -> None:
    change = add(library, "id,text,likes,views\nz,Fog sells lamps,5,100\na,Rain sells umbrellas,9,\n")
    assert change.library.metrics == ("click_rate", "like_rate", "likes", "views")
    assert values(library)["a"] == {"click_rate": 0.02, "likes": 9.0}
    assert values(library)["z"] == {"like_rate": 0.05, "likes": 5.0, "views": 100.0}
    assert any("the file has no click_rate" in note for note in change.notes)


def test_a_repeat_under_another_id_leaves_the_better_measured(library: Path) -> None:
    change = add(library, HEADER + "x,Sun sells hats,post,2024-03-06,9000,90\ny,Rain sells  umbrellas,post,,10,1\n")
    assert counts(change) == (2, 0, 0, 2, 0)
    assert set(values(library)) == {"a", "x"}
    assert any("'b' (as 'x')" in note and "'y' (as 'a')" in note for note in change.notes)
    assert add(library, HEADER + "y,Rain sells umbrellas,post,,10,1\n", dedupe="no").repeated == 0


def test_posts_are_taken_out(library: Path) -> None:
    with pytest.raises(LibraryError, match=r"has no post 'q', 'r'. Nothing was taken out"):
        delete_posts(library, ["a", "q", "r"], embedder=HashingEmbedder())
    with pytest.raises(LibraryError, match="would have no post left"):
        delete_posts(library, ["a", "b"], embedder=HashingEmbedder())
    assert set(values(library)) == {"a", "b"}
    change = delete_posts(library, ["a"], embedder=HashingEmbedder())
    assert counts(change) == (0, 0, 0, 0, 1)
    assert values(library) == {"b": {"click_rate": 0.03}}
    assert change.library.search("Rain sells umbrellas", 5)[0].post.id == "b"


def test_a_bad_file_changes_nothing(library: Path) -> None:
    before = {p.name: p.read_bytes() for p in library.iterdir()}
    with pytest.raises(TableError, match="no column 'text'"):
        add(library, "headline,clicks\na,1\n")
    with pytest.raises(LibraryError, match="no usable row"):
        add(library, HEADER + "q,Text,post,2024-01-05,10,20\n")
    with pytest.raises(LibraryError, match="holds no library"):
        add(library.parent / "none", FIRST)
    with pytest.raises(LibraryError, match=r"made by the embedder 'hashing'.*Open it with"):
        add_posts(library, library.parent / "first.csv", embedder=HashingEmbedder("other"))
    assert {p.name: p.read_bytes() for p in library.iterdir()} == before


def test_a_second_writer_waits_and_is_told_when_it_takes_long(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_LOCK_SECONDS", 0.1)
    with FileLock(library / ".lock"), pytest.raises(LibraryError, match="somebody else is writing"):
        add(library, FIRST)
    assert add(library, FIRST).unchanged == 2


_ADDING = """
import sys
from pathlib import Path
from agents.library import add_posts
from tests.agents.hashing_embedder import HashingEmbedder
folder, name, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
for i in range(rounds):
    path = folder.parent / f"{name}{i}.csv"
    path.write_text("id,text,likes\\n" + "".join(f"{name}{i}-{j},{name} {i} says {j},{j}\\n" for j in range(40)))
    add_posts(folder, path, embedder=HashingEmbedder())
    print(i, flush=True)
"""


def _adding(library: Path, name: str, rounds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _ADDING, str(library), name, str(rounds)]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_two_processes_that_add_at_once_lose_nothing(library: Path) -> None:
    processes = [_adding(library, name, 3) for name in ("left", "right")]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    assert len(values(library)) == 2 + 2 * 3 * 40


def test_killed_in_mid_change_the_old_or_the_new_library_is_there(library: Path) -> None:
    rng = random.Random(1)
    known = 2
    for turn in range(3):
        process = _adding(library, f"turn{turn}-", 50)
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.communicate()[1]
            process.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.4))
        finally:
            process.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
            process.communicate(timeout=60)
        found = values(library)
        assert (len(found) - 2) % 40 == 0, "every file is in as a whole or not at all"
        assert len(found) > known
        assert found["a"] == {"click_rate": 0.02}
        known = len(found)
    assert delete_posts(library, ["a"], embedder=HashingEmbedder()).deleted == 1, "a killed process leaves no lock"
