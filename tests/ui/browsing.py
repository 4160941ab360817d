"""The app served over fakes, and driving it in Debian's Chromium: a visitor whose console stays clean, pictures."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.ui.floors_fake import fake_floors

if TYPE_CHECKING:
    from ui.services import Limits, Services

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
WAIT = 60_000
"""Milliseconds: a busy machine is slow, a page that never answers is broken."""
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


@contextmanager
def serving(
    services: Services | None = None,
    *,
    limits: Limits | None = None,
    door: Mapping[str, Any] | None = None,
    **options: Any,
) -> Iterator[str]:
    """The app's address over `services`, else over fakes; `door` goes to `launch`, `options` to `fake_floors`."""
    from ui.app import launch
    from ui.services import Limits as Made
    from ui.services import Services as House

    house = services or House(fake_floors(**options), limits or Made())
    page, url = launch(port=0, services=house, block=False, **(door or {}))
    try:
        yield url
    finally:
        page.close(verbose=False)
        house.close()


@contextmanager
def visit(
    browser: Any, url: str, width: int = 1440, scheme: str = "light", *, forgiving: bool = False
) -> Iterator[tuple[Any, Seen]]:
    """A visitor of its own. At the end nothing may stand in the console, and nothing may have been asked elsewhere.

    Args:
        forgiving: The test cuts the connection, so the console may complain.
    """
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True)
    context.set_default_timeout(WAIT)
    page, seen = context.new_page(), Seen()
    page.on("console", lambda m: seen.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: seen.errors.append(str(e)))
    page.on("request", lambda r: None if r.url.startswith((url, "data:", "blob:")) else seen.foreign.append(r.url))
    page.goto(url)
    page.get_by_text("Model ready").wait_for()
    try:
        yield page, seen
    finally:
        context.close()
    assert seen.errors == [] or forgiving
    assert seen.foreign == []


def fill_sample(page: Any) -> None:
    """The invented brand in the form."""
    page.get_by_role("button", name="Try the sample brand").click()
    page.wait_for_function("document.querySelector('#f-message textarea').value.length > 20")
    page.locator("#f-picture img").wait_for()


def run_sample(page: Any) -> None:
    """The invented brand, and off it goes."""
    fill_sample(page)
    page.get_by_role("button", name="Improve it").click()


def finished(page: Any) -> None:
    """Wait for the end of the run, and for its last cards: until then they may still change places."""
    page.locator('#run-panel [data-state="done"]').wait_for()
    page.locator("#run-cards [data-final]").wait_for(state="attached")
    page.get_by_role("button", name="Improve it").wait_for()


def card(page: Any, text: str) -> Any:
    """The card of a draft, by words of the draft."""
    return page.locator(".lc-card").filter(has=page.locator(".lc-draft", has_text=text)).first


def shoot(page: Any, name: str, *, full: bool = True) -> None:
    """A picture in `artefacts/ui`, which git ignores."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.mouse.move(0, 0)
    page.wait_for_timeout(400)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=full)


def no_sideways_scroll(page: Any) -> None:
    """Nothing stands out of the screen, once what has just appeared has found its place."""
    page.wait_for_function("document.documentElement.scrollWidth <= window.innerWidth")
