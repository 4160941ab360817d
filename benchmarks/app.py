"""How quick and how steady the app is, measured in Debian's Chromium against the real embedded model.

    python benchmarks/app.py             writes benchmarks/results/app.json
    python benchmarks/app.py --quick     small fakes and few repeats, to see that it runs

Run it on an idle machine with Chromium and Playwright. Targets: first paint under 1.5 s on loopback, the model loaded
off the request path, edit to score under 1 s for one candidate, another user's score within 2 s of a running
optimisation, memory growing by less than 5 % between the tenth and the fiftieth run.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measuring import machine, run, versions

from lcbm_model.evaluation.benchmark_record import BenchmarkRecord, Table
from optimizer.brief import Brief, Budget
from tests.ui.browsing import CHROMIUM, FLAGS, WAIT, serving
from ui.services import Services

RESULTS = Path(__file__).parent / "results" / "app.json"
MESSAGE = "Our new 28 cm copper pan browns onions in 9 minutes because copper spreads heat evenly. It costs 149 euros."
DRAFT = "The new 28 cm copper pan browns onions in 9 minutes"
ENDINGS = ("today", "on weekdays", "and no more", "for two", "at last", "in one go", "without smoke", "every time")

TYPE_AND_WAIT = """
(text) => new Promise((done, fail) => {
  const card = document.querySelector('.lc-card-original');
  const box = card.querySelector('.lc-edit-box');
  const place = card.querySelector('[data-part="score"]');
  const began = performance.now();
  const watcher = new MutationObserver(() => { watcher.disconnect(); done(performance.now() - began); });
  watcher.observe(place, {childList: true});
  setTimeout(() => { watcher.disconnect(); fail(new Error('no score within 60 s')); }, 60000);
  box.value = text;
  box.dispatchEvent(new Event('input', {bubbles: true}));
})
"""
"""Milliseconds from a key to the new score on the page, the editor's pause for further keys included."""


@contextmanager
def scored_anew() -> Iterator[None]:
    """An empty score cache: what an earlier measurement has left in the user's own would be looked up, not scored."""
    with tempfile.TemporaryDirectory(prefix="lcbm-bench-") as folder:
        os.environ["LCBM_SCORE_CACHE"] = folder
        yield


def services_for(quick: bool) -> Services:
    """The house: real parts, or fakes."""
    if quick:
        from tests.ui.floors_fake import fake_floors

        return Services(fake_floors(pace=0.05, each=0.01, load=1.0))
    from ui.floors import real_floors

    return Services(real_floors())


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def open_page(browser: Any, url: str) -> Any:
    """A visitor of its own."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(5 * WAIT)
    page = context.new_page()
    page.goto(url)
    return page


def first_paint(browser: Any, url: str) -> float:
    """Seconds to the first contentful paint of a new visitor."""
    page = open_page(browser, url)
    asked = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
    page.wait_for_function(f"({asked}) !== null")
    paint = page.evaluate(asked) / 1000
    page.context.close()
    return float(paint)


def begin_run(page: Any, rounds: int) -> None:
    """Fill the brief and start."""
    page.get_by_text("Model ready").wait_for()
    page.locator("#f-message textarea").fill(MESSAGE)
    page.locator("#f-draft textarea").fill(DRAFT)
    page.get_by_text("How much effort").click()
    box = page.get_by_label("number input for Rounds")
    box.fill(str(rounds))
    box.press("Tab")
    page.get_by_role("button", name="Improve it").click()


def edit_to_score(page: Any, texts: Sequence[str]) -> list[float]:
    """Seconds from a key to the score, for each text."""
    card = page.locator(".lc-card-original")
    if not card.locator(".lc-edit-box").count():
        card.get_by_role("button", name="Edit").click()
    return [page.evaluate(TYPE_AND_WAIT, text) / 1000 for text in texts]


def while_another_runs(browser: Any, url: str, page: Any) -> list[float]:
    """Seconds from a key to the score in `page`, again and again while somebody else's optimisation goes."""
    other = open_page(browser, url)
    begin_run(other, 2)
    other.locator(".lc-card").first.wait_for()
    seconds: list[float] = []
    while other.locator('#run-panel [data-state="running"]').count():
        number = len(seconds)
        seconds += edit_to_score(page, [f"{DRAFT} {ENDINGS[number % len(ENDINGS)]}, take {number}"])
    other.context.close()
    return seconds


def memory_over(services: Services, runs: int) -> list[tuple[int, float]]:
    """(runs so far, resident MB) after each tenth run of one round."""
    process, found = psutil.Process(), []
    brief = Brief(message=MESSAGE, draft=DRAFT, budget=Budget(rounds=1, candidates=3))
    for number in range(1, runs + 1):
        run = services.start_run(brief, library=None, owner=f"visitor {number}", seed=number)
        run.wait(600)
        services.downloads(run)
        if number % max(1, runs // 5) == 0:
            gc.collect()
            found.append((number, process.memory_info().rss / 2**20))
    return found


def spread(name: str, seconds: Sequence[float], target: float | None) -> tuple[str, int, float, float, float | None]:
    """A row: median and largest."""
    return name, len(seconds), statistics.median(seconds), max(seconds), target


def main() -> None:
    """Measure everything, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    services, rows = services_for(quick), []
    with scored_anew(), chromium() as browser, serving(services) as url:
        began = time.perf_counter()
        loading = first_paint(browser, url)
        still = services.loading.phase == "loading"
        services.models()
        load = time.perf_counter() - began
        paints = [first_paint(browser, url) for _ in range(2 if quick else 9)]
        rows.append(spread("first paint", paints, 1.5))
        rows.append(spread("first paint while the model loads" if still else "first paint of all", [loading], 1.5))
        rows.append(spread("model load, in the background", [load], None))
        page = open_page(browser, url)
        begin_run(page, 1)
        page.locator('#run-panel [data-state="done"]').wait_for()
        texts = [f"{DRAFT} {ending}" for ending in ENDINGS[: 3 if quick else None]]
        rows.append(spread("edit to score", edit_to_score(page, texts), 1.0))
        rows.append(spread("edit to score while another's run goes", while_another_runs(browser, url, page), 2.0))
        page.context.close()
        memory = memory_over(services, 10 if quick else 50)
    record = BenchmarkRecord(
        page="performance",
        title="The app",
        command="python benchmarks/app.py",
        machine=machine(torch.device("cpu")),
        versions=versions(),
        told=(
            "Headless Chromium and the server share the machine. Edit to score counts from the key to the new number "
            "on the page, with the editor's pause of a quarter of a second.",
        ),
        tables=(
            Table(title="Waiting", columns=("what", "n", "median, s", "largest, s", "target, s"), rows=tuple(rows)),
            Table(
                title="Memory of the server's process",
                told="Runs of one round with three drafts each, one after another.",
                columns=("runs", "resident, MB"),
                rows=tuple(memory),
            ),
        ),
    )
    if not quick:
        record.save(RESULTS)
    print(record.markdown())
    print(f"threads at the end: {threading.active_count()}")


if __name__ == "__main__":
    run(main)
