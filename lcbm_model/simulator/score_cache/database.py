"""The SQLite file under a score cache: opened, claimed, written to in transactions.

sqlite3 and not SQLAlchemy: rows are looked up by the thousand, and every microsecond a row shows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lcbm_model.errors import SettingsError
from lcbm_model.write_ahead import write_ahead

APPLICATION_ID = 0x6C63626D
"""In the file's header ("lcbm"): nobody else's database is ever written to."""
FORMAT = 1
_SCHEMA = (
    "CREATE TABLE scores (key INTEGER PRIMARY KEY, simulator INTEGER, used INTEGER, value BLOB)",
    "CREATE TABLE simulators (id INTEGER PRIMARY KEY, identity TEXT UNIQUE, hits INTEGER, misses INTEGER)",
)


def connect(path: Path, timeout: float) -> sqlite3.Connection:
    """An open score cache, made where there is none.

    Args:
        timeout: Seconds to wait for another process that writes.

    Raises:
        SettingsError: The file is a database of something else, or of another version.
        sqlite3.DatabaseError: Damaged, or cannot be opened.
    """
    db = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    try:
        if _pragma(db, "application_id") != APPLICATION_ID:
            with writing(db):
                _claim(db, path)
        if (found := _pragma(db, "user_version")) != FORMAT:
            remedy = "Name another folder by LCBM_SCORE_CACHE, or delete the file"
            raise SettingsError(f"score cache {path}", "is of another version", value=found, remedy=remedy)
        write_ahead(db, timeout)
        db.execute("PRAGMA synchronous = NORMAL")  # a power cut may lose the last scores, never the file
        db.execute("PRAGMA cache_size = -16384")
        db.execute("PRAGMA journal_size_limit = 16777216")
    except BaseException:
        db.close()
        raise
    return db


@contextmanager
def writing(db: sqlite3.Connection) -> Iterator[None]:
    """A transaction that takes the write lock at once: upgrading a read lock could fail at any later statement."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def bytes_used(db: sqlite3.Connection) -> int:
    """Bytes of the pages that hold something; free pages are filled before the file grows."""
    return (_pragma(db, "page_count") - _pragma(db, "freelist_count")) * _pragma(db, "page_size")


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])


def _claim(db: sqlite3.Connection, path: Path) -> None:
    """Make an empty file a score cache. Another process may have done so a moment ago."""
    owner = _pragma(db, "application_id")
    if owner == APPLICATION_ID:
        return
    if owner or db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        remedy = "Name another file: this one is left as it is"
        raise SettingsError("score cache", "is a database of something else", value=str(path), remedy=remedy)
    for statement in _SCHEMA:
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {FORMAT}")
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
