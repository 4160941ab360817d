"""The caption contest: mean ratings, weighed by their votes."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tests.lcbm_model import corpus_rows as rows
from tests.lcbm_model.readers.reading import read, save


def test_caption_contest_weighs_by_votes_and_ranks_inside_the_contest(tmp_path: Path) -> None:
    images = rows.pictures(tmp_path / "img", ["900.jpg", "901.jpg"])
    reader, records = read("caption_contest", save(rows.captions(), tmp_path), images=images)
    assert reader.problems.counts == {"picture: picture not found": 30}
    assert "902.jpg" in str(reader.problems[0])
    assert len(records) == 90
    assert records[0].content.media[0].path == images / "900.jpg"
    assert records[-1].content.media == ()
    first = [r for r in records if r.context == "caption_contest:900"]
    assert first[-1].weight > first[0].weight
    assert [r.observations[0].percentile for r in first] == sorted(r.observations[0].percentile for r in first)
    assert all(r.observations[0].exposure for r in records)


def test_a_contest_whose_ratings_differ_by_luck_alone_has_no_ranks(tmp_path: Path) -> None:
    frame = rows.captions()
    lucky = pl.col("contest") == 901
    votes = {"unfunny": 20, "somewhat_funny": 30, "funny": 10, "votes": 60}
    frame = frame.with_columns(pl.when(lucky).then(pl.lit(n)).otherwise(pl.col(c)).alias(c) for c, n in votes.items())
    _, records = read("caption_contest", save(frame, tmp_path))
    by_luck = [r.observations[0] for r in records if r.context == "caption_contest:901"]
    assert len(by_luck) == 30
    assert {seen.percentile for seen in by_luck} == {None}
    assert {round(seen.value, 3) for seen in by_luck} == {1.833}
    assert all(r.observations[0].percentile is not None for r in records if r.context != "caption_contest:901")
