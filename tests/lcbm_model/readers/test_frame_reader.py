"""What all readers of flat tables share: bad rows are named and left out, splits keep groups whole."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lcbm_model.corpus import get_reader
from tests.lcbm_model import corpus_rows as rows
from tests.lcbm_model.readers.reading import read, refused, save


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("clicks", 9999, "is above impressions"),
        ("clicks", -3, "is negative"),
        ("clicks", None, "is missing"),
        ("impressions", 0, "is zero"),
        ("headline", "  ", "is empty"),
        ("split", "dev", "is no split"),
    ],
)
def test_impossible_values_cost_one_row(tmp_path: Path, column: str, value: object, told: str) -> None:
    frame = rows.upworthy().with_row_index("i")
    bad = pl.when(pl.col("i") == 5).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)
    reader, records = read("upworthy", save(frame.with_columns(bad).drop("i"), tmp_path))
    assert len(records) == 23
    assert reader.problems.total == 1
    message = str(reader.problems[0])
    assert message.startswith(f"data.parquet: row 6, column {column!r}: {told}")
    assert reader.problems[0].remedy


def test_a_group_in_two_splits_is_refused(tmp_path: Path) -> None:
    frame = rows.upworthy()
    frame[1, "split"] = "test"
    message = refused("upworthy", save(frame, tmp_path))
    assert "story_id 100 lies in train and test" in message
    assert "column 'split'" in message
    assert "same split" in message


def test_splits_are_made_by_group_where_the_file_has_none(tmp_path: Path) -> None:
    _, records = read("upworthy", save(rows.upworthy(60).drop("split"), tmp_path))
    splits = {r.group: {x.split for x in records if x.group == r.group} for r in records}
    assert all(len(s) == 1 for s in splits.values())
    assert {s for one in splits.values() for s in one} == {"train", "validation", "test"}


def test_files_that_cannot_serve(tmp_path: Path) -> None:
    assert "has no column 'story_id'" in refused("upworthy", save(rows.upworthy().drop("story_id"), tmp_path))
    assert "has no rows" in refused("upworthy", save(rows.upworthy().head(0), tmp_path))
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "data.parquet").read_bytes()[:200])
    assert "cut.parquet" in refused("upworthy", tmp_path / "cut.parquet")
    assert "no such file" in refused("upworthy", tmp_path / "none.parquet")
    every = rows.upworthy().with_columns(impressions=pl.lit(0))
    assert "no usable row: first, data.parquet: row 1" in refused("upworthy", save(every, tmp_path))


def test_csv_and_parquet_give_the_same_records_in_any_encoding(tmp_path: Path) -> None:
    frame = rows.upworthy()
    frame[0, "headline"] = "Café prices rise again this spring, they say"
    parquet = list(get_reader("upworthy").read(save(frame, tmp_path)))
    frame.write_csv(tmp_path / "data.csv")
    assert list(get_reader("upworthy").read(tmp_path / "data.csv")) == parquet
    (tmp_path / "old.csv").write_bytes((tmp_path / "data.csv").read_text(encoding="utf-8").encode("cp1252"))
    assert list(get_reader("upworthy").read(tmp_path / "old.csv")) == parquet


def test_problems_are_counted_beyond_what_is_kept(tmp_path: Path) -> None:
    frame = pl.concat([rows.clickbait(200), rows.clickbait(120).with_columns(headline=pl.lit(" "))])
    reader, records = read("clickbait", save(frame, tmp_path))
    assert len(records) == 200
    assert len(reader.problems) == 50
    assert reader.problems.total == 120
