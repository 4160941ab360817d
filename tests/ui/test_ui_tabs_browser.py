"""Library, campaigns and researchers' corner in a real browser, over small fakes, with a picture of every view."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lcbm_model.prediction import Prediction
from optimizer.brief import Brief, Budget
from optimizer.outcomes import Outcome, OutcomeStore, note_candidate
from tests.agents.hashing_embedder import HashingEmbedder
from tests.optimizer.campaign_runs import write_run
from tests.ui.browsing import ROOT, no_sideways_scroll, serving, shoot, visit
from tests.ui.floors_fake import fake_floors

pytestmark = [
    pytest.mark.browser,
    # Gradio's own statistics, inside its queue, call pandas in ways that pandas has since deprecated.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

HOSTILE = '<img src=x onerror="window.hacked=1"> **bold** {{x}} Onions in 9 minutes'
SPRING = (
    "Onions, brown in 9 minutes. The copper does the waiting for you.",
    "9 minutes from raw onion to deep brown: that is what copper is for",
    HOSTILE,
    "Weeknight onions need 9 minutes and a pan that spreads the heat",
)
PICTURE = ROOT / "examples" / "kupfer_pan.png"


def library_of(path: Path, metric: str) -> Any:
    from agents.library import Library

    return Library.from_file(path, metric=metric, embedder=HashingEmbedder())


def results(store: Path) -> None:
    """Sixty-two published texts: enough for a calibration of the team's own."""
    kept = OutcomeStore(store / "outcomes.sqlite")
    first = note_candidate("spring-1", "r1-01", count=52, exposure=1000, store=store, noted_by="anna")
    kept.add(first)
    assert first.predicted is not None
    for i in range(61):
        wave = (i * 37) % 71
        bins = tuple(float(1 + (b * 7 + i) % 5 + (4 if abs(b - wave // 8) < 2 else 0)) for b in range(10))
        predicted = Prediction.from_bins("click_rate", first.predicted.simulator, bins)
        assert predicted.expected is not None
        observed = min(max(predicted.expected * 1.3 - 20 + (i * 53) % 41 - 20, 1), 99)
        kept.add(
            Outcome(text=f"Invented text number {i}", metric="click_rate", value=observed / 1000, exposure=4000,
                    percentile=observed, low=max(observed - 8, 0), high=min(observed + 8, 100), predicted=predicted)
        )  # fmt: skip
    kept.close()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from ui.services import Services

    store = tmp_path_factory.mktemp("team") / "runs"
    write_run(store, "spring-1", texts=SPRING)
    write_run(store, "summer-1", name="Kupferhain summer", minutes=90, texts=("Toast is not a recipe", "Pans"))
    write_run(store, "autumn-1", name="Kupferhain autumn", minutes=200, status="stopped", texts=SPRING[:2])
    results(store)
    floors = replace(fake_floors(texts=SPRING), load_library=library_of)
    with serving(Services(floors, store=store)) as address:
        yield address


def open_tab(page: Any, *names: str) -> None:
    """Tabs that find no room stand in a menu behind three dots."""
    for name in names:
        tab = page.get_by_role("tab", name=name, exact=True)
        page.wait_for_timeout(200)
        if not any(t.is_visible() for t in tab.all()):
            for more in page.locator(".overflow-menu > button").all():
                if more.is_visible():
                    more.click()
                    choice = page.locator(".overflow-dropdown button", has_text=name)
                    if any(c.is_visible() for c in choice.all()):
                        next(c for c in choice.all() if c.is_visible()).click()
                        break
                    more.click()
            continue
        next(t for t in tab.all() if t.is_visible()).click()


def open_library(page: Any, file: Path = ROOT / "examples" / "kupfer_library.csv") -> None:
    open_tab(page, "Library")
    page.locator("#l-file input[type=file]").set_input_files(file)
    page.locator("#l-file").get_by_text(file.stem).wait_for()
    page.get_by_role("button", name="Open the library").click()
    page.locator("#library-plot .js-plotly-plot").wait_for()


def test_headings_that_nobody_knows_are_set_right_by_hand(browser: Any, url: str, tmp_path: Path) -> None:
    rows = "".join(f"Why rye keeps for days {i},{i},100\n" for i in range(40))
    (tmp_path / "ours.csv").write_text("Post copy,Klicks,Leute\n" + rows, encoding="utf-8")
    with visit(browser, url) as (page, _):
        open_tab(page, "Library")
        page.locator("#l-file input[type=file]").set_input_files(tmp_path / "ours.csv")
        page.locator("#l-file").get_by_text("ours").wait_for()
        assert not page.locator("#l-map-text input").is_visible()
        page.get_by_role("button", name="See how it is read").click()
        page.get_by_text("Choose your headings under").wait_for()
        page.locator("#l-map-text input").wait_for()


def test_a_file_is_seen_before_it_is_opened_and_searched(browser: Any, url: str) -> None:
    with visit(browser, url) as (page, _):
        open_tab(page, "Library")
        page.locator("#l-file input[type=file]").set_input_files(ROOT / "examples" / "kupfer_library.csv")
        page.locator("#l-file").get_by_text("kupfer_library").wait_for()
        page.get_by_role("button", name="See how it is read").click()
        page.locator(".lc-mapping").wait_for()
        assert "impressions" in page.locator(".lc-mapping").inner_text()
        page.get_by_role("button", name="Open the library").click()
        page.locator("#library-plot .js-plotly-plot").wait_for()
        assert page.locator("#library-best .lc-hit").count() == 12
        open_tab(page, "Search")
        page.locator("#l-query textarea, #l-query input").first.fill("copper pan")
        page.get_by_role("button", name="Search", exact=True).click()
        page.locator("#library-hits .lc-hit").first.wait_for()
        page.get_by_role("button", name="Best beside worst").click()
        page.locator(".lc-duo-side-badly .lc-hit").first.wait_for()
        open_tab(page, "Insights")
        page.get_by_role("button", name="Show what winners share").click()
        page.locator("#library-insights-board .lc-run").wait_for()


def test_what_happened_is_noted_and_stands_beside_its_prediction(browser: Any, url: str) -> None:
    with visit(browser, url) as (page, _):
        open_tab(page, "Campaigns", "What really happened")
        page.locator("#o-report .lc-run").wait_for()
        page.locator("#o-plot .js-plotly-plot").wait_for()
        page.get_by_label("Clicks").fill("41")
        page.get_by_label("Impressions").fill("1000")
        page.get_by_role("button", name="Note the result").click()
        page.get_by_text("4.10 % click rate").first.wait_for()
        page.get_by_text("Learn from the results").click()
        page.get_by_role("button", name="Fit the ranges to my audience").click()
        page.get_by_text("Your own ranges are in use").wait_for()
        page.get_by_role("button", name="Back to the model's own ranges").click()
        page.get_by_text("Your own ranges are in use").wait_for(state="hidden")


def test_impossible_figures_are_told(browser: Any, url: str) -> None:
    with visit(browser, url) as (page, _):
        open_tab(page, "Campaigns", "What really happened")
        page.locator("#o-report .lc-run").wait_for()
        page.get_by_label("Clicks").fill("5000")
        page.get_by_label("Impressions").fill("10")
        page.get_by_role("button", name="Note the result").click()
        page.get_by_text("counts more than were reached").wait_for()


def test_runs_are_opened_and_set_side_by_side_as_text(browser: Any, url: str) -> None:
    with visit(browser, url) as (page, _):
        open_tab(page, "Campaigns")
        page.locator(".lc-camp").nth(2).wait_for()
        page.locator("#c-name textarea, #c-name input").first.fill("spring")
        page.wait_for_function("document.querySelectorAll('.lc-camp').length === 1")
        page.get_by_role("button", name="Open", exact=True).click()
        page.locator(".lc-camp-open").wait_for()
        assert HOSTILE in page.locator("#c-panel, #c-cards").all_inner_texts()[0] or HOSTILE in "".join(
            page.locator(".lc-card .lc-text").all_inner_texts()
        )
        page.locator("#c-name textarea, #c-name input").first.fill("")
        page.wait_for_function("document.querySelectorAll('.lc-camp').length === 3")
        open_tab(page, "Side by side")
        page.get_by_role("button", name="Compare", exact=True).click()
        page.locator(".lc-versus .lc-duo").wait_for()
        assert page.evaluate("window.hacked") is None
        assert page.locator("#c-list img, #c-versus img, #c-panel img").count() == 0


def test_a_run_that_waits_is_finished_after_a_restart(browser: Any, tmp_path: Path) -> None:
    from ui.services import Services

    floors = fake_floors(texts=SPRING)
    before = Services(floors, store=tmp_path)
    brief = Brief(message="A pan", draft="A pan", approval=True, budget=Budget(rounds=3, candidates=3))
    run = before.start_run(brief, library=None, owner="yesterday")
    assert run.wait(20)
    before.close()
    write_run(tmp_path, run.id, status="waiting_for_approval", minutes=9)
    write_run(tmp_path, "spring-1", name="Over and done")
    with serving(Services(floors, store=tmp_path)) as url, visit(browser, url) as (page, _):
        open_tab(page, "Campaigns")
        finish = page.get_by_role("button", name="Finish with the best").locator("visible=true")
        finish.wait_for()
        page.locator("#c-run input").click()
        page.get_by_role("option", name="Over and done").click()
        finish.wait_for(state="hidden")
        page.locator("#c-run input").click()
        page.get_by_role("option", name="Kupferhain spring").click()
        finish.click()
        page.locator('#c-panel [data-state="done"]').wait_for()
        finish.wait_for(state="hidden")
        assert page.locator("#c-plot .lc-chart-mark").count() > 0
        page.get_by_role("button", name="Go on with it").wait_for()
        assert page.locator("#c-run input").input_value().startswith("Kupferhain spring")


def test_a_content_is_taken_apart_and_its_whole_distribution_shown(browser: Any, url: str) -> None:
    with visit(browser, url) as (page, _):
        open_tab(page, "Researchers")
        page.locator("#rs-text textarea").fill(HOSTILE)
        page.get_by_role("button", name="Simulate", exact=True).click()
        page.locator("#rs-plot .js-plotly-plot").wait_for()
        assert HOSTILE in page.locator("#rs-board .lc-best-text").inner_text()
        open_tab(page, "Occlusion")
        page.locator("#ro-text textarea").fill("Onions brown in 9 minutes. Copper does the waiting, and you read on.")
        page.get_by_role("button", name="Take it apart").click()
        page.locator(".lc-worths tbody tr").first.wait_for()
        open_tab(page, "Simulate content")
        page.locator("#rw-message textarea").fill("Copper browns onions in 9 minutes")
        page.get_by_role("button", name="Write", exact=True).click()
        page.locator(".lc-aimed").first.wait_for()
        assert page.evaluate("window.hacked") is None
        open_tab(page, "Evidence")
        page.locator(".lc-evidence-table").first.wait_for()
        assert page.locator(".lc-evidence-table").count() >= 4


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core: `LCBM_AXE`, else where the tests of the app's looks put it."""
    place = os.environ.get("LCBM_AXE") or ROOT / "artefacts" / "npm" / "node_modules" / "axe-core" / "axe.min.js"
    if not Path(place).exists():
        pytest.skip(f"ACCESSIBILITY IS NOT CHECKED: no axe-core at {place}")
    return Path(place).read_text(encoding="utf-8")


# `region`: Gradio puts its toasts and the page's parts beside the main landmark.
RUN_AXE = """axe.run(document, {resultTypes: ['violations'], rules: {region: {enabled: false}}}).then(found =>
  found.violations.flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 200)}`)))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_screen_readers_and_eyes_find_no_fault(browser: Any, url: str, axe: str, scheme: str) -> None:
    with visit(browser, url, scheme=scheme) as (page, _):
        page.evaluate(axe)
        found: list[str] = []

        def look() -> None:
            page.wait_for_timeout(1500)  # what has just come in fades in
            found.extend(page.evaluate(RUN_AXE))

        open_library(page)
        look()
        page.get_by_text("Set columns right by hand").click()
        page.get_by_text("Pictures of the posts").click()
        page.get_by_role("button", name="See how it is read").click()
        page.locator(".lc-mapping").wait_for()
        look()
        open_tab(page, "Search")
        page.locator("#l-query textarea, #l-query input").first.fill("copper pan")
        page.get_by_role("button", name="Best beside worst").click()
        page.locator(".lc-duo-side-badly .lc-hit").first.wait_for()
        look()
        open_tab(page, "Insights")
        page.get_by_role("button", name="Show what winners share").click()
        page.locator("#library-insights-board .lc-run").wait_for()
        look()
        open_tab(page, "Campaigns")
        page.locator(".lc-camp").nth(2).wait_for()
        page.get_by_role("button", name="Open", exact=True).click()
        page.locator(".lc-camp-open").wait_for()
        look()
        open_tab(page, "Side by side")
        page.get_by_role("button", name="Compare", exact=True).click()
        page.locator(".lc-versus .lc-duo").wait_for()
        look()
        open_tab(page, "What really happened")
        page.locator("#o-plot .js-plotly-plot").wait_for()
        look()
        open_tab(page, "Researchers")
        page.locator("#rs-text textarea").fill(SPRING[0])
        page.get_by_role("button", name="Simulate", exact=True).click()
        page.locator("#rs-plot .js-plotly-plot").wait_for()
        look()
        open_tab(page, "Occlusion")
        page.locator("#ro-text textarea").fill("Onions brown in 9 minutes. Copper does the waiting.")
        page.get_by_role("button", name="Take it apart").click()
        page.locator(".lc-worths tbody tr").first.wait_for()
        look()
        open_tab(page, "Evidence")
        page.locator(".lc-evidence-table").first.wait_for()
        look()
        open_tab(page, "The model")
        page.get_by_text("Model card", exact=True).click()
        look()
        assert sorted(set(found)) == []


@pytest.mark.parametrize("width", [375, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_has_its_picture_taken(browser: Any, url: str, width: int, scheme: str, tmp_path: Path) -> None:
    table = tmp_path / "posts.csv"
    table.write_text(
        "message,clicks,impressions,picture,day\n"
        + "".join(f"Invented post {i} about pans,{i * 3},1000,pan.png,2026-02-{i:02d}\n" for i in range(1, 13)),
        encoding="utf-8",
    )
    with visit(browser, url, width, scheme) as (page, _):

        def picture(name: str) -> None:
            shoot(page, f"{name}-{width}-{scheme}")
            no_sideways_scroll(page)

        open_library(page)
        picture("library-opened")
        open_tab(page, "Search")
        page.locator("#l-query textarea, #l-query input").first.fill("copper pan for onions")
        page.get_by_role("button", name="Search", exact=True).click()
        page.locator("#library-hits .lc-hit").first.wait_for()
        picture("library-search")
        page.get_by_role("button", name="Best beside worst").click()
        page.locator(".lc-duo-side-badly .lc-hit").first.wait_for()
        picture("library-contrast")
        open_tab(page, "Insights")
        page.get_by_role("button", name="Show what winners share").click()
        page.locator("#library-insights-board .lc-run").wait_for()
        picture("library-insights")
        open_tab(page, "Your posts")
        page.get_by_role("button", name="See how it is read").click()
        page.locator(".lc-mapping").wait_for()
        picture("library-preview")
        open_tab(page, "Campaigns")
        page.locator(".lc-camp").nth(2).wait_for()
        picture("campaigns")
        page.get_by_role("button", name="Open", exact=True).click()
        page.locator(".lc-camp-open").wait_for()
        picture("campaign-opened")
        open_tab(page, "Side by side")
        page.get_by_role("button", name="Compare", exact=True).click()
        page.locator(".lc-versus .lc-duo").wait_for()
        picture("campaigns-versus")
        open_tab(page, "What really happened")
        page.locator("#o-plot .js-plotly-plot").wait_for()
        picture("outcomes")
        open_tab(page, "Researchers")
        page.locator("#rs-text textarea").fill(SPRING[0])
        page.get_by_role("button", name="Simulate", exact=True).click()
        page.locator("#rs-plot .js-plotly-plot").wait_for()
        picture("research-simulate")
        open_tab(page, "Simulate content")
        page.locator("#rw-message textarea").fill("Copper browns onions in 9 minutes")
        page.get_by_role("button", name="Write", exact=True).click()
        page.locator(".lc-aimed").first.wait_for()
        picture("research-write")
        open_tab(page, "Occlusion")
        page.locator("#ro-text textarea").fill("Onions brown in 9 minutes. Copper does the waiting, and you read on.")
        page.get_by_role("button", name="Take it apart").click()
        page.locator(".lc-worths tbody tr").first.wait_for()
        picture("research-occlusion")
        open_tab(page, "Evidence")
        page.locator(".lc-evidence-table").first.wait_for()
        picture("research-evidence")
        open_tab(page, "The model")
        page.get_by_text("Model card", exact=True).click()
        page.wait_for_timeout(600)
        picture("research-model")
