"""OASIS: pictures without words, and how they are felt."""

from __future__ import annotations

from pathlib import Path

from tests.lcbm_model import corpus_rows as rows
from tests.lcbm_model.readers.reading import read, refused, save


def test_oasis_is_pictures_without_words(tmp_path: Path) -> None:
    images = rows.pictures(tmp_path / "img", [f"Thing {i}.jpg" for i in range(11)])
    reader, records = read("oasis", save(rows.oasis(), tmp_path), images=images)
    assert len(records) == 11
    assert reader.problems.total == 1
    assert records[0].content.text == ""
    assert "Thing" not in records[0].content.model_dump_json(exclude={"media"})
    assert [o.metric for o in records[0].observations] == ["valence", "arousal"]
    assert records[0].observations[0].percentile < records[-1].observations[0].percentile
    assert records[0].observations[1].percentile > records[-1].observations[1].percentile
    assert "--images" in refused("oasis", tmp_path / "data.parquet")
    assert "no such folder" in refused("oasis", tmp_path / "data.parquet", images=tmp_path / "none")


def test_nan_and_ratings_off_the_scale_are_named(tmp_path: Path) -> None:
    images = rows.pictures(tmp_path / "img", [f"Thing {i}.jpg" for i in range(12)])
    frame = rows.oasis()
    frame[3, "Valence_mean"] = float("nan")
    frame[4, "Arousal_mean"] = 9.0
    frame[5, "Theme"] = "Thing 6"
    reader, records = read("oasis", save(frame, tmp_path), images=images)
    assert len(records) == 9
    assert {(p.row, p.column) for p in reader.problems} == {(4, "Valence_mean"), (5, "Arousal_mean"), (7, "Theme")}
