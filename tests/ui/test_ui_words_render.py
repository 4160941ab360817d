"""What the views say, and that nothing anybody typed can become markup."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.guard.finding import GuardFinding
from agents.library.records import Hit, Post, RejectedRow
from lcbm_model.content import Content
from lcbm_model.errors import TableError
from lcbm_model.prediction import Prediction
from optimizer.brief import Brief
from optimizer.events import RunEvent
from optimizer.result import Candidate, Judgement, OptimizationResult, Round
from tests.fakes import FakeSimulator
from tests.ui.floors_fake import occlude
from ui import drafts, render, words
from ui.charts import rounds_chart
from ui.lines import Line
from ui.loading import Loading
from ui.notify import spoken
from ui.ranking import Scored, Setting, meanwhile, ranking, ranking_csv
from ui.runs import Marks, Snapshot

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
    assert not tags.names & {"script", "img", "iframe", "object", "a", "form"}
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
        warnings=(
            "The simulator fake is untuned: it never saw behaviour, its scores carry no evidence.",
            "the library holds 3 posts only",
        ),
    )


def one_round() -> Round:
    return Round(
        number=1, drafted=1, rejected=0, scored=1, best_id="r1-1", best_expected=40.0, best_low=1, best_high=90
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
        ranking(
            [Line(HOSTILE, HOSTILE, HOSTILE)],
            "click_rate",
            Scored(Setting(HOSTILE, HOSTILE), [predicted(HOSTILE)], [1.0]),
        ),
        meanwhile([Line(HOSTILE)], "click_rate", 1, 2, Scored(Setting("post"), [predicted(HOSTILE)])),
        rounds_chart([one_round()], [candidate(1, HOSTILE)], 3),
        drafts.why(HOSTILE, occlude(FakeSimulator(), Content(text=HOSTILE), "click_rate")),
        drafts.edited(predicted(HOSTILE), 50.0, 0.5, 3.0, broken=[HOSTILE]),
        drafts.side_by_side(
            [(candidate(i, HOSTILE), f"{HOSTILE} {i}") for i in (1, 2)], [predicted(HOSTILE)] * 2, [0.5, 0.5], 40.0
        ),
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


def test_what_the_choice_is_called_is_no_stronger_than_the_evidence() -> None:
    judge = Judgement(
        simulator=FakeSimulator().identity,
        original=predicted("orig"),
        best=predicted("one"),
        proxy_gain=3.0,
        judge_gain=1.0,
        win_probability=0.6,
        reliable=False,
        verdict="No reliable improvement.",
    )
    original = candidate(0, "orig").model_copy(update={"id": "original", "round": 0})
    done = result(original, candidate(1, "one"), judge=judge)
    done = done.model_copy(update={"best_id": "r1-1"})
    shown = done.candidates, "r1-1"
    assert "best, not confirmed" in render.cards(*shown, result=done)
    sure = done.model_copy(update={"judge": judge.model_copy(update={"reliable": True})})
    assert "best choice" in render.cards(*shown, result=sure)
    assert "best choice" in render.cards(*shown)
    assert "best draft" in render.cards(done.candidates[1:], "r1-1")


def test_a_card_names_what_its_text_leaves_out() -> None:
    page = render.cards([candidate(1, "A sale")], "r1-1", said="Our sale starts on Monday, 20% off")
    assert "leaves out: Monday, 20%" in page
    assert "leaves out" not in render.cards([candidate(1, "A sale")], "r1-1")


def test_a_goal_that_was_never_learnt_is_told() -> None:
    identity = FakeSimulator().identity.model_copy(update={"metrics": ("shares",)})
    assert any("never seen what makes for a high click rate" in w for w in words.model_cautions(identity, "click_rate"))
    assert not any("never seen" in w for w in words.model_cautions(identity, "shares"))


def test_errors_name_files_and_not_the_folders_of_the_server() -> None:
    error = TableError(
        "/tmp/lcbm-1/ab12/My posts.csv", "has no column 'text'", remedy="See https://example.org/a/b or a/b"
    )
    assert spoken(error) == "My posts.csv: has no column 'text'. See https://example.org/a/b or a/b"


def test_warnings_that_hold_the_same_words_are_not_lost() -> None:
    own = ["No independent judge confirmed the gain: none was configured."]
    others = ["The simulator judges shares by a post's format", "Nobody checks the rule 'never judge parents'"]
    told = words.result_cautions(result(candidate(1, "one")).model_copy(update={"warnings": (*own, *others)}))
    assert told == [words.UNCALIBRATED, words.NO_JUDGE, *others]


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
    page = ranking(list(map(Line, texts)), "shares", Scored(Setting("post"), predictions, [0.0, 1.0]))
    assert page.index("a line that works") < page.index("cannot be scored")


def test_a_what_if_tells_ranks_and_warns_across_channels() -> None:
    texts = ["short", "rather longer"]
    ours = [predicted(t) for t in texts]
    first = Scored(Setting("headline", "cooks"), ours, [0.4, 0.6])
    second = Scored(Setting("post", "chefs"), ours[::-1], [0.6, 0.4])
    page = ranking(list(map(Line, texts)), "click_rate", first, second)
    assert "2 of the lines change their rank" in page
    assert "rank 1 → 2" in page
    assert "compare the order of the lines" in page
    assert "compare the order" not in ranking(
        list(map(Line, texts)), "click_rate", first, replace(second, setting=Setting("headline"))
    )


def test_only_the_first_rows_are_in_sight_and_none_is_lost() -> None:
    texts = [f"{'x' * i} line" for i in range(120)]
    page = ranking(list(map(Line, texts)), "shares", Scored(Setting("post"), [predicted(t) for t in texts]))
    assert "70 more lines" in page
    assert page.count("lc-cell-text") == 120


def test_the_ranking_as_csv_is_safe_in_a_spreadsheet() -> None:
    texts = ['=HYPERLINK("http://e.x")', "a line, with a comma"]
    table = ranking_csv(list(map(Line, texts)), [Scored(Setting("post"), [predicted(t) for t in texts], [0.7, 0.3])])
    rows = list(csv.DictReader(io.StringIO(table)))
    assert {row["text"] for row in rows} == {"'" + texts[0], texts[1]}
    assert [row["rank"] for row in rows] == ["1", "2"]


def test_the_ranking_says_what_each_line_goes_with() -> None:
    lines = [Line("Look at this", "Ten pans that last", "link"), Line("Look at that")]
    scored = Scored(Setting("post", format="photo"), [predicted(line.text) for line in lines], [0.7, 0.3])
    rows = {row["text"]: row for row in csv.DictReader(io.StringIO(ranking_csv(lines, [scored])))}
    assert (rows["Look at this"]["title"], rows["Look at this"]["format"]) == ("Ten pans that last", "link")
    assert (rows["Look at that"]["title"], rows["Look at that"]["format"]) == ("", "photo")
    assert "link \N{MIDDLE DOT} Ten pans that last" in ranking(lines, "shares", scored)


def test_what_a_metric_is_judged_by_is_asked_for() -> None:
    lines = [Line("Look at this"), Line("Look at that", "Ten pans that last")]
    predictions = [predicted(line.text) for line in lines]
    kind = predictions[0].simulator.model_copy(update={"reads_kind": ("shares",)})
    scored = Scored(Setting("post"), [p.model_copy(update={"simulator": kind}) for p in predictions])
    assert "Of 1 of 2 lines it knows neither" in ranking(lines, "shares", scored)
    assert "kind of post" not in ranking(lines, "click_rate", scored)
    assert "kind of post" not in ranking(lines, "shares", replace(scored, setting=Setting("post", format="photo")))


def test_lines_in_a_language_that_was_not_learned_are_told() -> None:
    lines = [Line("Warum Ihr Omelett immer anbrennt"), Line("Why your omelette always burns")]
    predictions = [predicted(line.text) for line in lines]
    kind = predictions[0].simulator.model_copy(update={"languages": ("en",)})
    scored = Scored(Setting("post"), [p.model_copy(update={"simulator": kind}) for p in predictions])
    assert "1 line is in another language (de)" in ranking(lines, "shares", scored)
    assert "another language" not in ranking(lines[1:], "shares", replace(scored, predictions=scored.predictions[1:]))


# Drafts -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    text: str
    start: int | None
    end: int | None
    effect: float
    kind: str = "phrase"


def test_shades_cover_the_whole_text_and_the_shortest_part_owns_a_word() -> None:
    text = "In nine minutes, with butter, done"
    parts = [Part(text[:28], 0, 28, 3.0, "hook"), Part(text[17:28], 17, 28, -9.0), Part("picture", None, None, 5.0)]
    pieces = drafts.shaded(text, parts)
    assert "".join(p.text for p in pieces) == text
    assert [(p.text, p.shade) for p in pieces] == [(text[:17], 2), ("with butter", -4), (", done", 0)]


@given(st.text(max_size=60), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.floats(-50, 50))))
def test_shading_never_loses_a_letter(text: str, spans: list[tuple[int, int, float]]) -> None:
    parts = [Part("", a, b, effect) for a, b, effect in spans]
    pieces = drafts.shaded(text, parts)
    assert "".join(p.text for p in pieces) == text
    assert all(-drafts.STRONGEST <= p.shade <= drafts.STRONGEST for p in pieces)


@pytest.mark.parametrize(
    ("effect", "shade"), [(None, 0), (0.4, 0), (-0.4, 0), (0.6, 1), (-0.6, -1), (8.0, 4), (-90.0, -4), (4.1, 2)]
)
def test_small_effects_are_noise_and_large_ones_have_a_ceiling(effect: float | None, shade: int) -> None:
    assert drafts.shade(effect) == shade


def test_only_what_differs_is_marked() -> None:
    found = drafts.changes("Brown onions in nine minutes", ["Brown onions in no time", "Brown carrots in nine minutes"])
    assert "".join(c.text for c in found) == "Brown onions in nine minutes"
    assert [c.text for c in found if c.kind == "new"] == []
    assert [c.text for c in drafts.changes("a b c", ["a x c"]) if c.kind == "new"] == ["b "]


def test_an_edit_says_how_far_it_moved_and_what_it_breaks() -> None:
    page = drafts.edited(predicted("x" * 60), 50.0, 0.7, 4.2, broken=["leaves out '9 minutes'"])
    assert "+4 points" in page
    assert "lc-change-up" in page
    assert "leaves out" in page
    assert "keeps your facts" not in page
    assert "as before" in drafts.said(predicted("x"), 0.1)
    failed = Prediction.failed("click_rate", FakeSimulator().identity, "too long")
    assert "too long" in drafts.edited(failed, None, None, None, broken=[])
    assert "too long" in drafts.said(failed, None)


def test_guarded_cards_tell_drift_and_doubt() -> None:
    guard = GuardFinding(meaning=0.81, nearest=0.42, doubt="no past post is like it")
    page = render.cards([candidate(1, "one", guard=guard, adjusted=1.0)], None, ticket="x")
    assert "meaning 0.81" in page
    assert "nearest past post 0.42" in page
    assert "do not trust this score" in page
    assert "no past post is like it" in page


def test_cards_of_forgotten_runs_offer_only_what_still_works() -> None:
    page = render.cards([candidate(1, "one")], None)
    assert 'data-do="copy"' in page
    assert 'data-do="edit"' not in page
    asked = render.cards([candidate(1, "one")], None, ticket="x", approval=True, marks=Marks(vetoed={"r1-1"}))
    assert 'data-do="veto" aria-pressed="true"' in asked
    assert 'data-do="keep" aria-pressed="false"' in asked


def test_the_plot_tells_its_story_in_words_too() -> None:
    original = candidate(0, "what we have", id="original", round=0)
    page = rounds_chart([one_round()], [original, candidate(1, "a"), candidate(2, "b")], 3)
    assert "The original stands at percentile" in page
    assert "Best so far: 40 after round 1" in page
    assert page.count("lc-chart-dot") == 2
    assert "No draft has been scored yet." in rounds_chart([], [], 3)


def test_plots_escape_drafts() -> None:
    pytest.importorskip("plotly")
    from ui.plots import aimed_plot

    prediction = candidate(1, HOSTILE).prediction
    assert prediction is not None
    figure = aimed_plot(80, [prediction], [HOSTILE]).to_json()
    assert "percentile" in figure
    assert "<script" not in figure
    assert "<img" not in figure
