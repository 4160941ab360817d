"""The app in a real browser, over small fakes: the journey, hostile words, stopping, a picture of every tab."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.ui.floors_fake import fake_floors

pytestmark = [
    pytest.mark.browser,
    # Gradio's own statistics, inside its queue, call pandas in ways that pandas has since deprecated.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / "artefacts" / "ui"
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE = '<img src=x onerror="window.hacked=1"> **bold** [a](http://e.x) {{x}} ${1+1} <b>9 minutes</b>'
TEXTS = (
    "Onions, brown in 9 minutes. The copper does the waiting for you.",
    "9 minutes from raw onion to deep brown: that is what copper is for",
    "Weeknight onions need 9 minutes and a pan that spreads the heat",
    HOSTILE,
    "A revolutionary pan: 9 minutes",
    "In 9 minutes the onions are brown and you are still reading the news",
)


@dataclass
class Seen:
    """What the browser complained of, and every address it asked."""

    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright for Python is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip("no Chromium: install it with `apt-get install chromium`")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@contextmanager
def serving(**options: Any) -> Iterator[str]:
    from ui.app import launch
    from ui.services import Services

    services = Services(fake_floors(**options))
    page, url = launch(port=0, services=services, block=False)
    try:
        yield url
    finally:
        page.close(verbose=False)
        services.close()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(pace=0.08, texts=TEXTS) as address:
        yield address


@contextmanager
def visit(browser: Any, url: str, width: int = 1440, scheme: str = "light") -> Iterator[tuple[Any, Seen]]:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True)
    page, seen = context.new_page(), Seen()
    page.on("console", lambda m: seen.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: seen.errors.append(str(e)))
    page.on("request", lambda r: None if r.url.startswith((url, "data:", "blob:")) else seen.foreign.append(r.url))
    page.goto(url)
    page.get_by_text("Model ready").wait_for(timeout=20_000)
    try:
        yield page, seen
    finally:
        context.close()
    assert seen.errors == []
    assert seen.foreign == []


def run_sample(page: Any) -> None:
    page.get_by_role("button", name="Try the sample brand").click()
    page.wait_for_function("document.querySelector('#f-message textarea').value.length > 20")
    page.locator("#f-picture img").wait_for()
    page.get_by_role("button", name="Improve it").click()


def finished(page: Any) -> None:
    page.locator('#run-panel [data-state="done"]').wait_for(timeout=30_000)
    page.get_by_role("button", name="Improve it").wait_for()


def shoot(page: Any, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


def no_sideways_scroll(page: Any) -> None:
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0


def test_the_whole_journey_from_sample_to_download(browser: Any, url: str, tmp_path: Path) -> None:
    with visit(browser, url) as (page, _):
        run_sample(page)
        page.locator(".lc-step-now").wait_for()
        finished(page)
        assert page.locator(".lc-card").count() >= 10
        cards = page.locator("#run-cards .lc-card-list").first.locator(".lc-card").all()
        percentiles = [int(card.locator(".lc-num").first.inner_text().split()[0]) for card in cards]
        assert percentiles == sorted(percentiles, reverse=True)
        assert "A reliable improvement" in page.locator(".lc-verdict").inner_text()
        assert "refused by your rules" in page.locator("#run-cards").inner_text()
        page.locator("#run-plot .js-plotly-plot").wait_for()
        assert page.locator("#run-hits .lc-hit").count() == 4
        with page.expect_download() as waiting:
            page.locator("#dl-json").click()
        waiting.value.save_as(tmp_path / "result.json")
        assert json.loads((tmp_path / "result.json").read_text())["brief"]["must_keep"] == ["9 minutes"]


def test_drafts_are_shown_as_text_and_never_run(browser: Any, url: str) -> None:
    with visit(browser, url) as (page, _):
        run_sample(page)
        finished(page)
        shown = page.locator(".lc-card .lc-text").all_inner_texts()
        assert HOSTILE in shown
        assert page.locator("#run-cards img, #run-cards a, #run-panel img").count() == 0
        page.get_by_role("tab", name="Score & compare").click()
        page.locator("#s-lines textarea").fill(f"{HOSTILE}\nA plain line")
        page.get_by_role("button", name="Score them").click()
        page.locator("#score-table td.lc-cell-num", has_text="%").first.wait_for()
        assert HOSTILE in page.locator("#score-table .lc-text").all_inner_texts()
        assert page.evaluate("window.hacked") is None


def test_a_hostile_word_in_an_error_is_text_too(browser: Any, url: str) -> None:
    with visit(browser, url) as (page, _):
        page.locator("#f-message textarea").fill("x")
        page.get_by_text("Brand and rules").click()
        page.get_by_label("Facts that must stay").fill(f"keep {HOSTILE}")
        page.get_by_label("Words to avoid").fill(HOSTILE)
        page.get_by_role("button", name="Improve it").click()
        page.locator("#run-panel .lc-error").wait_for()
        page.locator(".toast-body").first.wait_for()
        assert page.locator(".toast-body img[src='x'], #run-panel img").count() == 0
        assert page.evaluate("window.hacked") is None


def test_stop_keeps_the_best(browser: Any) -> None:
    with serving(pace=1.5, texts=TEXTS) as slow, visit(browser, slow) as (page, _):
        run_sample(page)
        page.locator(".lc-best").wait_for(timeout=20_000)
        page.locator(".lc-card").nth(2).wait_for(timeout=20_000)
        page.get_by_role("button", name="Stop, keep the best").click()
        finished(page)
        assert "Stopped; the best is kept." in page.locator("#run-panel").inner_text()
        assert page.locator(".lc-best-text").inner_text()
        assert page.get_by_role("button", name="Stop, keep the best").is_disabled()


def test_an_empty_brief_is_told_what_it_lacks(browser: Any, url: str) -> None:
    with visit(browser, url) as (page, _):
        page.get_by_role("button", name="Improve it").click()
        page.locator("#run-panel .lc-error").wait_for()
        assert "What has to be said: is empty" in page.locator("#run-panel").inner_text()
        page.get_by_role("button", name="Improve it").wait_for()


def test_a_program_named_as_a_table_is_refused(browser: Any, url: str, tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_bytes(b"MZ\x90\x00\x03")
    with visit(browser, url) as (page, _):
        page.get_by_role("tab", name="Library").click()
        page.locator("#l-file input[type=file]").set_input_files(tmp_path / "posts.csv")
        page.locator("#l-file").get_by_text("posts.csv").wait_for()
        page.get_by_role("button", name="Open the library").click()
        page.get_by_text("is not a text file").wait_for()


def test_two_visitors_see_their_own_runs_only(browser: Any, url: str) -> None:
    with visit(browser, url) as (one, _), visit(browser, url) as (two, _):
        run_sample(one)
        finished(one)
        assert two.locator(".lc-card").count() == 0
        assert two.get_by_text("Better words, before you publish").is_visible()


def test_numbers_explain_themselves_to_the_keyboard(browser: Any, url: str) -> None:
    with visit(browser, url) as (page, _):
        run_sample(page)
        finished(page)
        tips = page.locator(".lc-tip")
        assert tips.count() > 10
        assert all(t.get_attribute("tabindex") == "0" and t.get_attribute("data-tip") for t in tips.all())
        unnamed = page.evaluate(
            "[...document.querySelectorAll('button, input, textarea')].filter(e => e.offsetParent && "
            "!(e.innerText || e.ariaLabel || e.title || e.labels?.length || e.getAttribute('aria-labelledby')))"
            ".map(e => e.outerHTML.slice(0, 200))"
        )
        assert unnamed == []


def test_no_file_of_the_machine_is_served(url: str) -> None:
    for path in ("pyproject.toml", str(ROOT / "pyproject.toml"), "/etc/passwd", "../../etc/passwd"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{url}gradio_api/file={path}")
        assert caught.value.code in (403, 404)
        caught.value.close()


@pytest.mark.parametrize("width", [375, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_tab_has_its_picture_taken(browser: Any, width: int, scheme: str) -> None:
    with (
        serving(pace=0.08, texts=TEXTS, tuned=False, judge=False) as url,
        visit(browser, url, width, scheme) as (page, _),
    ):
        mark = f"{width}-{scheme}"
        shoot(page, f"optimise-empty-{mark}")
        run_sample(page)
        page.locator(".lc-card").first.wait_for()
        shoot(page, f"optimise-running-{mark}")
        finished(page)
        page.locator("#run-plot .js-plotly-plot").wait_for()
        shoot(page, f"optimise-done-{mark}")
        no_sideways_scroll(page)
        page.get_by_role("tab", name="Score & compare").click()
        page.locator("#s-lines textarea").fill("\n".join(TEXTS))
        page.get_by_role("button", name="Score them").click()
        page.locator("#score-table td.lc-cell-num", has_text="%").first.wait_for()
        shoot(page, f"score-{mark}")
        no_sideways_scroll(page)
        page.get_by_role("tab", name="Library").click()
        shoot(page, f"library-empty-{mark}")
        page.locator("#l-file input[type=file]").set_input_files(ROOT / "examples" / "kupfer_library.csv")
        page.locator("#l-file").get_by_text("kupfer_library").wait_for()
        page.get_by_role("button", name="Open the library").click()
        page.locator("#library-plot .js-plotly-plot").wait_for()
        shoot(page, f"library-{mark}")
        no_sideways_scroll(page)
        page.get_by_role("tab", name="About the model").click()
        page.get_by_text("never seen how real audiences behaved").last.wait_for()
        shoot(page, f"about-{mark}")
        no_sideways_scroll(page)
