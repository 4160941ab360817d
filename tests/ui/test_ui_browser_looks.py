"""What the app looks like, to eyes and to screen readers: pictures, axe-core, the keyboard, small screens."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ui.browsing import (
    ROOT,
    TEXTS,
    card,
    fill_sample,
    finished,
    no_sideways_scroll,
    run_sample,
    serving,
    shoot,
    visit,
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
AXE_FOLDER = ROOT / "artefacts" / "npm"
AXE = "axe-core@4.11"
# Found inside Gradio's own components, which the app can only choose, not change; each is named with its reason.
NOT_OURS = {
    "region": "Gradio puts its toasts and the page's parts beside the main landmark",
}


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core: `LCBM_AXE`, else from npm, installed once into a folder that git ignores."""
    file = Path(os.environ.get("LCBM_AXE") or AXE_FOLDER / "node_modules" / "axe-core" / "axe.min.js")
    if not file.exists() and shutil.which("npm"):
        command = ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--prefix", str(AXE_FOLDER), AXE]
        subprocess.run(command, capture_output=True, timeout=120, check=False)
    if not file.exists():
        pytest.skip(f"ACCESSIBILITY IS NOT CHECKED: no axe-core; npm install --prefix {AXE_FOLDER} {AXE}, or LCBM_AXE")
    return file.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(pace=0.05, texts=TEXTS) as address:
        yield address


def violations(page: Any, axe: str) -> list[str]:
    """Rules of WCAG 2.2 A and AA, and axe's own good practice, that the page breaks."""
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{rule['id']}: {rule['help']}: {node['html'][:160]}"
        for rule in found
        if rule["id"] not in NOT_OURS
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_screen_readers_and_eyes_find_no_fault(browser: Any, url: str, axe: str, scheme: str) -> None:
    with visit(browser, url, scheme=scheme) as (page, _):
        found = violations(page, axe)
        fill_sample(page)
        page.get_by_label("Ask me after each round").check()
        page.get_by_role("button", name="Improve it").click()
        page.locator("#run-asked").wait_for()
        one = card(page, TEXTS[0])
        one.get_by_role("button", name="Comment").click()
        one.get_by_role("button", name="Why this score").click()
        one.locator(".lc-shaded").wait_for()
        two = card(page, TEXTS[1])
        two.get_by_role("button", name="Edit").click()
        two.locator(".lc-edit-box").fill("Another wording of 9 minutes")
        two.locator(".lc-change").wait_for()
        found += violations(page, axe)
        page.get_by_role("button", name="Finish with the best").click()
        finished(page)
        found += violations(page, axe)
        page.get_by_role("tab", name="Score & compare").click()
        found += violations(page, axe)
        page.get_by_role("button", name="Show me with sample lines").click()
        page.wait_for_function("document.querySelector('#s-lines textarea').value.length > 20")
        page.get_by_role("button", name="Score them").click()
        page.locator('#score-table [data-state="done"]').wait_for()
        found += violations(page, axe)
        assert sorted(set(found)) == []


def test_numbers_explain_themselves_to_the_keyboard(browser: Any, url: str) -> None:
    with visit(browser, url) as (page, _):
        run_sample(page)
        finished(page)
        tips = page.locator(".lc-tip")
        assert tips.count() > 10
        assert all(t.get_attribute("tabindex") == "0" and t.get_attribute("data-tip") for t in tips.all())
        unnamed = page.evaluate(
            "[...document.querySelectorAll('button, input, textarea')].filter(e => e.offsetParent && "
            "!(e.textContent.trim() || e.ariaLabel || e.title || e.labels?.length ||"
            " e.getAttribute('aria-labelledby')))"
            ".map(e => e.outerHTML.slice(0, 200))"
        )
        assert unnamed == []


def test_the_cards_work_without_a_mouse(browser: Any, url: str) -> None:
    with visit(browser, url) as (page, _):
        run_sample(page)
        finished(page)
        one = card(page, TEXTS[0])
        one.get_by_role("button", name="Edit").focus()
        page.keyboard.press("Enter")
        page.keyboard.type("Now: ")
        one.locator(".lc-change").wait_for()
        page.keyboard.press("Escape")
        assert one.get_by_role("button", name="Edit").evaluate("e => e === document.activeElement")
        one.locator('[data-do="pick"]').focus()
        page.keyboard.press("Space")
        card(page, TEXTS[1]).locator('[data-do="pick"]').focus()
        page.keyboard.press("Space")
        page.get_by_role("button", name="Compare side by side").focus()
        page.keyboard.press("Enter")
        page.locator(".lc-side").nth(1).wait_for()
        page.keyboard.press("Escape")
        assert not page.locator("dialog").is_visible()


def test_light_and_dark_are_remembered(browser: Any, url: str) -> None:
    with visit(browser, url) as (page, _):
        assert not page.evaluate("document.body.classList.contains('dark')")
        page.get_by_role("button", name="Light / dark").click()
        page.reload()
        page.wait_for_function("document.body.classList.contains('dark')")


def test_a_first_paint_does_not_wait_for_the_model(browser: Any) -> None:
    with serving(load=20.0) as url:
        page = browser.new_page()
        page.goto(url)
        page.get_by_text("Better words, before you publish").wait_for()
        assert page.get_by_text("Loading the model").is_visible()
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        assert paint < 15_000  # far below the model's load; the figure of a quiet machine stands in benchmarks/app.py
        page.close()


@pytest.mark.parametrize("width", [375, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_tab_has_its_picture_taken(browser: Any, width: int, scheme: str) -> None:
    with (
        serving(pace=0.08, texts=TEXTS, tuned=False, judge=False) as url,
        visit(browser, url, width, scheme) as (page, _),
    ):
        mark = f"{width}-{scheme}"
        shoot(page, f"optimise-empty-{mark}")
        no_sideways_scroll(page)
        run_sample(page)
        page.locator(".lc-card").first.wait_for()
        shoot(page, f"optimise-running-{mark}")
        finished(page)
        shoot(page, f"optimise-done-{mark}")
        no_sideways_scroll(page)
        shown = page.locator("#run-cards .lc-card-list").first.locator(".lc-card")
        for place in (0, 3, 6):
            shown.nth(place).locator('[data-do="pick"]').check()
        one = shown.nth(3)
        one.get_by_role("button", name="Why this score").click()
        one.locator(".lc-shaded").wait_for()
        two = shown.nth(4)
        two.get_by_role("button", name="Edit").click()
        two.locator(".lc-edit-box").fill("9 minutes from raw onion to deep brown. Copper.")
        two.locator(".lc-change").wait_for()
        shoot(page, f"optimise-desk-{mark}")
        no_sideways_scroll(page)
        page.get_by_role("button", name="Compare side by side").click()
        page.locator(".lc-side").nth(2).wait_for()
        shoot(page, f"optimise-compare-{mark}", full=False)
        page.keyboard.press("Escape")
        page.get_by_role("tab", name="Score & compare").click()
        shoot(page, f"score-empty-{mark}")
        page.locator("#s-lines textarea").fill("\n".join(TEXTS))
        page.get_by_role("button", name="Score them").click()
        page.locator('#score-table [data-state="done"]').wait_for()
        shoot(page, f"score-{mark}")
        no_sideways_scroll(page)
        page.get_by_role("button", name="What if?").click()
        page.locator("#s-audience-2 :is(textarea, input)").fill("chefs in restaurants")
        page.get_by_role("button", name="Score them").click()
        page.locator("#score-table .lc-two").wait_for()
        shoot(page, f"score-whatif-{mark}")
        no_sideways_scroll(page)
