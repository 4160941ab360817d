"""Reddit: titles, ranked inside their community."""

from __future__ import annotations

from pathlib import Path

from tests.lcbm_model import corpus_rows as rows
from tests.lcbm_model.readers.reading import read, save


def test_reddit_tells_the_community_as_topic(tmp_path: Path) -> None:
    _, records = read("reddit", save(rows.reddit(), tmp_path))
    assert (records[0].content.channel, records[0].content.topic) == ("title", "sub0")
    score, comments = records[0].observations
    assert (score.value, score.percentile) == (0, 2.5)
    assert (comments.value, comments.percentile) == (20, 97.5)
