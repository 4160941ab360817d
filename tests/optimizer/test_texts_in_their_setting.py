"""Texts that are scored or compared take along what is said beside them: channel, title, kind of post."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lcbm_model.content import Content
from lcbm_model.metrics import Metric
from lcbm_model.prediction import Prediction
from lcbm_model.simulator.base import Context
from optimizer import Brief
from optimizer.api import compare, score
from tests.fakes import FakeSimulator


class Remembering(FakeSimulator):
    """Keeps what it was asked about."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Content] = []

    def predict(
        self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None
    ) -> list[Prediction]:
        self.asked += contents
        return super().predict(contents, metric, context)


@pytest.mark.parametrize("ask", [score, compare])
def test_plain_texts_get_the_setting_and_contents_keep_their_own(ask: type) -> None:
    simulator, own = Remembering(), Content(text="Its own", channel="caption")
    ask(["A pan", own], "shares", title="How we cook", format="link", simulator=simulator)
    assert simulator.asked == [Content(text="A pan", channel="post", title="How we cook", format="link"), own]


def test_a_brief_s_contents_say_title_and_format() -> None:
    brief = Brief.parse({"message": "A pan", "title": "How we cook", "format": "photo"})
    assert brief.content("x") == Content(text="x", channel="post", title="How we cook", format="photo")
