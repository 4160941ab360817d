"""Library: the team's own past posts and what they reached, searched by meaning; and what its winners share."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import gradio as gr

from agents.library.records import Post
from lcbm_model.errors import TableError
from lcbm_model.metrics import get_metric
from ui import plots, render, words
from ui.forms import metric_choices
from ui.library_mapping import Mapping, by_our_names
from ui.library_service import LibraryService, Reading
from ui.notify import told
from ui.picture_box import picture_box
from ui.services import Services
from ui.thumbs import thumbnail
from ui.uploads import TABLES, checked_picture

BEST = 12
LIGHT: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "library", "concurrency_limit": 2}
EMPTY = render.empty(
    "What has worked before?",
    "Upload the posts you have already published with what they reached. The app finds the ones nearest in meaning, "
    "and shows the writers your winners.",
    (
        ("A table", "as CSV, Excel, JSONL or Parquet: your own, or exported from a platform."),
        ("A column with the text", "and one for the goal, such as clicks and impressions, or shares."),
        ("See how it is read", "before you open it, and set a column right by hand where need be."),
    ),
)
SEARCH_EMPTY = render.empty(
    "Find what you have said before",
    "Look by a theme, a phrase, a draft, or a picture: nearest in meaning comes first, each post with what it really "
    "reached.",
    (("Open a library", "under “Your posts”."), ("Say what you look for", "and press “Search”.")),
)
INSIGHTS_EMPTY = render.empty(
    "What do your winners share?",
    "Subjects, openings, length, day and hour of your best quarter, set beside the rest. Only what chance would seldom "
    "do is called supported.",
    (("Open a library", "under “Your posts”."), ("Press “Show what winners share”", "for one channel or for all.")),
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
    """Builds the tab inside the open Blocks; a library opened here is offered to the Optimise tab's form too."""

    def __init__(self, services: Services, optimise_library: gr.File, library: LibraryService | None = None) -> None:
        self.services = services
        self.library = library or LibraryService(services)
        self.opened = gr.State(None)
        with gr.Tabs(elem_classes="lc-inner"):
            with gr.Tab("Your posts", id="l-posts"):
                self._posts_tab()
            with gr.Tab("Search", id="l-search"):
                self._search_tab()
            with gr.Tab("Insights", id="l-insights"):
                self._insights_tab()
        self._wire(optimise_library)

    # Building -----------------------------------------------------------------------------------------------------

    def _posts_tab(self) -> None:
        with gr.Row(elem_classes="lc-columns", equal_height=False):
            with gr.Column(scale=5, min_width=320, elem_classes="lc-form"):
                gr.HTML("<h2>Your past posts</h2>")
                self.file = gr.File(
                    label="A table of posts (CSV, Excel, JSONL, Parquet)",
                    file_types=list(TABLES),
                    type="filepath",
                    height=140,
                    elem_id="l-file",
                )
                self.metric = gr.Dropdown(
                    metric_choices(), value="click_rate", label="Goal", info="Which result counts", elem_id="l-metric"
                )
                with gr.Row(elem_classes="lc-actions"):
                    self.load = gr.Button("Open the library", variant="primary", elem_id="library-go")
                    self.look = gr.Button("See how it is read", elem_id="library-preview")
                with gr.Accordion("Set columns right by hand", open=False, elem_id="l-mapping") as self.by_hand:
                    self.mapping = Mapping()
                with gr.Accordion("Pictures of the posts", open=False, elem_id="l-pictures-fold"):
                    self.pictures = gr.File(
                        label="Pictures that the table names",
                        file_types=[".jpg", ".jpeg", ".png", ".webp", ".gif"],
                        file_count="multiple",
                        type="filepath",
                        height=130,
                        elem_id="l-pictures",
                    )
            with gr.Column(scale=8, min_width=320, elem_classes="lc-results"):
                self.figures = gr.HTML(EMPTY, elem_id="library-figures")
                self.plot = gr.Plot(
                    visible=False, show_label=False, elem_classes="lc-plot", elem_id="library-plot", buttons=[]
                )
                self.best = gr.HTML(elem_id="library-best")

    def _search_tab(self) -> None:
        with gr.Row(elem_classes="lc-columns", equal_height=False):
            with gr.Column(scale=5, min_width=320, elem_classes="lc-form"):
                gr.HTML("<h2>Search by meaning</h2>")
                self.query = gr.Textbox(
                    label="Looking for", placeholder="a theme, a phrase, a draft", max_length=500, elem_id="l-query"
                )
                self.image = picture_box(
                    label="or posts with a picture like this", sources=["upload"], height=150,
                    elem_id="l-image",
                )  # fmt: skip
                self.floor = gr.Slider(
                    0, 95, value=0, step=5, label="Only posts above this percentile of your own", elem_id="l-floor"
                )
                with gr.Accordion("Narrow it down", open=False, elem_id="l-narrow"):
                    self.channel = gr.Dropdown([("Every channel", "")], value="", label="Channel", elem_id="l-channel")
                    with gr.Row():
                        self.since = gr.Textbox(
                            label="From", placeholder="2026-01-01", max_length=10, elem_id="l-since"
                        )
                        self.until = gr.Textbox(label="To", placeholder="2026-03-31", max_length=10, elem_id="l-until")
                    self.diversity = gr.Slider(
                        0, 1, value=0, step=0.1, label="Variety", info="0: nearest only; 1: as different as can be",
                        elem_id="l-diversity",
                    )  # fmt: skip
                with gr.Row(elem_classes="lc-actions"):
                    self.seek = gr.Button("Search", variant="primary", elem_id="library-search")
                    self.sides = gr.Button("Best beside worst", elem_id="library-contrast")
            with gr.Column(scale=8, min_width=320, elem_classes="lc-results"):
                self.found = gr.HTML(SEARCH_EMPTY, elem_id="library-hits")

    def _insights_tab(self) -> None:
        with gr.Row(elem_classes="lc-columns", equal_height=False):
            with gr.Column(scale=4, min_width=300, elem_classes="lc-form"):
                gr.HTML("<h2>What winners share</h2>")
                self.insight_channel = gr.Dropdown(
                    [("Every channel", "")], value="", label="Channel", elem_id="l-insight-channel"
                )
                self.learn = gr.Button("Show what winners share", variant="primary", elem_id="library-insights")
            with gr.Column(scale=9, min_width=320, elem_classes="lc-results"):
                self.insights = gr.HTML(INSIGHTS_EMPTY, elem_id="library-insights-board")
                self.insights_plot = gr.Plot(
                    visible=False, show_label=False, elem_classes="lc-plot", elem_id="library-insights-plot", buttons=[]
                )

    def _wire(self, optimise_library: gr.File) -> None:
        asked = [self.file, self.metric, self.pictures, *self.mapping.fields]
        looked = [self.figures, self.plot, self.best, self.by_hand, *self.mapping.choices]
        self.look.click(self._preview, asked, looked, **LIGHT)
        self.load.click(
            self._load,
            asked,
            [
                self.opened,
                self.figures,
                self.plot,
                self.best,
                self.channel,
                self.insight_channel,
                self.found,
                optimise_library,
            ],
            **LIGHT,
        )
        self.file.clear(self.mapping.cleared, None, list(self.mapping.fields), show_progress="hidden", **LIGHT)
        narrowed = [self.opened, self.query, self.image, self.floor, self.channel, self.since, self.until]
        gr.on([self.seek.click, self.query.submit], self._search, [*narrowed, self.diversity], [self.found], **LIGHT)
        self.sides.click(self._contrast, [self.opened, self.query, self.channel], [self.found], **LIGHT)
        self.learn.click(
            self._insights, [self.opened, self.insight_channel], [self.insights, self.insights_plot], **LIGHT
        )

    # Answering ----------------------------------------------------------------------------------------------------

    def _reading(self, file: str | None, metric: str, pictures: list[str] | None, *fields: Any) -> Reading:
        if not file:
            raise TableError("Your past posts", "no file is chosen", remedy="Choose a table of posts first")
        how = Mapping.options(*fields)
        return self.library.keep(
            file, metric, pictures or (), **{**how, "columns": by_our_names(how["columns"], metric)}
        )

    def _preview(self, *asked: Any) -> list[Any]:
        with told():
            reading = self._reading(*asked)
            seen = self.library.preview(reading)
            board = render.render("preview", seen=seen, shown=reading.shown, metric=reading.metric)
            fold = gr.update(open=True) if seen.problem else gr.skip()
            return [board, gr.update(visible=False), "", fold, *self.mapping.offered(seen)]

    def _load(self, *asked: Any) -> list[Any]:
        with told():
            reading = self._reading(*asked)
            metric = reading.metric
            key, library = self.library.open(reading)
            posts = list(library.posts)
            values = [p.values[metric] for p in posts if metric in p.values]
            best = sorted((p for p in posts if metric in p.percentiles), key=lambda p: p.percentiles[metric])[::-1]
            plot: Any = gr.update(visible=False)
            if values:
                plot = gr.update(value=plots.values_plot(values, metric), visible=True)
            names = sorted({p.channel for p in posts})
            channels = [("Every channel", ""), *((words.channel(name), name) for name in names)]
            return [
                key,
                render.library_figures(tiles(posts, metric), library.rejected),
                plot,
                gallery(best[:BEST], metric, "Your best so far", "by measured result, inside each channel"),
                gr.update(choices=channels, value=""),
                gr.update(choices=channels, value=""),
                SEARCH_EMPTY,
                str(self.library.table_for_briefs(key)),
            ]

    def _search(
        self,
        key: str | None,
        query: str,
        image: str | None,
        floor: float,
        channel: str,
        since: str,
        until: str,
        diversity: float,
    ) -> str:
        with told():
            picture = checked_picture(image, self.services.scratch / "uploads") if image else None
            found = self.library.search(
                key,
                query or "",
                picture=picture,
                floor=floor,
                channel=channel or None,
                since=since or "",
                until=until or "",
                diversity=diversity,
            )
            reading, _ = self.library.get(key)
            note = f"above the {words.ordinal(floor)} percentile" if floor else "nearest first"
            return render.render(
                "gallery",
                title="Found",
                note=note,
                items=[item_of(h.post, reading.metric, h) for h in found],
                metric=reading.metric,
                none_text="Nothing found under these conditions. Loosen one.",
            )

    def _contrast(self, key: str | None, query: str, channel: str) -> str:
        with told():
            sides = self.library.contrast(key, query or "", channel=channel or None)
            reading, _ = self.library.get(key)
            columns = [
                {"title": title, "kind": kind, "items": [item_of(h.post, reading.metric, h) for h in hits]}
                for title, kind, hits in (("Did well", "well", sides.well), ("Did badly", "badly", sides.badly))
            ]
            return render.render("contrast", columns=columns, metric=reading.metric)

    def _insights(self, key: str | None, channel: str) -> list[Any]:
        with told():
            found = self.library.insights(key, channel or None)
            board = render.render("insights", found=found)
            plot: Any = gr.update(visible=False)
            if found.findings:
                plot = gr.update(value=plots.insights_plot(found.findings), visible=True)
            return [board, plot]


def item_of(post: Post, metric: str, hit: Any = None) -> dict[str, Any]:
    """One card of the gallery: the post, its figures, its picture, and how near it is where it was searched for."""
    return {
        "post": post,
        "value": post.values.get(metric),
        "percentile": post.percentiles.get(metric),
        "similarity": hit.similarity if hit is not None else None,
        "picture_similarity": getattr(hit, "picture_similarity", None),
        "thumb": thumbnail(post.image),
    }


def gallery(posts: Sequence[Post], metric: str, title: str, note: str) -> str:
    """Past posts as cards with what they reached."""
    items = [item_of(post, metric) for post in posts]
    return render.render(
        "gallery", title=title, note=note, items=items, metric=metric, none_text="No post has a result."
    )
