"""Beginning to listen and ending: what is left behind."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from optimizer.outcomes import OutcomeStore
from tests.event_loops import run_apart
from tests.ui.browsing import serving
from tests.ui.floors_fake import fake_floors
from ui.services import Services


@pytest.fixture
def connections() -> Iterator[list[object]]:
    """Connections to databases that are open."""
    opened: list[object] = []

    def connect(connection: object, _: object) -> None:
        opened.append(connection)

    def close(connection: object, _: object) -> None:
        opened.remove(connection)

    for name, act in (("connect", connect), ("close", close)):
        event.listen(Pool, name, act)
    yield opened
    for name, act in (("connect", connect), ("close", close)):
        event.remove(Pool, name, act)


def open_loops() -> int:
    """Event loops that nobody has closed."""
    gc.collect()
    return sum(issubclass(type(o), asyncio.AbstractEventLoop) and not o.is_closed() for o in gc.get_objects())


def serve_once() -> None:
    with serving() as url:
        assert httpx.get(f"{url}health").status_code in (200, 503)


def serve_from_a_thread() -> None:
    thread = threading.Thread(target=serve_once)
    thread.start()
    thread.join()


def serve_inside_a_loop() -> None:
    async def inside() -> None:
        serve_once()

    run_apart(inside())


@pytest.mark.parametrize("serve", [serve_once, serve_from_a_thread, serve_inside_a_loop])
def test_no_event_loop_is_left_open(serve: Callable[[], None]) -> None:
    before = open_loops()
    serve()
    assert open_loops() == before


def test_the_outcomes_are_opened_once_and_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connections: list[object]
) -> None:
    from gradio_client import Client

    monkeypatch.delenv("LCBM_OUTCOMES", raising=False)
    OutcomeStore(tmp_path / "outcomes.sqlite").close()
    with serving(Services(fake_floors(), store=tmp_path)) as url:
        Client(url, verbose=False).predict(["A pan"], "click_rate", api_name="/score")
        assert len(connections) == 1
    assert connections == []
