"""Facebook: three metrics of a post, ranked inside its page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lcbm_model import corpus_rows as rows
from tests.lcbm_model.readers.reading import read, save


def test_facebook_ranks_two_metrics_inside_the_page(tmp_path: Path) -> None:
    _, records = read("facebook", save(rows.facebook(), tmp_path))
    assert [o.metric for o in records[0].observations] == ["shares", "reactions", "comments"]
    for page in range(3):
        inside = [r for r in records if r.context == f"facebook:page{page}"]
        assert [r.observations[0].percentile for r in inside] == pytest.approx([5 * i + 2.5 for i in range(20)])
    content = records[0].content
    assert (content.channel, content.title) == ("post", "Link 0")
    assert content.communicator is not None
    assert content.communicator.name == "page0"
