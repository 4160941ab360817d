"""LAMBDA: adverts told scene by scene."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lcbm_model.corpus.readers.lambda_memorability import parse_advert
from tests.lcbm_model import corpus_rows as rows
from tests.lcbm_model.readers.reading import read, save


def test_lambda_scenes_are_parsed(tmp_path: Path) -> None:
    frame = rows.adverts()
    broken = frame.with_columns(question=pl.when(pl.col("question_id") == 11).then(pl.lit("{")).otherwise("question"))
    reader, records = read("lambda", save(broken, tmp_path))
    assert len(records) == 3
    assert "row 2, column 'question': tells no scenes" in str(reader.problems[0])
    content = records[0].content
    assert (content.title, content.text) == ("Boots that stay", "Walk on")
    assert content.communicator is not None
    assert content.communicator.name == "Northfold"
    first, second = content.scenes
    assert first.caption == "a boot on a rock"
    assert first.on_screen_text == "NORTHFOLD, est. 1910"
    assert first.objects == ("boot", "rock")
    assert first.colours == ("Light Blue", "White", "Black")
    assert first.tones == ("cool", "calm")
    assert second.on_screen_text is None
    assert second.start is None


@pytest.mark.parametrize("question", ["[" * 100_000, "1" * 5000, "{", "[]", '{"question": 7}'])
def test_what_tells_no_advert_is_none(question: str) -> None:
    assert parse_advert(question) is None
