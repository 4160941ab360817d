"""Beginning to listen and ending: what is left behind."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable

import httpx
import pytest

from tests.ui.browsing import serving


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

    asyncio.run(inside())


@pytest.mark.parametrize("serve", [serve_once, serve_from_a_thread, serve_inside_a_loop])
def test_no_event_loop_is_left_open(serve: Callable[[], None]) -> None:
    before = open_loops()
    serve()
    assert open_loops() == before
