"""Packed scores by key in one SQLite file for all processes of a user.

A cache is never a reason that a score is wrong: a row carries the rest of its key and a checksum. Nor that scoring
fails: a damaged file is moved aside and a new one begun; a file that cannot be used (a full disk, no permission) is
left alone for the rest of the process. Both are said in the log. Only a file that belongs to something else raises.
"""

from __future__ import annotations

import logging
import math
import os
import sqlite3
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from lcbm_model.errors import SettingsError
from lcbm_model.simulator.score_cache.database import bytes_used, connect, writing
from lcbm_model.simulator.score_cache.statistics import CacheStatistics, read_statistics
from lcbm_model.write_ahead import error_code

log = logging.getLogger(__name__)
T = TypeVar("T")

MAX_BYTES = 256 * 2**20
"""More than a million scores."""
KEPT_SHARE = 0.8
"""What is left of a full cache after the least recently used scores were dropped."""
_LOOKUP = 500
"""Keys asked for at once: below SQLite's limit on host parameters."""
_PLACE = 8
"""Bytes of a key that place its row in the table."""
_FLUSH_SECONDS = 5.0
_TOUCHED_MOST = 20_000
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_orphans: list[sqlite3.Connection] = []
"""Connections of a parent process: closing them in the child would disturb the parent."""


