"""What the views say, and that nothing anybody typed can become markup."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from agents.library.records import Hit, Post, RejectedRow
from lcbm_model.content import Content
from lcbm_model.prediction import Prediction
from optimizer.brief import Brief
from optimizer.events import RunEvent
from optimizer.result import Candidate, Judgement, OptimizationResult, Round
from tests.fakes import FakeSimulator
from ui import render, words
from ui.runs import Snapshot
from ui.services import Loading

HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(2)> "quoted" \' {{x}} ${1+1} ![a](http://e.x)'


class Tags(HTMLParser):
    """Collects what a browser would see: element names, attributes, text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.words += data


def harmless(page: str) -> Tags:
    tags = Tags(page)
    assert not tags.names & {"script", "img", "iframe", "object", "svg", "a", "form"}
    assert not any(name.startswith("on") or name in ("href", "src") for name in tags.attributes)
    return tags


def predicted(text: str, *, tuned: bool = True) -> Prediction:
    return FakeSimulator(tuned=tuned).predict([Content(text=text)], "click_rate")[0]


def candidate(number: int, text: str, **more: object) -> Candidate:
    fields: dict[str, object] = {"id": f"r1-{number}", "round": 1, "writer": "fake", "prediction": predicted(text)}
    return Candidate(text=text, **{**fields, **more})  # type: ignore[arg-type]


def result(*candidates: Candidate, tuned: bool = True, judge: Judgement | None = None) -> OptimizationResult:
    return OptimizationResult(
        run_id="x",
        brief=Brief(message="say it"),
        status="finished",
        stop_reason="round budget reached",
        seed=0,
        simulator=FakeSimulator(tuned=tuned).identity,
        candidates=candidates,
        rounds=(),
        best_id=candidates[0].id if candidates else None,
        judge=judge,
        started=datetime.now(UTC),
        warnings=("untuned simulator", "the library holds 3 posts only"),
    )


def snapshot(event: RunEvent | None = None, **more: object) -> Snapshot:
    fields: dict[str, object] = {
        "version": 1,
        "event": event,
        "result": event.result if event else None,
        "error": None,
        "queued": False,
        "stopping": False,
        "done": False,
        "seconds": 61.0,
    }
    return Snapshot(**{**fields, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "said"), [(1, "1st"), (2, "2nd"), (3.2, "3rd"), (11, "11th"), (12, "12th"), (63, "63rd"), (100, "100th")]
)
def test_ordinals(value: float, said: str) -> None:
    assert words.ordinal(value) == said


def test_a_chance_is_never_shown_as_a_certainty() -> None:
    assert words.percent(0.999) == "> 99 %"
    assert words.percent(0.001) == "< 1 %"
    assert words.percent(0.5) == "50 %"
    assert words.percent(None) == "not known"


def test_raw_values_carry_their_unit() -> None:
    assert words.raw(0.0196, "click_rate") == "1.96 % click rate"
    assert words.raw(1240, "shares") == "1,240 shares"
    assert words.raw(2.5, "funniness") == "2.50 (mean rating 1..3)"
    assert words.raw(None, "shares") == "not measured"


def test_an_untuned_model_without_a_judge_is_owned_up_to_once() -> None:
    told = words.result_cautions(result(candidate(1, "one"), tuned=False))
    assert told == [words.UNTUNED, words.NO_JUDGE, "the library holds 3 posts only"]


def test_cards_show_hostile_drafts_as_text() -> None:
    rejected = candidate(2, HOSTILE, prediction=None, rejected=(f"holds {HOSTILE}",))
    failed = candidate(3, HOSTILE, prediction=Prediction.failed("click_rate", FakeSimulator().identity, HOSTILE))
    page = render.cards([candidate(1, HOSTILE), rejected, failed], "r1-1")
    tags = harmless(page)
    assert tags.words.count(HOSTILE) >= 5  # every draft, every reason, to the letter
    assert "1 refused by your rules" in page
    assert "1 could not be scored" in page


