"""BLIFT: posts with their top comments."""

from __future__ import annotations

from pathlib import Path

from tests.lcbm_model import corpus_rows as rows
from tests.lcbm_model.readers.reading import read


def test_blift_keeps_top_comments_as_labels(tmp_path: Path) -> None:
    path = rows.write_jsonl(tmp_path / "b.jsonl", [rows.post(i) for i in range(10)])
    _, records = read("blift", path)
    assert records[0].labels == {
        "comment_1": "Lovely",
        "comment_2": "Too bright",
        "url": "https://example.org/0.jpg",
    }
    assert [r.observations[0].percentile for r in records if r.context == "blift:sub0"] == [10, 30, 50, 70, 90]


def test_communities_whose_posts_have_as_many_comments_have_no_ranks(tmp_path: Path) -> None:
    equal = [rows.post(i, num_comments=4) for i in range(0, 6, 2)]
    path = rows.write_jsonl(tmp_path / "b.jsonl", [*equal, rows.post(1), rows.post(3)])
    _, records = read("blift", path)
    assert [r.observations[0].percentile for r in records] == [None, None, None, 25, 75]
