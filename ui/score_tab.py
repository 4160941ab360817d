"""Score & compare: many lines in, one ranked table out, with ranges, each line's chance to do best, and what-ifs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from lcbm_model.errors import LcbmError, TableError
from ui import ranking, render
from ui.forms import LABELS, channel_choices, format_choices, metric_choices
from ui.lines import MAX_LINES, Line, lines_from
from ui.notify import MISTAKE, log, plain, spoken, told
from ui.ranking import Scored, Setting
from ui.sample import sample_lines
from ui.services import Services
from ui.uploads import TABLES, checked_table

EMPTY = render.empty(
    "Which line would do best?",
    f"Paste two lines or {MAX_LINES}. Each gets a predicted percentile, a range, and its chance to do best of all.",
    (
        ("Paste your lines", "one on each row, or bring a table."),
        ("Press “Score them”", "and watch the ranking form."),
        ("Ask “what if?”", "and see the same lines elsewhere, or before other readers."),
    ),
    ("Show me with sample lines", "s-sample"),
)
PRESS = """
element.addEventListener('click', (event) => {
  const pressed = event.target.closest('[data-press]');
  if (pressed) document.getElementById(pressed.dataset.press)?.click();
});
"""
LINES = (".txt",)
"""Endings of files that hold one text a line."""
Updates = dict[Any, Any]


class ScoreTab:
    """Builds the tab inside the open Blocks and wires it to `services`."""

    def __init__(self, services: Services) -> None:
        self.services = services
        with gr.Row(elem_classes="lc-columns", equal_height=False):
            with gr.Column(scale=4, min_width=320, elem_classes="lc-form"):
                self._form()
            with gr.Column(scale=10, min_width=320, elem_classes="lc-results"):
                self.table = gr.HTML(EMPTY, elem_id="score-table", js_on_load=PRESS)
                with gr.Row(visible=False, elem_classes="lc-downloads", elem_id="score-downloads") as self.downloads:
                    self.csv = gr.DownloadButton("Ranking (CSV)", size="sm", elem_id="dl-ranking", min_width=90)
        self._wire()

    def _form(self) -> None:
        with gr.Row(elem_classes="lc-form-head"):
            gr.HTML("<h2>Lines to compare</h2>")
            self.sample = gr.Button("Sample lines", size="sm", elem_id="s-sample", scale=0, min_width=120)
        self.lines = gr.Textbox(
            label="One text per line",
            lines=8,
            max_lines=18,
            max_length=200_000,
            placeholder="First idea\nSecond idea\nThird idea",
            elem_id="s-lines",
        )
        self.file = gr.File(
            label="or a table (text, title, format), or .txt",
            file_types=[*TABLES, *LINES],
            type="filepath",
            height=130,
            elem_id="s-file",
        )
        with gr.Row(elem_classes="lc-pair"):
            self.metric = gr.Dropdown(metric_choices(), value="click_rate", label="Goal", elem_id="s-metric")
            self.channel = gr.Dropdown(
                channel_choices(), value="post", label="Where it appears", allow_custom_value=True, elem_id="s-channel"
            )
        with gr.Row(elem_classes="lc-pair"):
            self.audience = gr.Textbox(
                label="Audience", placeholder="Who reads it", max_length=500, elem_id="s-audience"
            )
            self.format = gr.Dropdown(
                format_choices(), value="", label=LABELS["format"], allow_custom_value=True, elem_id="s-format"
            )
        self.title = gr.Textbox(
            label=LABELS["title"], placeholder="Of the page or video", max_length=500, elem_id="s-title"
        )
        with gr.Accordion("What if?", open=False, elem_id="s-whatif"):
            self.other_channel = gr.Dropdown(
                [("The same place", ""), *channel_choices()],
                value="",
                label="It appeared here instead",
                allow_custom_value=True,
                elem_id="s-channel-2",
            )
            self.other_audience = gr.Textbox(
                label="These people read it instead",
                placeholder="empty: the same readers",
                max_length=500,
                elem_id="s-audience-2",
            )
        with gr.Row(elem_classes="lc-actions"):
            self.go = gr.Button("Score them", variant="primary", elem_id="score-go", min_width=120)
            self.stop = gr.Button("Stop", variant="stop", interactive=False, elem_id="score-stop", min_width=80)

    def _wire(self) -> None:
        private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        light: dict[str, Any] = {**private, "concurrency_id": "light", "concurrency_limit": 32}
        self.sample.click(self._sample, None, [self.lines, self.channel, self.audience], **light)
        self.stop.click(self._stop, None, [self.stop], **light)
        self.go.click(
            self._score,
            [
                self.lines,
                self.file,
                self.metric,
                self.channel,
                self.audience,
                self.format,
                self.title,
                self.other_channel,
                self.other_audience,
            ],
            [self.table, self.go, self.stop, self.downloads, self.csv],
            concurrency_id="score",
            concurrency_limit=32,  # they wait in the model's own queue, which is fair
            trigger_mode="once",
            **private,
        )

    def _sample(self) -> list[Any]:
        with told():
            lines, brief = sample_lines()
            return ["\n".join(lines), brief.channel, brief.audience or ""]

    def _stop(self, request: gr.Request) -> Any:
        self.services.end_job(request.session_hash or "")
        return gr.update(interactive=False, value="Stopping...")

    def _score(
        self,
        lines: str,
        file: str | None,
        metric: str,
        channel: str,
        audience: str,
        format_: str,
        title: str,
        other_channel: str,
        other_audience: str,
        request: gr.Request,
    ) -> Iterator[Updates]:
        owner = request.session_hash or ""
        busy = {
            self.go: gr.update(interactive=False, value="Scoring..."),
            self.stop: gr.update(interactive=True, value="Stop"),
            self.downloads: gr.update(visible=False),
        }
        idle = {
            self.go: gr.update(interactive=True, value="Score them"),
            self.stop: gr.update(interactive=False, value="Stop"),
        }
        try:
            yield {self.table: render.render("opening", line="Reading your lines."), **busy}
            read, notes = lines_from(lines, checked_table(file, also=LINES) if file else None)
            if self.services.loading.phase != "ready":
                yield {self.table: render.render("opening", line="Waiting for the audience model to load.")}
            settings = _settings(channel, audience, format_, title, other_channel, other_audience)
            scored: list[Scored] = []
            with self.services.job(owner) as stopped:
                for so_far in self._all(read, metric, settings, stopped.is_set):
                    scored = so_far
                    done = sum(s.count for s in scored)
                    wanted = len(read) * len(settings)
                    if done < wanted and not stopped.is_set():
                        yield {self.table: ranking.meanwhile(read, metric, done, wanted, scored[0])}
            read, scored = _finished(read, scored)
            chances = [replace(s, shares=self._shares(s)) for s in scored]
            how = render.notice(notes, "info", "How your file was read")
            yield {self.table: ranking.ranking(read, metric, *chances) + how, **idle, **self._file(read, chances)}
        except LcbmError as error:
            gr.Warning(plain(error), title="Please check", duration=12)
            yield {self.table: render.notice([spoken(error)], "error", "These lines could not be scored"), **idle}
        except Exception:  # the page would wait for ever
            log.exception("lines could not be scored")
            yield {self.table: render.notice([MISTAKE], "error", "These lines could not be scored"), **idle}

    def _all(self, lines: list[Line], metric: str, settings: list[Setting], cancelled: Any) -> Iterator[list[Scored]]:
        before: list[Scored] = []
        for setting in settings:
            contents = [setting.content(line) for line in lines]
            now: list[Scored] = []
            for predictions in self.services.score(contents, metric, cancelled=cancelled):
                now = [Scored(setting, predictions)]
                yield before + now
            before += now

    def _shares(self, scored: Scored) -> list[float] | None:
        known = [p for p in scored.predictions if p is not None]
        if len(known) < 2 or len(known) < len(scored.predictions) or not any(p.ok for p in known):
            return None
        return self.services.compare(known, scored.setting.channel)

    def _file(self, lines: list[Line], scored: list[Scored]) -> Updates:
        path = self.services.private_file("ranking.csv")
        path.write_text(ranking.ranking_csv(lines, scored), encoding="utf-8")
        return {self.downloads: gr.update(visible=True), self.csv: gr.update(value=str(path))}


def _settings(
    channel: str, audience: str, format_: str, title: str, other_channel: str, other_audience: str
) -> list[Setting]:
    """One setting, or two where the what-if names another place or other readers."""
    kind = {"format": (format_ or "").strip() or None, "title": (title or "").strip() or None}
    first = Setting((channel or "").strip() or "post", (audience or "").strip() or None, **kind)
    there, readers = (other_channel or "").strip(), (other_audience or "").strip()
    second = Setting(there or first.channel, readers or first.audience, **kind)
    return [first] if second == first else [first, second]


def _finished(lines: list[Line], scored: list[Scored]) -> tuple[list[Line], list[Scored]]:
    """After a stop: only the lines that every setting has scored.

    Raises:
        TableError: None has been.
    """
    kept = [i for i in range(len(lines)) if all(s.predictions[i] is not None for s in scored)]
    if not kept:
        raise TableError("Lines to score", "were stopped before one was scored", remedy="Press “Score them” again")
    return [lines[i] for i in kept], [replace(s, predictions=[s.predictions[i] for i in kept]) for s in scored]
