"""Score & compare: many lines in, one ranked table out, with ranges and each line's chance to do best."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from lcbm_model.content import Content
from lcbm_model.errors import LcbmError, TableError
from ui import render
from ui.forms import MAX_LINES, channel_choices, metric_choices, texts_from
from ui.notify import plain
from ui.services import Services
from ui.uploads import checked_table

EMPTY = render.empty(
    "Which line would do best?",
    f"Paste two lines or {MAX_LINES}. Each gets a predicted percentile, a range, and its chance to do best of all.",
)


class ScoreTab:
    """Builds the tab inside the open Blocks and wires it to `services`."""

    def __init__(self, services: Services) -> None:
        self.services = services
        with gr.Row(elem_classes="lc-columns", equal_height=False):
            with gr.Column(scale=5, min_width=320, elem_classes="lc-form"):
                gr.HTML("<h2>Lines to compare</h2>")
                self.lines = gr.Textbox(
                    label="One text per line",
                    lines=8,
                    max_lines=18,
                    max_length=200_000,
                    placeholder="First idea\nSecond idea\nThird idea",
                    elem_id="s-lines",
                )
                self.file = gr.File(
                    label="or a file with a column text",
                    file_types=[".csv", ".jsonl", ".parquet", ".txt"],
                    type="filepath",
                    height=150,
                    elem_id="s-file",
                )
                with gr.Row():
                    self.metric = gr.Dropdown(metric_choices(), value="click_rate", label="Goal", elem_id="s-metric")
                    self.channel = gr.Dropdown(
                        channel_choices(),
                        value="post",
                        label="Where it appears",
                        allow_custom_value=True,
                        elem_id="s-channel",
                    )
                self.audience = gr.Textbox(
                    label="Audience", placeholder="Who reads it", max_length=500, elem_id="s-audience"
                )
                self.go = gr.Button("Score them", variant="primary", elem_id="score-go")
            with gr.Column(scale=8, min_width=320, elem_classes="lc-results"):
                self.table = gr.HTML(EMPTY, elem_id="score-table")
        self.go.click(
            self._score,
            [self.lines, self.file, self.metric, self.channel, self.audience],
            [self.table, self.go],
            api_visibility="private",
            concurrency_id="score",
            concurrency_limit=2,
            show_progress="hidden",
            trigger_mode="once",
        )

    def _score(self, lines: str, file: str | None, metric: str, channel: str, audience: str) -> Iterator[list[Any]]:
        busy = gr.update(interactive=False, value="Scoring...")
        idle = gr.update(interactive=True, value="Score them")
        try:
            yield [render.render("opening", line="Reading your lines."), busy]
            texts = texts_from(lines, self._checked(file))
            where, whom = (channel or "").strip() or "post", audience.strip() or None
            contents = [Content(text=text, channel=where, audience=whom) for text in texts]
            predictions: list[Any] = []
            if self.services.loading.phase != "ready":
                yield [render.render("opening", line="Waiting for the audience model to load."), busy]
            for predictions in self.services.score(contents, metric):
                heading = f"{len(predictions)} of {len(texts)} lines scored"
                yield [render.score_table(texts, predictions, None, metric, heading=heading), busy]
            shares = None
            if len(texts) > 1 and any(p.ok for p in predictions):
                shares = self.services.compare(predictions, where)
            heading = f"{len(texts)} lines, best first" if len(texts) > 1 else "1 line"
            yield [render.score_table(texts, predictions, shares, metric, heading=heading), idle]
        except LcbmError as error:
            gr.Warning(plain(error), title="Please check", duration=12)
            yield [render.notice([str(error)], "error", "These lines could not be scored"), idle]

    @staticmethod
    def _checked(file: str | None) -> Path | None:
        if not file:
            return None
        path = Path(file)
        if path.suffix.lower() != ".txt":
            return checked_table(path)
        if b"\0" in path.read_bytes()[: 1 << 16]:
            raise TableError(path.name, "is not a text file, whatever its name says", remedy="Save it as UTF-8 text")
        return path
