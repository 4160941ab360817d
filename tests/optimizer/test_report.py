"""The report holds everything, runs nothing and fetches nothing."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from agents.occlusion import Contribution
from lcbm_model.errors import SettingsError
from optimizer import Decision, Objective, OptimizationResult, optimize, resume
from optimizer.report.front_plot import front_svg
from optimizer.report.highlight import pieces
from optimizer.report.page import bar, headline, seal
from optimizer.report.table import neutral
from tests.fakes import FakeSimulator, FakeWriter
from tests.optimizer.parts import FakeLibrary, bakery, run

HOSTILE = "<script>alert('x')</script> rye & \"bread\""
FORMULA = "=HYPERLINK(rye bread)"


@pytest.fixture
def result(tmp_path: Path) -> OptimizationResult:
    from PIL import Image

    Image.new("RGB", (2000, 1000), "tan").save(tmp_path / "bread.png")
    writers = [FakeWriter(texts=[HOSTILE, FORMULA, "Rye bread at dawn, warm and slow", "Rye bread, at noon"])]
    brief = bakery(
        picture=tmp_path / "bread.png",
        note="an invented bakery",
        banned_words=("slow",),
        format="link",
        title="<i>Our</i> ovens",
    )
    return run(tmp_path, brief, writers=writers, library=FakeLibrary(), judge=FakeSimulator(name="judge"))


class Page(HTMLParser):
    """What a browser would see: elements, addresses and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_report_is_whole_and_self_contained(result: OptimizationResult, tmp_path: Path) -> None:
    html = result.save(tmp_path / "report.html").read_text()
    page = Page(html)
    assert not {"script", "link", "iframe", "object", "form"} & set(page.tags)
    assert page.tags.count("svg") == 2
    assert all(address.startswith(("data:image/jpeg;base64,", "#")) for address in page.addresses)
    assert "Kind of postlink" in page.text.replace("\n", "")
    assert "Title of the link<i>Our</i> ovens" in page.text.replace("\n", "")
    assert len(html) < 400_000  # the picture went in small
    for text in (HOSTILE, "an invented bakery", "Fresh rye from five in the morning", result.run_id):
        assert text in page.text
    for candidate in result.candidates:
        assert candidate.text in page.text
        assert all(reason in page.text for reason in candidate.rejected)
    for warning in result.warnings:
        assert warning in page.text
    assert result.judge is not None
    assert result.judge.verdict in page.text
    assert result.simulator.label in page.text
    assert 'name="viewport"' in html
    assert "prefers-color-scheme:dark" in html
    assert "@media print" in html


def test_the_plot_follows_the_theme(result: OptimizationResult, tmp_path: Path) -> None:
    html = result.save(tmp_path / "report.html").read_text()
    plots = re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)
    assert all("var(--accent)" in plot and "#0102" not in plot for plot in plots)
    dots = sum(c.score is not None for c in result.candidates)
    assert all(plot.count("var(--dot)") >= dots for plot in plots)


def test_the_same_result_gives_the_same_bytes(result: OptimizationResult, tmp_path: Path) -> None:
    assert result.save(tmp_path / "a.html").read_bytes() == result.save(tmp_path / "b.html").read_bytes()


def test_a_result_survives_json(result: OptimizationResult, tmp_path: Path) -> None:
    assert OptimizationResult.load(result.save(tmp_path / "r.json")) == result


def test_a_picture_that_is_gone_is_said_not_fatal(result: OptimizationResult, tmp_path: Path) -> None:
    (tmp_path / "bread.png").unlink()
    page = Page(result.save(tmp_path / "report.html").read_text())
    assert "img" not in page.tags
    assert "The picture is not shown: no such picture." in page.text


def test_spreadsheets_run_nothing(result: OptimizationResult, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(result.save(tmp_path / "c.csv").read_text())))
    assert [row["id"] for row in rows] == [c.id for c in result.candidates]
    assert {row["text"] for row in rows} >= {f"'{FORMULA}", HOSTILE}
    for begins in "=+-@\t\r":
        assert neutral(f"{begins}1") == f"'{begins}1"
        assert neutral(f" {begins}1").startswith("'") or begins in "\t\r"
    assert neutral(-1.5) == -1.5


@pytest.mark.parametrize("name", ["r.pdf", "r", "r.HTMLX"])
def test_other_endings_are_refused(result: OptimizationResult, tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="Use one of"):
        result.save(tmp_path / name)


