"""The whole journey in a real browser with the real embedded model: brief, drafts, edit, why, score."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ui.browsing import fill_sample, serving, shoot, visit

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PATIENCE = 900_000
"""Milliseconds for a run of one round on a slow, busy processor."""


def test_the_journey_on_the_embedded_model(browser: Any) -> None:
    from ui.floors import real_floors
    from ui.services import Services

    services = Services(real_floors())
    services.models(600)
    with serving(services) as url, visit(browser, url) as (page, _):
        fill_sample(page)
        page.get_by_text("How much effort").click()
        for label, value in (("Rounds", "1"), ("Drafts in each round", "3")):
            box = page.get_by_label(f"number input for {label}")
            box.fill(value)
            box.press("Tab")
        page.get_by_role("button", name="Improve it").click()
        page.locator('#run-panel [data-state="done"]').wait_for(timeout=PATIENCE)
        assert page.locator("#run-panel .lc-verdict-title").inner_text()
        assert page.locator("#run-hits .lc-hit").count() >= 1
        original = page.locator(".lc-card-original")
        assert 0 <= int(original.locator(".lc-num").first.inner_text().split()[0]) <= 100
        original.get_by_role("button", name="Edit").click()
        original.locator(".lc-edit-box").fill("Onions in 9 minutes: a copper pan from Kupferhain")
        original.locator(".lc-change").wait_for()
        assert "keeps your facts and rules" in original.inner_text()
        original.get_by_role("button", name="Undo my changes").click()
        original.get_by_role("button", name="Done").click()
        original.get_by_role("button", name="Why this score").click()
        original.locator(".lc-shaded").wait_for()
        assert original.locator(".lc-shaded").inner_text().startswith("The new 28 cm copper pan")
        shoot(page, "real-optimise-1440-light")
        page.get_by_role("tab", name="Score & compare").click()
        page.get_by_role("button", name="Show me with sample lines").click()
        page.wait_for_function("document.querySelector('#s-lines textarea').value.length > 20")
        page.get_by_role("button", name="Score them").click()
        page.locator('#score-table [data-state="done"]').wait_for()
        shares = page.locator("#score-table .lc-cell-best b").all_inner_texts()
        shoot(page, "real-score-1440-light")
        assert len(shares) == 6
        assert "came straight from the model" not in page.locator("#score-table").inner_text()  # it is calibrated
