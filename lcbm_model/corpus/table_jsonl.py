"""JSON lines into raw string columns."""

from __future__ import annotations

import contextlib
import json
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from lcbm_model.corpus.tables import RowProblem, Table, check_header
from lcbm_model.corpus.textlines import TextLines

_BATCH = 50_000


def read_jsonl(path: Path, where: str) -> Table:
    """Read one JSON object a line. Numbers become their text, nested values their JSON.

    Raises:
        TableError: Text in no known encoding, or two keys that differ by white space only.
    """
    source = TextLines(path, where)
    problems: list[RowProblem] = []
    rows: list[int] = []
    frames: list[pl.DataFrame] = []
    batch: list[dict[str, str | None]] = []
    for number, line in enumerate(source, start=1):
        if not line.strip():
            continue
        try:
            batch.append(_row(line))
        except (ValueError, RecursionError) as error:
            problem = str(error) if not isinstance(error, RecursionError) else "is nested too deeply"
            problems.append(RowProblem(number, "", line[:120].strip().replace("\0", "\\0"), problem))
            continue
        rows.append(number)
        if len(batch) == _BATCH:
            frames.append(_frame(batch))
            batch = []
    frames.append(_frame(batch))
    frame = pl.concat(frames, how="diagonal")
    frame.columns = check_header(frame.columns, where)
    return Table(path, frame, rows, tuple(problems), source.notes)


def jsonl_headings(path: Path, where: str, limit: int) -> tuple[str, ...]:
    """Keys of the first lines, in their order; lines that are no JSON object have none."""
    keys: dict[str, None] = {}
    for line in islice(TextLines(path, where), limit):
        with contextlib.suppress(ValueError, RecursionError):
            keys.update(dict.fromkeys(_row(line) if line.strip() else ()))
    return tuple(keys)


def _row(line: str) -> dict[str, str | None]:
    """One line as column to text.

    Raises:
        ValueError: No JSON object, an embedded NUL, or half a character.
    """
    try:
        data = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON: {error.msg} at character {error.pos + 1}") from error
    if not isinstance(data, dict):
        raise ValueError(f"is a JSON {type(data).__name__}, not an object")
    row = {key: _text(value) for key, value in data.items()}
    for name in (*row, *row.values()):
        if name is None or (name.isascii() and "\0" not in name):
            continue
        if "\0" in name:
            raise ValueError("holds a NUL character")
        try:
            name.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ValueError("holds half of a surrogate pair") from error
    return row


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=True)


def _frame(rows: list[dict[str, str | None]]) -> pl.DataFrame:
    keys = dict.fromkeys(key for row in rows for key in row)
    return pl.from_dicts(rows, schema=dict.fromkeys(keys, pl.String)) if rows else pl.DataFrame()
