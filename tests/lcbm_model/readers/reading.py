"""What a reader makes of a file, for the tests of readers."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lcbm_model.corpus import Reader, get_reader
from lcbm_model.corpus.record import Record
from lcbm_model.errors import TableError


def save(frame: pl.DataFrame, folder: Path, name: str = "data.parquet") -> Path:
    frame.write_parquet(folder / name)
    return folder / name


def read(name: str, path: Path, **options: object) -> tuple[Reader, list[Record]]:
    reader = get_reader(name)
    return reader, list(reader.read(path, **options))


def refused(name: str, path: Path, **options: object) -> str:
    with pytest.raises(TableError) as caught:
        get_reader(name).read(path, **options)
    return str(caught.value)