class ScoreStore:
    """Keys (24 bytes) to rows of bytes, bounded in size, the least recently used dropped first. For many threads.

    Args:
        path: The file, "*.sqlite"; made with its folder at the first use.
        max_bytes: Of rows in the file; when they are more, a fifth is dropped.
        timeout: Seconds to wait for another process that writes.
        touch_after: Seconds; a row's time of use is kept only this exactly, so that reading seldom writes.
        clock: Seconds since 1970.

    Raises:
        SettingsError: The path does not end in ".sqlite", or `max_bytes` is below 64 KiB.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        max_bytes: int = MAX_BYTES,
        timeout: float = 10.0,
        touch_after: float = 3600.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path, self.max_bytes, self.timeout = Path(path), max_bytes, timeout
        if self.path.suffix != ".sqlite":  # damaged files are moved aside: nothing else may be taken for one
            raise SettingsError("score cache", "must be a file that ends in .sqlite", value=str(path))
        if max_bytes < 2**16:
            raise SettingsError("score cache", "max_bytes must be at least 65536", value=max_bytes)
        self.touch_after, self.clock = touch_after, clock
        self.out_of_use: str | None = None
        """Why the file is left alone; None while it is used."""
        self.emptied = 0
        """How often `clear` was called here: what a caller remembers of the rows is then out of date."""
        self._db: sqlite3.Connection | None = None
        self._opened_by = self._inode = 0
        self._lock = threading.RLock()
        self._hits: Counter[str] = Counter()
        self._touched: set[int] = set()
        self._flushed = time.monotonic()

    def find(self, keys: Sequence[bytes], simulator: str) -> dict[bytes, bytes]:
        """Rows of those keys that are known. `simulator` (its identity as JSON) is credited with the hits.

        Raises:
            SettingsError: The file is a database of something else, or of another version.
        """
        nothing: dict[bytes, bytes] = {}
        places = {int.from_bytes(key[:_PLACE], "big", signed=True): key for key in keys}
        with self._lock:
            found = self._use(lambda db: self._find(db, places), nothing)
            self._hits[simulator] += len(found)
            if time.monotonic() - self._flushed > _FLUSH_SECONDS or len(self._touched) > _TOUCHED_MOST:
                self.put({}, simulator)
        return found

    def put(self, rows: Mapping[bytes, bytes], simulator: str, *, misses: int = 0) -> None:
        """Keep rows, and count scores that had to be made.

        Raises:
            SettingsError: The file is a database of something else, or of another version.
        """
        with self._lock:
            self._use(lambda db: self._put(db, rows, simulator, misses), None)
            self._flushed = time.monotonic()

    def count(self, simulator: str, *, hits: int) -> None:
        """Credit a simulator with hits that its caller answered from memory."""
        with self._lock:
            self._hits[simulator] += hits

    def clear(self) -> int:
        """Drop everything and give the space back. Returns how many scores there were."""
        with self._lock:
            self.emptied += 1
            self._aside.unlink(missing_ok=True)
            self._hits.clear()
            self._touched.clear()
            return self._use(_empty, 0) if self.path.exists() else 0

    def statistics(self) -> CacheStatistics:
        """Entries, size, and hits by checkpoint. Makes no file."""
        nothing = CacheStatistics(path=self.path)
        return self._use(lambda db: read_statistics(db, self.path), nothing) if self.path.exists() else nothing

    def close(self) -> None:
        """Write what is still to be counted and let go of the file. A later call opens it again."""
        with self._lock:
            if self._opened_by != os.getpid():
                return
            for simulator in list(self._hits)[:1]:
                self.put({}, simulator)
            self._disconnect()

    # Rows -------------------------------------------------------------------------------------------------------

    def _find(self, db: sqlite3.Connection, places: Mapping[int, bytes]) -> dict[bytes, bytes]:
        stale = self.clock() - self.touch_after
        asked, damaged = list(places), []
        found: dict[bytes, bytes] = {}
        for start in range(0, len(asked), _LOOKUP):
            part = asked[start : start + _LOOKUP]
            marks = ",".join("?" * len(part))
            query = f"SELECT key, used, value FROM scores WHERE key IN ({marks})"
            for place, used, value in db.execute(query, part):
                key = places[place]
                row = _unseal(value, key)
                if row is None:
                    damaged.append((place,))
                elif row:
                    found[key] = row
                    if used < stale:
                        self._touched.add(place)
        if damaged:
            log.warning("score cache %s: %d damaged rows dropped", self.path, len(damaged))
            with writing(db):
                db.executemany("DELETE FROM scores WHERE key = ?", damaged)
        return found

    def _put(self, db: sqlite3.Connection, rows: Mapping[bytes, bytes], simulator: str, misses: int) -> None:
        now = int(self.clock())
        with writing(db):
            for identity in {*self._hits, simulator}:
                made = misses if identity == simulator else 0
                db.execute("INSERT OR IGNORE INTO simulators (identity, hits, misses) VALUES (?, 0, 0)", (identity,))
                db.execute(
                    "UPDATE simulators SET hits = hits + ?, misses = misses + ? WHERE identity = ?",
                    (self._hits[identity], made, identity),
                )
            number = db.execute("SELECT id FROM simulators WHERE identity = ?", (simulator,)).fetchone()[0]
            db.executemany("UPDATE scores SET used = ? WHERE key = ?", [(now, place) for place in self._touched])
            db.executemany(
                "INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?)",
                [(int.from_bytes(k[:_PLACE], "big", signed=True), number, now, _seal(v, k)) for k, v in rows.items()],
            )
            self._make_room(db)
        self._hits.clear()
        self._touched.clear()

    def _make_room(self, db: sqlite3.Connection) -> None:
        used = bytes_used(db)
        if used <= self.max_bytes:
            return
        n = db.execute("SELECT count(*) FROM scores").fetchone()[0]
        dropped = math.ceil(n * (1 - KEPT_SHARE * self.max_bytes / used))
        db.execute("DELETE FROM scores WHERE key IN (SELECT key FROM scores ORDER BY used LIMIT ?)", (dropped,))

    # The file ---------------------------------------------------------------------------------------------------

    def _use(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """`work` on the open file, again where a damaged file was replaced; `otherwise` where it cannot be used."""
        with self._lock:
            for _ in range(3):
                if self.out_of_use is not None:
                    break
                try:
                    return work(self._connection())
                except sqlite3.DatabaseError as error:
                    code = error_code(error)
                    if code == sqlite3.SQLITE_BUSY:
                        log.warning("score cache %s: busy for %g s, left out for one call", self.path, self.timeout)
                        self._touched.clear()
                        break
                    if code in _DAMAGE:
                        self._move_aside(error)
                    else:
                        self._leave_alone(error)
                except OSError as error:
                    self._leave_alone(error)
            return otherwise

    def _connection(self) -> sqlite3.Connection:
        if self._db is not None and self._opened_by != os.getpid():
            _orphans.append(self._db)
            self._db = None
        if self._db is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._inode = self._inode_now()
            self._db = connect(self.path, self.timeout)
            self._opened_by, self._inode = os.getpid(), self._inode_now()
        return self._db

    def _inode_now(self) -> int:
        return self.path.stat().st_ino if self.path.exists() else 0

    def _move_aside(self, error: Exception) -> None:
        """Unless another process has done so: then the file that lies there now is a new one."""
        seen = self._inode
        self._disconnect()
        try:
            if seen == 0 or seen != self._inode_now():
                return
            for end in ("-wal", "-shm"):
                self.path.with_name(self.path.name + end).unlink(missing_ok=True)
            self.path.replace(self._aside)
        except OSError as problem:
            self._leave_alone(problem)
            return
        log.warning("score cache %s is damaged (%s): moved to %s, begun anew", self.path, error, self._aside.name)

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _leave_alone(self, error: Exception) -> None:
        self.out_of_use = str(error)
        self._disconnect()
        log.warning("score cache %s cannot be used (%s): scoring goes on without it", self.path, error)

    @property
    def _aside(self) -> Path:
        return self.path.with_name(self.path.name + ".damaged")


def _empty(db: sqlite3.Connection) -> int:
    with writing(db):
        n = int(db.execute("SELECT count(*) FROM scores").fetchone()[0])
        db.execute("DELETE FROM scores")
        db.execute("DELETE FROM simulators")
    db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return n


def _seal(row: bytes, key: bytes) -> bytes:
    """A checksum, the part of the key that the table does not hold, and the row."""
    body = key[_PLACE:] + row
    return zlib.crc32(body, zlib.crc32(key[:_PLACE])).to_bytes(4, "little") + body


def _unseal(value: object, key: bytes) -> bytes | None:
    """The row inside; empty where it belongs to another key of the same place; None where it is damaged."""
    if not isinstance(value, bytes):
        return None
    body = value[4:]
    if value[:4] != zlib.crc32(body, zlib.crc32(key[:_PLACE])).to_bytes(4, "little"):
        return None
    rest = len(key) - _PLACE
    return body[rest:] if body[:rest] == key[_PLACE:] else b""