def test_a_place_that_cannot_be_written(result: OptimizationResult, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be written"):
        result.save(tmp_path / "file" / "r.html")


@pytest.mark.parametrize(
    ("budget", "draft"),
    [({"rounds": 0}, "Rye bread"), ({"simulator_calls": 0}, "Rye bread"), ({"rounds": 0}, None), ({}, None)],
)
def test_thin_results_render_too(tmp_path: Path, budget: dict[str, int], draft: str | None) -> None:
    thin = run(tmp_path, bakery(budget=budget, draft=draft))
    page = Page(thin.save(tmp_path / "report.html").read_text())
    assert headline(thin) in page.text
    assert "None" not in page.text


def test_headlines_claim_no_more_than_there_is(tmp_path: Path) -> None:
    assert "no evidence" in headline(run(tmp_path, simulator=FakeSimulator(tuned=False)))
    assert "no independent judge" in headline(run(tmp_path))
    confirmed = run(tmp_path, judge=FakeSimulator(name="judge", spread=4))
    assert headline(confirmed).startswith("The judge confirms")


def test_bars_lie_on_their_track(result: OptimizationResult) -> None:
    for candidate in result.ranked:
        place = bar(candidate.prediction)
        assert place is not None
        assert 0 <= place["left"] <= place["dot"] <= place["left"] + place["width"] <= 100.5


# What came of the loop: why, slate, trade-offs, writers, decisions ---------------------------------------------------


@pytest.fixture
def decided(tmp_path: Path) -> OptimizationResult:
    long = "Rye bread at dawn, warm from the oven, because you sleep while we bake"
    writers = [
        FakeWriter("one", texts=[long, "Why rye at dawn?"]),
        FakeWriter("<b>two</b>", texts=["Rye, warm & slow"]),
    ]
    aims = (Objective(metric="shares", audience="<i>parents</i>", weight=0.5),)
    brief = bakery(objectives=aims, approval=True, budget={"rounds": 2, "candidates": 3, "patience": 5})
    parts = {"simulator": FakeSimulator(), "writers": writers, "store": tmp_path, "judge": FakeSimulator(name="judge")}
    waiting = optimize(brief, run_id="d", **parts)  # type: ignore[arg-type]
    struck = next(c.id for c in waiting.candidates if c.text == "Why rye at dawn?")
    said = Decision(
        edits={"original": "Rye bread <em>tonight</em>"}, vetoed=(struck,), comments={"": HOSTILE, struck: "dull"}
    )
    resume("d", decision=said, **parts)  # type: ignore[arg-type]
    return resume("d", decision="finish", **parts)  # type: ignore[arg-type]


def test_the_report_shows_what_came_of_the_loop(decided: OptimizationResult, tmp_path: Path) -> None:
    html = decided.save(tmp_path / "report.html").read_text()
    page = Page(html)
    assert not {"script", "em>tonight", "i>parents"} & set(page.tags)
    assert page.tags.count("mark") >= 3  # the two of the legend, and the best draft's parts
    for section in (
        "Why this draft",
        "A slate to test",
        "Trade-offs",
        "What each writer brought",
        "What people decided",
    ):
        assert section in page.text
    for text in (HOSTILE, "Rye bread <em>tonight</em>", "dull", "<b>two</b>", "shares for <i>parents</i>"):
        assert text in page.text
    for part in decided.why[:8]:
        assert part.text in page.text
    assert "Proxy gain" in page.text
    assert "Judge gain" in page.text
    assert "vetoed" in page.text


def test_a_text_is_whole_in_pieces_whatever_the_parts(decided: OptimizationResult) -> None:
    best = decided.best
    assert best is not None
    cut = pieces(best.text, decided.why)
    assert "".join(piece.text for piece in cut) == best.text
    assert max(piece.strength for piece in cut) == 1
    assert [piece.text for piece in pieces("another text", decided.why)] == ["another text"]
    assert pieces("", ()) == []
    overlapping = [
        Contribution("phrase", "b c", 2, 5, 4.0),
        Contribution("phrase", "a b", 0, 3, -9.0),
        Contribution("picture", "a loaf", None, None, 20.0),
    ]
    assert [(p.text, p.effect) for p in pieces("a b c", overlapping)] == [("a b", -9.0), (" c", None)]


def test_the_front_is_drawn_where_there_is_one(decided: OptimizationResult) -> None:
    svg = front_svg(decided)
    assert svg.startswith("<svg")
    assert "#0102" not in svg
    assert svg.count("var(--accent)") >= 1


def test_seals_say_no_more_than_there_is(tmp_path: Path) -> None:
    assert seal(run(tmp_path / "a", judge=FakeSimulator(name="judge", spread=4)))[0] == "good"
    assert seal(run(tmp_path / "b")) == ("open", "not confirmed")
    assert seal(run(tmp_path / "c", bakery(draft="Rye bread " * 12, max_length=400)))[1].startswith("no reliable")
    assert seal(run(tmp_path / "d", bakery(draft=None, budget={"rounds": 0})))[1] == "nothing to return"


def test_the_table_holds_every_objective_and_what_people_did(decided: OptimizationResult, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(decided.save(tmp_path / "c.csv").read_text())))
    assert [row["id"] for row in rows if row["vetoed"]] == list(decided.decisions[0].vetoed)
    assert {row["id"] for row in rows if row["slate"]} == set(decided.slate)
    assert {row["id"] for row in rows if row["front"]} == set(decided.front)
    scored = [row for row in rows if row["expected"]]
    assert all(0 <= float(row["shares for <i>parents</i> expected"]) <= 100 for row in scored)


def test_a_header_runs_nothing_either(decided: OptimizationResult, tmp_path: Path) -> None:
    aim = Objective(metric="shares").model_copy(update={"metric": "=shares"})
    hostile = decided.model_copy(update={"brief": decided.brief.model_copy(update={"objectives": (aim,)})})
    assert "'=shares expected" in hostile.save(tmp_path / "c.csv").read_text().splitlines()[0]
