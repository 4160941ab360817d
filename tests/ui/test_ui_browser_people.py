"""Several people, closed tabs, double clicks, the back button, lost connections, sessions that have expired."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.ui.browsing import TEXTS, WAIT, card, finished, run_sample, serving, visit
from tests.ui.floors_fake import fake_floors
from ui.services import Limits, Services

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
LONG = 10
"""Rounds of a run that is not over before a test has looked at it."""


@pytest.fixture
def house() -> Iterator[Services]:
    """Slow enough that a tab can be lost in mid-run; closed by `serving`."""
    return Services(fake_floors(pace=0.4, texts=TEXTS), Limits(grace_seconds=4.0))


def start(page: Any, message: str, rounds: int = 1) -> None:
    page.locator("#f-message textarea").fill(message)
    page.locator("#f-draft textarea").fill(f"{message} 9 minutes")
    page.get_by_text("How much effort").click()
    page.get_by_label("number input for Rounds").fill(str(rounds))
    page.get_by_label("number input for Rounds").press("Tab")
    page.get_by_role("button", name="Improve it").click()


def runs_of(house: Services) -> list[Any]:
    return list(house._book._runs.values())


def until(true: Any, seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.1)
    return False


def test_five_at_once_finish_with_their_own_results(browser: Any) -> None:
    with serving(pace=0.05) as url, ExitStack() as stack:
        pages = [stack.enter_context(visit(browser, url))[0] for _ in range(5)]
        for number, page in enumerate(pages):
            start(page, f"The invented offer of visitor {number} costs 149 euros", rounds=2)
        for number, page in enumerate(pages):
            finished(page)
            drafts = page.locator(".lc-card .lc-draft").all_text_contents()
            assert len(drafts) > 5
            assert all(f"visitor {number}" in draft for draft in drafts)


def test_a_run_does_not_keep_others_from_scoring(browser: Any) -> None:
    with serving(pace=0.3, each=0.02) as url, visit(browser, url) as (one, _), visit(browser, url) as (two, _):
        start(one, "A long run of the first visitor", rounds=LONG)
        one.locator(".lc-card").first.wait_for()
        two.get_by_role("tab", name="Score & compare").click()
        two.locator("#s-lines textarea").fill("One line\nAnother line that is longer")
        began = time.monotonic()
        two.get_by_role("button", name="Score them").click()
        two.locator('#score-table [data-state="done"]').wait_for()
        assert time.monotonic() - began < 10.0  # the figure of a quiet machine stands in benchmarks/app.py
        assert one.locator('#run-panel [data-state="running"]').count() == 1


def test_a_second_click_starts_no_second_run(browser: Any, house: Services) -> None:
    with serving(house) as url, visit(browser, url) as (page, _):
        page.locator("#f-message textarea").fill("A pan that browns onions in 9 minutes")
        page.locator("#run-go").dblclick()
        finished(page)
        assert len(runs_of(house)) == 1


def test_a_reload_and_the_back_button_find_the_run_again(browser: Any, house: Services) -> None:
    # Forgiving: Gradio's client says "Connection errored out" of the streams that a reload cuts.
    with serving(house) as url, visit(browser, url, forgiving=True) as (page, _):
        start(page, "A pan that browns onions in 9 minutes", rounds=3)
        page.locator(".lc-card").first.wait_for()
        assert page.evaluate("sessionStorage.getItem('lcbm-run')") == runs_of(house)[0].ticket
        assert runs_of(house)[0].id not in page.content()
        page.reload()
        page.locator(".lc-card").first.wait_for()
        assert page.locator("#f-message textarea").input_value() == "A pan that browns onions in 9 minutes"
        page.goto("about:blank")
        page.go_back()
        finished(page)
        assert page.locator(".lc-card").count() > 10
        assert runs_of(house)[0].result.status == "finished"
        assert len(runs_of(house)) == 1


def test_a_closed_tab_frees_the_model(browser: Any, house: Services) -> None:
    house.limits.grace_seconds = 0.5
    with serving(house) as url:
        with visit(browser, url) as (page, _):
            start(page, "A pan that browns onions in 9 minutes", rounds=LONG)
            page.locator(".lc-card").first.wait_for()
        [run] = runs_of(house)
        assert until(lambda: run.done)
        assert run.result.status == "stopped"
        assert run.result.best is not None


def test_a_lost_connection_loses_nothing(browser: Any, house: Services) -> None:
    house.limits.grace_seconds = 30.0
    with serving(house) as url, visit(browser, url, forgiving=True) as (page, _):
        start(page, "A pan that browns onions in 9 minutes", rounds=5)
        one = page.locator(".lc-card-original")
        one.get_by_role("button", name="Edit").click()
        page.context.set_offline(True)
        one.locator(".lc-edit-box").fill("Typed in a tunnel, 9 minutes long")
        one.locator(".lc-failed").wait_for()
        assert "Your words are kept here" in one.locator(".lc-hint").inner_text()
        page.context.set_offline(False)
        finished(page)
        assert one.locator(".lc-edit-box").input_value() == "Typed in a tunnel, 9 minutes long"
        one.locator(".lc-edit-box").press_sequentially("!")
        one.locator(".lc-change").wait_for()


def test_an_expired_session_says_so_and_keeps_the_words(browser: Any, house: Services) -> None:
    with serving(house) as url, visit(browser, url) as (page, _):
        start(page, "A pan that browns onions in 9 minutes")
        finished(page)
        with house._book._lock:
            house._book._runs.clear()  # as after a day, or a restart
        one = page.locator(".lc-card").first
        one.get_by_role("button", name="Edit").click()
        one.locator(".lc-edit-box").fill("Words of an old session, 9 minutes")
        one.locator(".lc-failed").wait_for()
        assert "does not know this run any more" in one.locator(".lc-hint").inner_text()
        assert one.locator(".lc-edit-box").input_value() == "Words of an old session, 9 minutes"
        page.reload()
        page.get_by_text("Better words, before you publish").wait_for()


def test_two_visitors_see_their_own_runs_only(browser: Any) -> None:
    with serving(texts=TEXTS) as url, visit(browser, url) as (one, _), visit(browser, url) as (two, _):
        run_sample(one)
        finished(one)
        assert two.locator(".lc-card").count() == 0
        assert two.get_by_text("Better words, before you publish").is_visible()


def test_a_slow_model_is_said_and_waited_for(browser: Any) -> None:
    go = threading.Event()
    floors = fake_floors(texts=TEXTS)
    load = floors.load_simulator

    def slow() -> Any:
        go.wait(60)
        return load()

    services = Services(type(floors)(**{**floors.__dict__, "load_simulator": slow}))
    with serving(services) as url:
        context = browser.new_context()
        context.set_default_timeout(WAIT)
        page = context.new_page()
        page.goto(url)
        page.get_by_text("Loading the model").wait_for()
        run_sample(page)
        page.get_by_text("Waiting for the audience model to load.").wait_for()
        go.set()
        finished(page)
        page.get_by_text("Model ready").wait_for()
        assert card(page, TEXTS[0]).is_visible()
        context.close()
