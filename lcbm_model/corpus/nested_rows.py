"""Rows with nested columns (Hugging Face `datasets`, JSONL, Parquet), streamed and read without trust."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lcbm_model.errors import TableError

BATCH = 512


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a Parquet or JSONL file, or of a folder written by `datasets.Dataset.save_to_disk`, one by one.

    Raises:
        TableError: Not there, or not readable.
    """
    if not path.exists():
        raise TableError(path.name, "no such file", value=str(path), remedy="Check the path")
    try:
        if path.is_dir():
            yield from _saved(path)
        elif path.suffix.lower() == ".parquet":
            import pyarrow.parquet as pq

            for batch in pq.ParquetFile(path).iter_batches(batch_size=BATCH):
                yield from batch.to_pylist()
        elif path.suffix.lower() in (".jsonl", ".ndjson"):
            yield from _lines(path)
        else:
            raise TableError(path.name, "unknown kind of file", value=path.suffix, remedy="Give .parquet or .jsonl")
    except (OSError, ValueError) as error:  # pyarrow's errors are of these two kinds
        raise TableError(path.name, f"cannot be read: {error}", remedy="Export or copy it again") from error


def is_saved(path: Path) -> bool:
    """Whether a folder was written by `datasets`' `save_to_disk`."""
    return any((path / name).is_file() for name in ("state.json", "dataset_dict.json"))


def _saved(path: Path) -> Iterator[dict[str, Any]]:
    from datasets import DatasetDict, load_from_disk

    found = load_from_disk(str(path))
    parts = found.items() if isinstance(found, DatasetDict) else [(None, found)]
    for split, part in parts:
        for row in part:
            yield {"split": split, **row} if split else dict(row)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    import json

    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            yield row if isinstance(row, dict) else {}


def check_columns(row: Mapping[str, Any], required: Sequence[str], path: Path) -> None:
    """Refuse a file whose first row lacks columns.

    Raises:
        TableError: Names the columns that are missing, there and needed.
    """
    missing = [c for c in required if c not in row]
    if missing:
        told = f"missing {', '.join(repr(c) for c in missing)}"
        raise TableError(f"{path.name}: columns", told, value=list(row), remedy=f"Needed are {', '.join(required)}")


def dig(row: Mapping[str, Any], *keys: str) -> Any:
    """A value inside nested mappings; None where a step is missing."""
    value: Any = row
    for key in keys:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def words(value: Any) -> str | None:
    """Text on one line from text or (nested) lists of it; None where there is none."""
    if isinstance(value, str):
        return " ".join(value.split()) or None
    if isinstance(value, list | tuple):
        parts = [w for w in (words(v) for v in value) if w]
        return " ".join(dict.fromkeys(parts)) or None
    return None


def number(value: Any) -> float | None:
    """A finite number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def listed(value: Any) -> list[Any]:
    """A list, or an empty one for anything else."""
    return list(value) if isinstance(value, list | tuple) else []
