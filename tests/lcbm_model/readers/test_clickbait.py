"""Clickbait: labels without behaviour."""

from __future__ import annotations

from pathlib import Path

from tests.lcbm_model import corpus_rows as rows
from tests.lcbm_model.readers.reading import read, save


def test_clickbait_has_labels_and_no_behaviour(tmp_path: Path) -> None:
    _, records = read("clickbait", save(rows.clickbait(), tmp_path))
    assert [r.labels["clickbait"] for r in records[:2]] == ["no", "yes"]
    assert all(r.observations == () for r in records)