def test_every_view_is_harmless() -> None:
    post = Post(id="1", text=HOSTILE, channel=HOSTILE, values={"click_rate": 0.1}, percentiles={"click_rate": 90.0})
    hit = Hit(post=post, similarity=0.5, metric="click_rate", value=0.1, percentile=90.0)
    rejected = RejectedRow(row=1, column=HOSTILE, value=HOSTILE, problem=HOSTILE)
    tile = {"value": HOSTILE, "unit": HOSTILE, "hint": HOSTILE}
    views = [
        render.hits([hit], title=HOSTILE, note=HOSTILE, none_text=""),
        render.posts([post], "click_rate"),
        render.library_figures([tile], [rejected]),
        render.score_table([HOSTILE], [predicted(HOSTILE)], [1.0], "click_rate", heading=HOSTILE),
        render.status_pill(Loading("failed", HOSTILE)),
        render.notice([HOSTILE], "error", HOSTILE),
        render.run_panel(snapshot(error=HOSTILE, done=True), 3),
    ]
    for view in views:
        assert "<script" not in view
        assert HOSTILE.split(" ", 1)[0] in harmless(view).words or "role=" in view


def test_cards_stand_best_first_with_percentile_interval_and_chance() -> None:
    low, high = candidate(1, "short", win_over_original=0.2), candidate(2, "a good deal longer " * 4)
    page = render.cards([low, high], "r1-2")
    assert page.index("a good deal longer") < page.index(">short<")
    assert "80 % range" in page
    assert "beats original" in page
    assert words.HINTS["percentile"] in page


def test_only_the_first_cards_are_in_sight_and_none_is_lost() -> None:
    page = render.cards([candidate(i, "x" * i) for i in range(1, 31)], None)
    assert "18 more candidates" in page
    assert len(re.findall(r'data-id="', page)) == 30


def test_the_panel_says_round_and_step() -> None:
    event = RunEvent(run_id="x", kind="drafted", round=2, message="round 2: 8 new drafts")
    page = render.run_panel(snapshot(event), 3)
    assert "Round 2 of 3: checking the drafts against your rules" in page
    assert "8 new drafts." in page
    assert "1 min 01 s" in page
    assert re.search(r'lc-step-now"[^>]*><span>Check<', page)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"queued": True}, "Waiting for its turn"),
        ({"stopping": True}, "The best so far is kept"),
        ({}, "Starting"),
        ({"error": "endpoint down", "done": True}, "The run ended early"),
    ],
)
def test_states_of_a_run_have_their_words(more: dict[str, object], said: str) -> None:
    assert said in render.run_panel(snapshot(**more), 3)


def test_an_unproven_gain_is_called_a_suggestion() -> None:
    done = result(candidate(1, "one"))
    event = RunEvent(run_id="x", kind="finished", message="", candidates=done.candidates, result=done)
    page = render.run_panel(snapshot(event, done=True), 3)
    assert "A suggestion, not yet a proof" in page
    assert "not checked" in page


def test_a_judge_that_is_not_convinced_has_the_last_word() -> None:
    judge = Judgement(
        simulator=FakeSimulator(name="judge").identity,
        original=None,
        best=predicted("one"),
        proxy_gain=20.0,
        judge_gain=-1.0,
        win_probability=0.48,
        reliable=False,
        verdict="No reliable improvement: the judge sees none.",
    )
    done = result(candidate(1, "one"), judge=judge)
    event = RunEvent(run_id="x", kind="finished", message="", candidates=done.candidates, result=done)
    page = render.run_panel(snapshot(event, done=True), 3)
    assert "No reliable improvement" in page
    assert "\N{MINUS SIGN}1 points" in page


def test_a_failed_line_stands_last_with_its_reason() -> None:
    texts = ["broken", "a line that works"]
    predictions = FakeSimulator().predict([Content(text=t) for t in texts], "shares")
    page = render.score_table(texts, predictions, [0.0, 1.0], "shares", heading="2 lines")
    assert page.index("a line that works") < page.index("cannot be scored")


def test_plots_escape_drafts() -> None:
    pytest.importorskip("plotly")
    from ui.plots import rounds_plot

    one = Round(number=1, drafted=1, rejected=0, scored=1, best_id="r1-1", best_expected=40.0, best_low=1, best_high=90)
    figure = rounds_plot([one], [candidate(1, HOSTILE)], 3).to_json()
    assert "<script" not in figure
    assert "<img" not in figure
