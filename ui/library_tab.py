"""Library: the team's own past posts, what they reached, and a search that finds them by meaning."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from agents.library.records import Post
from lcbm_model.errors import TableError
from lcbm_model.metrics import get_metric
from ui import plots, render, words
from ui.forms import metric_choices
from ui.notify import told
from ui.services import Services
from ui.uploads import TABLES, checked_table

EMPTY = render.empty(
    "What has worked before?",
    "Upload the posts you have already published with what they reached. The app finds the ones nearest in meaning, "
    "and shows the writers your winners.",
    (
        ("A table", "as CSV, JSONL or Parquet: one post a row."),
        ("A column text", "and a column for the goal, such as clicks and impressions, or shares."),
        ("Optionally", "channel, date, image. Rows that cannot be used are listed; the others still count."),
    ),
)


def tiles(posts: Sequence[Post], metric: str) -> list[dict[str, str]]:
    """A library's figures, each with its unit and what it means."""
    values = [p.values[metric] for p in posts if metric in p.values]
    channels = sorted({words.channel(p.channel) for p in posts})
    made = [
        {"value": f"{len(posts):,}", "unit": "posts", "hint": "Rows of your file that could be used."},
        {
            "value": f"{len(values):,}",
            "unit": "with a result",
            "hint": "Posts whose result for this goal stands in the file.",
        },
        {"value": str(len(channels)), "unit": "channels", "hint": "Ranks are kept inside each: " + ", ".join(channels)},
    ]
    title = get_metric(metric).title
    if values:
        top = statistics.quantiles(values, n=10)[-1] if len(values) > 1 else values[0]
        made += [
            {
                "value": words.figure(statistics.median(values), metric),
                "unit": f"{title} of the middle post",
                "hint": "Half of your posts reached more, half less.",
            },
            {
                "value": words.figure(top, metric),
                "unit": f"{title}: best tenth from",
                "hint": "One post in ten reached more than this.",
            },
        ]
    return made


class LibraryTab:
    """Builds the tab inside the open Blocks; a loaded file is offered to the Optimise tab's form too."""

    def __init__(self, services: Services, optimise_library: gr.File) -> None:
        self.services = services
        with gr.Row(elem_classes="lc-columns", equal_height=False):
            with gr.Column(scale=5, min_width=320, elem_classes="lc-form"):
                gr.HTML("<h2>Your past posts</h2>")
                self.file = gr.File(
                    label="A table of posts (CSV, JSONL, Parquet)",
                    file_types=list(TABLES),
                    type="filepath",
                    height=140,
                    elem_id="l-file",
                )
                self.metric = gr.Dropdown(
                    metric_choices(), value="click_rate", label="Goal", info="Which result counts", elem_id="l-metric"
                )
                self.load = gr.Button("Open the library", variant="primary", elem_id="library-go")
                gr.HTML("<h2>Search by meaning</h2>")
                self.query = gr.Textbox(
                    label="Looking for", placeholder="a theme, a phrase, a draft", max_length=500, elem_id="l-query"
                )
                self.floor = gr.Slider(
                    0, 95, value=0, step=5, label="Only posts above this percentile of your own", elem_id="l-floor"
                )
                self.seek = gr.Button("Search", elem_id="library-search")
            with gr.Column(scale=8, min_width=320, elem_classes="lc-results"):
                self.figures = gr.HTML(EMPTY, elem_id="library-figures")
                self.plot = gr.Plot(
                    visible=False, show_label=False, elem_classes="lc-plot", elem_id="library-plot", buttons=[]
                )
                self.found = gr.HTML(elem_id="library-hits")
        private: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "library", "concurrency_limit": 2}
        self.load.click(
            self._load, [self.file, self.metric], [self.figures, self.plot, self.found, optimise_library], **private
        )
        gr.on(
            [self.seek.click, self.query.submit],
            self._search,
            [self.file, self.metric, self.query, self.floor],
            [self.found],
            **private,
        )

    def _load(self, file: str | None, metric: str) -> list[Any]:
        with told():
            library = self.services.library(self._path(file), metric)
            posts = list(library.posts)
            values = [p.values[metric] for p in posts if metric in p.values]
            best = sorted((p for p in posts if metric in p.percentiles), key=lambda p: p.percentiles[metric])[::-1][:6]
            plot = (
                gr.update(value=plots.values_plot(values, metric), visible=True) if values else gr.update(visible=False)
            )
            figures = render.library_figures(tiles(posts, metric), library.rejected)
            return [figures, plot, render.posts(best, metric), file]

    def _search(self, file: str | None, metric: str, query: str, floor: float) -> str:
        with told():
            path = self._path(file)
            if not query.strip():
                raise TableError("Looking for", "is empty", remedy="Type a theme or a phrase")
            found = self.services.search(path, metric, query.strip(), k=12, min_percentile=floor or None)
            note = f"above the {words.ordinal(floor)} percentile" if floor else "nearest first"
            none_text = "Nothing found above that percentile. Lower it."
            return render.hits(found, title="Found", note=note, none_text=none_text)

    @staticmethod
    def _path(file: str | None) -> Path:
        if not file:
            raise TableError("Your past posts", "no file is chosen", remedy="Choose a table of posts first")
        return checked_table(file)
