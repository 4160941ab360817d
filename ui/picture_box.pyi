"""A field for one picture that hands its file on as it came."""

from __future__ import annotations

from typing import Any

import gradio as gr

class PictureBox(gr.Image):
    """Gradio's picture field without its own look at the file: a broken one would end the press of a button in silence.

    Whoever takes the path checks it (`ui.uploads.checked_picture`), and says what is wrong with it.
    """

    is_template = True  # drawn by the same page component as its parent

    def __init__(self, **settings: Any) -> None:
        super().__init__(type="filepath", **settings)

    def preprocess(self, payload: Any) -> str | None:
        """Path of the uploaded file; None where there is none."""
        return None if payload is None else payload.path
    from collections.abc import Callable, Sequence
    from typing import TYPE_CHECKING, Any, Literal

    from gradio.blocks import Block

    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component
