"""A field for one picture that hands its file on as it came."""

from __future__ import annotations

from typing import Any

import gradio as gr


def picture_box(**settings: Any) -> gr.Image:
    """Gradio's picture field without its own look at the file: a broken one would end the press of a button in silence.

    Its value is the path of the upload, or None. Whoever takes it checks it (`ui.uploads.checked_picture`), and says
    what is wrong with it.
    """
    box = gr.Image(type="filepath", **settings)
    # On this one field and not in a class of its own: the page draws components by the names of their classes.
    box.preprocess = lambda payload: None if payload is None else payload.path  # type: ignore[method-assign]
    return box
