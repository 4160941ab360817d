"""Texts that are scored or compared take along what is said beside them: channel, title, kind of post."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from lcbm_model.content import Content
from lcbm_model.metrics import Metric
from lcbm_model.prediction import Prediction
from lcbm_model.simulator.base import Context
from optimizer import Brief
from optimizer.api import compare, optimize, score
from optimizer.loop.closing import identity_warnings
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


def test_a_metric_judged_by_more_than_words_asks_for_it() -> None:
    identity = FakeSimulator().identity.model_copy(update={"reads_kind": ("shares",), "calibration_id": "1"})
    bare, said = Content(text="A pan"), Content(text="A pan", title="How we cook")
    (told,) = identity_warnings(identity, "shares", [bare, said])
    assert "shares" in told
    assert "1 of 2 texts say neither" in told
    assert "they are not said" in identity_warnings(identity, "shares", [bare])[0]
    assert identity_warnings(identity, "shares", [said]) == identity_warnings(identity, "click_rate", [bare]) == []


def test_texts_in_a_language_that_was_not_learned_are_told() -> None:
    identity = FakeSimulator().identity.model_copy(update={"languages": ("en",), "calibration_id": "1"})
    german, english = Content(text="Warum Ihr Omelett immer anbrennt"), Content(text="Why your omelette always burns")
    (told,) = identity_warnings(identity, "shares", [german, english])
    assert told.startswith("1 of 2 texts is in another language (de) than the simulator learned from (en)")
    assert identity_warnings(identity, "shares", [german])[0].startswith("The text is in another language (de)")
    assert identity_warnings(identity, "shares", [english]) == []


def test_a_run_in_another_language_says_so(tmp_path: Path) -> None:
    simulator = FakeSimulator()
    simulator.identity = simulator.identity.model_copy(update={"languages": ("en",)})
    brief = Brief.parse(
        {"message": "Unsere Pfannen halten ein Leben lang", "metric": "shares", "budget": {"rounds": 1}}
    )
    told = optimize(brief, simulator=simulator, judge="none", store=tmp_path)
    assert any("another language (de)" in warning for warning in told.warnings)


def test_a_run_says_what_its_brief_leaves_out(tmp_path: Path) -> None:
    simulator = FakeSimulator()
    simulator.identity = simulator.identity.model_copy(update={"reads_kind": ("shares",)})
    brief = Brief.parse({"message": "Our pans last", "metric": "shares", "draft": "A pan", "budget": {"rounds": 1}})
    bare = optimize(brief, simulator=simulator, judge="none", store=tmp_path)
    assert any("they are not said" in warning for warning in bare.warnings)
    told = optimize(brief.model_copy(update={"format": "photo"}), simulator=simulator, judge="none", store=tmp_path)
    assert not any("format" in warning for warning in told.warnings)


def test_a_brief_s_contents_say_title_and_format() -> None:
    brief = Brief.parse({"message": "A pan", "title": "How we cook", "format": "photo"})
    assert brief.content("x") == Content(text="x", channel="post", title="How we cook", format="photo")
