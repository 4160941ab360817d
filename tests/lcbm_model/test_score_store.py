"""The file under the score cache: many processes, a bounded size, damage."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lcbm_model.content import Content
from lcbm_model.errors import SettingsError
from lcbm_model.simulator.score_cache import CachedSimulator, ScoreStore
from lcbm_model.simulator.score_cache.settings import open_store
from tests.fakes import FakeSimulator

ROOT = Path(__file__).resolve().parents[2]
WHO = FakeSimulator().identity.model_dump_json()


def key(n: int) -> bytes:
    return n.to_bytes(8, "big") + b"rest of the key!"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scores.sqlite"


@pytest.fixture
def open_at(path: Path) -> Iterator[Callable[..., ScoreStore]]:
    made: list[ScoreStore] = []

    def make(**settings: object) -> ScoreStore:
        made.append(ScoreStore(path, **settings))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for store in made:
        store.close()


def start(path: Path, first: int, last: int, rounds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.lcbm_model.score_cache_process", *map(str, (path, first, last, rounds))]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> int:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "score cache" not in err
    return int(out)


def test_processes_share_one_file(path: Path) -> None:
    ranges = [(0, 600), (300, 900), (0, 900)]
    asked = sum(finish(process) for process in [start(path, *part, 2) for part in ranges])
    assert 900 <= asked <= 600 + 600 + 900  # each at least once; two may ask at the same time; never in round 2
    assert finish(start(path, 0, 900, 1)) == 0
    with closing(ScoreStore(path)) as store:
        found = store.statistics()
    assert found.entries == 900
    assert found.misses == asked
    assert found.hits + found.misses == 2 * (600 + 600 + 900) + 900


def test_threads_share_one_simulator(path: Path) -> None:
    simulator = CachedSimulator(FakeSimulator(), path)
    contents = [Content(text="x" * (n % 80) + str(n)) for n in range(300)]
    truth = FakeSimulator().predict(contents, "shares")
    wrong: list[int] = []

    def work(first: int) -> None:
        for start in range(first, 300, 20):
            if simulator.predict(contents[start : start + 30], "shares") != truth[start : start + 30]:
                wrong.append(start)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(0, 80, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    assert simulator.store.statistics().entries == 300
    simulator.close()


def test_the_least_recently_used_go_first(open_at: Callable[..., ScoreStore], path: Path) -> None:
    now = [1000.0]
    store = open_at(max_bytes=2**18, touch_after=5.0, clock=lambda: now[0])
    kept, old, new = ([key(n) for n in part] for part in (range(200), range(200, 600), range(600, 1000)))
    store.put(dict.fromkeys([*kept, *old], b"x" * 250), WHO)
    now[0] += 100
    assert len(store.find(kept, WHO)) == 200
    now[0] += 100
    store.put(dict.fromkeys(new, b"x" * 250), WHO)  # more than 256 kB by now
    assert len(store.find([*kept, *new], WHO)) == 600
    assert len(store.find(old, WHO)) < 200
    for n in range(10_000, 20_000, 500):
        store.put({key(i): b"y" * 200 for i in range(n, n + 500)}, WHO)
    assert len(store.find([key(19_999)], WHO)) == 1
    store.close()
    assert path.stat().st_size < 2 * 2**18


def test_reading_does_not_write_until_time_has_passed(open_at: Callable[..., ScoreStore], path: Path) -> None:
    store = open_at()
    store.put({key(1): b"x"}, WHO)
    other = open_at(timeout=0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert other.find([key(1)], WHO) == {key(1): b"x"}
        writer.execute("ROLLBACK")


def test_a_busy_file_is_left_out_for_one_call(
    open_at: Callable[..., ScoreStore], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_at(timeout=0.05)
    store.put({key(1): b"x"}, WHO)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        store.put({key(2): b"y"}, WHO)
        writer.execute("ROLLBACK")
    assert "busy" in caplog.text
    store.put({key(3): b"z"}, WHO)
    assert store.find([key(n) for n in (1, 2, 3)], WHO) == {key(1): b"x", key(3): b"z"}


def test_another_key_of_the_same_place_is_a_miss(open_at: Callable[..., ScoreStore]) -> None:
    store = open_at()
    store.put({key(1): b"x"}, WHO)
    twin = key(1)[:8] + b"another rest...!"
    assert store.find([twin], WHO) == {}
    store.put({twin: b"y"}, WHO)
    assert store.find([twin], WHO) == {twin: b"y"}
    assert store.find([key(1)], WHO) == {}


def test_a_flipped_bit_is_a_miss_and_never_another_score(
    open_at: Callable[..., ScoreStore], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_at()
    store.put({key(1): b"score", key(2): b"other"}, WHO)
    store.close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE scores SET value = CAST(replace(CAST(value AS TEXT), 'score', 'scare') AS BLOB)")
        db.execute("UPDATE scores SET value = 7 WHERE key = 2")
    assert store.find([key(1), key(2)], WHO) == {}
    assert "2 damaged rows" in caplog.text
    assert store.statistics().entries == 0


@pytest.mark.parametrize("how", ["garbage", "header", "cut", "middle"])
def test_a_damaged_file_is_moved_aside_and_begun_anew(path: Path, how: str, caplog: pytest.LogCaptureFixture) -> None:
    contents = [Content(text="x" * (n % 80) + str(n)) for n in range(500)]
    truth = FakeSimulator().predict(contents, "shares")
    simulator = CachedSimulator(FakeSimulator(), path)
    simulator.predict(contents, "shares")
    simulator.close()
    data = path.read_bytes()
    broken = {
        "garbage": b"no database at all " * 500,
        "header": b"\xff" * 100 + data[100:],
        "cut": data[: len(data) // 2],
        "middle": data[:4096] + b"\xa5" * (len(data) - 4096),
    }[how]
    path.write_bytes(broken)
    for _ in range(2):
        assert simulator.predict(contents, "shares") == truth
    assert "is damaged" in caplog.text
    assert path.with_name("scores.sqlite.damaged").read_bytes() == broken
    assert simulator.inner.calls == 1000  # the first time, and once more after the damage
    simulator.close()


def test_damage_under_an_open_connection_is_found_by_all(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    contents = [Content(text="x" * (n % 80) + str(n)) for n in range(500)]
    truth = FakeSimulator().predict(contents, "shares")
    pair = [CachedSimulator(FakeSimulator(), path) for _ in range(2)]
    for simulator in pair:
        simulator.predict(contents, "shares")
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (path.stat().st_size - 4096))
    for simulator in pair:
        simulator.store._connection().execute("PRAGMA cache_size = 0")  # read from the file, not from memory
        assert simulator.predict(contents, "shares") == truth
    assert caplog.text.count("begun anew") == 1
    for simulator in pair:
        assert simulator.predict(contents, "shares") == truth
        assert simulator.store.out_of_use is None
        simulator.close()


def test_somebody_elses_database_is_left_as_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE accounts (n INTEGER)")
    before = path.read_bytes()
    with pytest.raises(SettingsError, match="something else"):
        CachedSimulator(FakeSimulator(), path).predict([Content(text="a")], "shares")
    assert path.read_bytes() == before


def test_a_file_of_another_version_is_left_as_it_is(open_at: Callable[..., ScoreStore], path: Path) -> None:
    store = open_at()
    store.put({key(1): b"x"}, WHO)
    store.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(SettingsError, match="another version"):
        store.find([key(1)], WHO)


def test_what_cannot_be_a_cache_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="sqlite"):
        ScoreStore(tmp_path / "brief.yaml")
    with pytest.raises(SettingsError, match="max_bytes"):
        ScoreStore(tmp_path / "s.sqlite", max_bytes=10)


def test_a_folder_that_cannot_be_made_costs_the_cache_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    simulator = CachedSimulator(FakeSimulator(), tmp_path / "file" / "scores.sqlite")
    for _ in range(2):
        assert simulator.predict([Content(text="a")], "shares")[0].ok
    assert simulator.store.out_of_use
    assert [r.levelno for r in caplog.records] == [logging.WARNING]
    assert simulator.store.statistics().entries == 0


def test_a_full_disk_costs_the_cache_and_nothing_else(
    open_at: Callable[..., ScoreStore], caplog: pytest.LogCaptureFixture
) -> None:
    store = open_at()
    store.put({key(1): b"x"}, WHO)
    pages = store._connection().execute("PRAGMA page_count").fetchone()[0]
    store._connection().execute(f"PRAGMA max_page_count = {pages}")  # SQLITE_FULL, as a full disk gives it
    store.put({key(n): b"x" * 500 for n in range(2, 100)}, WHO)
    assert "full" in str(store.out_of_use)
    assert store.find([key(1)], WHO) == {}
    assert caplog.text.count("goes on without it") == 1


def test_clear_empties_the_file_for_everyone(open_at: Callable[..., ScoreStore], path: Path) -> None:
    one, other = open_at(), open_at()
    one.put({key(n): b"x" * 100 for n in range(2000)}, WHO, misses=2000)
    other.find([key(1)], WHO)
    before = one.statistics()
    assert (before.entries, before.misses) == (2000, 2000)
    assert one.clear() == 2000
    assert other.find([key(1)], WHO) == {}
    after = other.statistics()
    assert (after.entries, after.checkpoints) == (0, ())
    assert after.bytes < before.bytes / 4
    other.put({key(1): b"x"}, WHO)
    assert one.find([key(1)], WHO) == {key(1): b"x"}


def test_statistics_name_the_simulators(path: Path) -> None:
    for name in ("a", "b"):
        simulator = CachedSimulator(FakeSimulator(name=name), path)
        for _ in range(3):
            simulator.predict([Content(text="x" * n) for n in range(1, 4 + (name == "b"))], "shares")
        simulator.close()
    found = ScoreStore(path).statistics()
    assert [(c.label, c.entries, c.hits, c.misses) for c in found.checkpoints] == [
        ("b (fake, tuned, uncalibrated)", 4, 8, 4),
        ("a (fake, tuned, uncalibrated)", 3, 6, 3),
    ]
    assert (found.entries, found.hits, found.misses) == (7, 14, 7)


def test_looking_makes_no_file(path: Path) -> None:
    store = ScoreStore(path)
    assert store.statistics().entries == 0
    assert store.clear() == 0
    store.close()
    assert not path.exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_opens_the_file_for_itself(path: Path) -> None:
    code = (
        "import os, sys\n"
        "from lcbm_model.simulator.score_cache import ScoreStore\n"
        "store = ScoreStore(sys.argv[1])\n"
        "key = bytes(23) + b'k'\n"
        "store.put({key: b'parent'}, 'x')\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    store.put({bytes(23) + b'c': b'child'}, 'x')\n"
        "    os._exit(0 if len(__import__('lcbm_model').simulator.score_cache.store._orphans) == 1 else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert store.find([key], 'x') or store.find([bytes(23) + b'c'], 'x')\n"
        "store.close()"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, check=True, timeout=60)


@pytest.mark.parametrize("size", ["0", "-1", "many", "1.5", "9" * 30])
def test_a_wrong_size_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch, size: str) -> None:
    monkeypatch.setenv("LCBM_SCORE_CACHE_MB", size)
    with pytest.raises(SettingsError, match="LCBM_SCORE_CACHE_MB"):
        open_store(path)
    monkeypatch.setenv("LCBM_SCORE_CACHE_MB", "3")
    assert open_store(path).max_bytes == 3 * 2**20
