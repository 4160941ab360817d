"""SQLite files that several processes use at once: readers beside a writer."""

from __future__ import annotations

import sqlite3
import time

_RETRY_SECONDS = 0.02


def error_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 where Python gives none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def write_ahead(db: sqlite3.Connection, timeout: float) -> None:
    """Readers and a writer beside each other. SQLite does not wait by itself for this one switch."""
    end = time.monotonic() + timeout
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL").fetchall()
            return
        except sqlite3.OperationalError as error:
            if error_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        time.sleep(_RETRY_SECONDS)
