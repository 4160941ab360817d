"""Mistakes as plain words in a corner of the page: our own errors are told, all else is logged and owned up to."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from lcbm_model.errors import InputError, LcbmError

log = logging.getLogger("lcbm.ui")


_FOLDERS = re.compile(r"(?<![\w:/])/(?:[^\s/:'\"]+/)+(?=[^\s/:'\"])")
"""Of a file somewhere on the server; addresses on the web have a colon before their slashes."""


def spoken(error: LcbmError) -> str:
    """The error's message without the folders of the server: people know their file by its own name."""
    return _FOLDERS.sub("", str(error))


def plain(error: LcbmError) -> str:
    """The same as harmless HTML: toasts render HTML, and messages quote what people typed."""
    return html.escape(spoken(error))


MISTAKE = "The app made a mistake. It has been written to its log; nothing you typed is lost."


@contextmanager
def told() -> Iterator[None]:
    """Turns an error inside into Gradio's own, which ends the event and shows the words.

    Raises:
        gr.Error: For every error inside.
    """
    import gradio as gr

    try:
        yield
    except InputError as error:
        raise gr.Error(plain(error), title="Please check", duration=12, print_exception=False) from error
    except LcbmError as error:
        raise gr.Error(plain(error), title="That did not work", duration=12, print_exception=False) from error
    except gr.Error:
        raise
    except Exception as error:
        log.exception("an event failed")
        raise gr.Error(MISTAKE, title="That did not work", duration=12, print_exception=False) from error
