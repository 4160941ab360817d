"""Researchers' corner: whole distributions, texts for a percentile, what carries a score, evidence, the model card."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from lcbm_model.errors import LcbmError
from lcbm_model.prediction import Prediction
from ui import plots, render, words
from ui.forms import LABELS, channel_choices, format_choices, metric_choices
from ui.notify import spoken, told
from ui.own_ranges import OwnRanges
from ui.picture_box import picture_box
from ui.research_service import (
    ResearchService,
    content_from,
    evaluation_tables,
    model_card,
    recorded,
    with_coverage,
)
from ui.services import Services
from ui.uploads import checked_picture

LIGHT: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "research", "concurrency_limit": 2}
SIMULATE_EMPTY = render.empty(
    "How would an audience respond?",
    "One content, one kind of behaviour, and everything the model says about it: the chance of each tenth, not one "
    "number.",
    (("Write or paste a text", "and say where it appears."), ("Press “Simulate”", "and read the whole distribution.")),
)
WRITE_EMPTY = render.empty(
    "Write for a percentile",
    "Behaviour first, content second: choose where a text should land among comparable ones, and see which of many "
    "drafts come nearest in the model's eyes.",
    (("Say what has to be said", "and which percentile it should reach."), ("Press “Write”", "and wait a little.")),
)
OCCLUDE_EMPTY = render.empty(
    "What carries the score?",
    "The opening, each phrase and the picture are taken out in turn and the rest is scored again. The difference is "
    "what that part is worth to the model.",
    (
        ("Write or paste a text", "of a sentence or more."),
        ("Press “Take it apart”", "and see what each part is worth."),
    ),
)
EVIDENCE = (
    "<h2>Do the ranges keep their promise?</h2><p class='lc-quiet'>Share of held-out results inside the 80 % range for "
    "each kind of content that was measured, with its 95 % interval. The band is 77 to 83 %.</p>"
)

RELIABILITY = (
    "<h2>Are stated chances what happens?</h2><p class='lc-quiet'>Pairs from one test or one contest, put together by "
    "the chance stated for the favourite; the share of favourites that won, with its 95 % interval.</p>"
)


class ResearchTab:
    """Builds the tab; `refresh` draws the facts of the model again once it is loaded."""

    def __init__(self, services: Services, own: OwnRanges) -> None:
        self.services = services
        self.research = ResearchService(services)
        self.own = own
        with gr.Tabs(elem_classes="lc-inner"):
            with gr.Tab("Simulate behaviour", id="r-simulate"):
                self._simulate_tab()
            with gr.Tab("Simulate content", id="r-write"):
                self._write_tab()
            with gr.Tab("Occlusion", id="r-occlude"):
                self._occlude_tab()
            with gr.Tab("Evidence", id="r-evidence") as evidence:
                gr.HTML(EVIDENCE)
                self.coverage = gr.Plot(
                    visible=False, show_label=False, elem_classes="lc-plot", elem_id="r-coverage", buttons=[]
                )
                gr.HTML(RELIABILITY)
                self.reliability = gr.Plot(
                    visible=False, show_label=False, elem_classes="lc-plot", elem_id="r-reliability", buttons=[]
                )
                self.evidence = gr.HTML("", elem_id="r-evidence-tables")
            with gr.Tab("The model", id="r-model"):
                gr.HTML("<h2>Who is speaking</h2>")
                self.html = gr.HTML(self.refresh(), elem_id="about")
                with gr.Accordion("Model card", open=False, elem_id="r-card"):
                    gr.Markdown(_card(), elem_id="r-card-text", elem_classes="lc-card-text")
        evidence.select(
            self._evidence, None, [self.coverage, self.reliability, self.evidence], show_progress="hidden", **LIGHT
        )

    # Building -----------------------------------------------------------------------------------------------------

    def _content_fields(self, prefix: str, *, lines: int = 4) -> list[Any]:
        """Text, metric, channel, title, kind, audience, brand, picture: the fields of a content."""
        text = gr.Textbox(
            label="Text", lines=lines, max_length=4000, placeholder="What people read", elem_id=f"{prefix}-text"
        )
        with gr.Row():
            metric = gr.Dropdown(metric_choices(), value="click_rate", label="Behaviour", elem_id=f"{prefix}-metric")
            channel = gr.Dropdown(
                channel_choices(),
                value="headline",
                label="Where it appears",
                allow_custom_value=True,
                elem_id=f"{prefix}-channel",
            )
        with gr.Accordion("Setting", open=False, elem_id=f"{prefix}-setting"):
            title = gr.Textbox(label="Title it goes with", max_length=500, elem_id=f"{prefix}-title")
            kind = gr.Dropdown(
                format_choices(), value="", label=LABELS["format"], allow_custom_value=True, elem_id=f"{prefix}-format"
            )
            audience = gr.Textbox(label="Audience", max_length=500, elem_id=f"{prefix}-audience")
            brand = gr.Textbox(label="Who speaks", max_length=200, elem_id=f"{prefix}-brand")
            picture = picture_box(label="Picture", sources=["upload"], height=160, elem_id=f"{prefix}-picture")
        return [text, metric, channel, title, kind, audience, brand, picture]

    def _simulate_tab(self) -> None:
        with gr.Row(elem_classes="lc-columns", equal_height=False):
            with gr.Column(scale=5, min_width=320, elem_classes="lc-form"):
                gr.HTML("<h2>One content</h2>")
                fields = self._content_fields("rs")
                go = gr.Button("Simulate", variant="primary", elem_id="rs-go")
            with gr.Column(scale=8, min_width=320, elem_classes="lc-results"):
                board = gr.HTML(SIMULATE_EMPTY, elem_id="rs-board")
                plot = gr.Plot(visible=False, show_label=False, elem_classes="lc-plot", elem_id="rs-plot", buttons=[])
                with gr.Accordion("As JSON", open=False, visible=False, elem_id="rs-json-fold") as fold:
                    raw = gr.Code(language="json", interactive=False, show_label=False, elem_id="rs-json")
        go.click(self._simulate, fields, [board, plot, fold, raw], **LIGHT)

    def _write_tab(self) -> None:
        with gr.Row(elem_classes="lc-columns", equal_height=False):
            with gr.Column(scale=5, min_width=320, elem_classes="lc-form"):
                gr.HTML("<h2>Behaviour in, content out</h2>")
                message = gr.Textbox(
                    label="What has to be said", lines=3, max_length=2000, elem_id="rw-message",
                    placeholder="The facts, in a sentence or two",
                )  # fmt: skip
                aim = gr.Slider(
                    0,
                    100,
                    value=80,
                    step=5,
                    label="Percentile it should reach",
                    info="50 is the middle",
                    elem_id="rw-aim",
                )
                with gr.Row():
                    metric = gr.Dropdown(metric_choices(), value="click_rate", label="Behaviour", elem_id="rw-metric")
                    channel = gr.Dropdown(
                        channel_choices(), value="headline", label="Where it appears", allow_custom_value=True,
                        elem_id="rw-channel",
                    )  # fmt: skip
                with gr.Row():
                    count = gr.Slider(1, 8, value=4, step=1, label="Texts", elem_id="rw-count")
                    seed = gr.Number(
                        value=0, precision=0, label="Seed", info="Same seed, same texts", elem_id="rw-seed"
                    )
                go = gr.Button("Write", variant="primary", elem_id="rw-go")
            with gr.Column(scale=8, min_width=320, elem_classes="lc-results"):
                board = gr.HTML(WRITE_EMPTY, elem_id="rw-board")
                plot = gr.Plot(visible=False, show_label=False, elem_classes="lc-plot", elem_id="rw-plot", buttons=[])
        go.click(self._write, [message, aim, metric, channel, count, seed], [board, plot], **LIGHT)

    def _occlude_tab(self) -> None:
        with gr.Row(elem_classes="lc-columns", equal_height=False):
            with gr.Column(scale=5, min_width=320, elem_classes="lc-form"):
                gr.HTML("<h2>One content, part by part</h2>")
                fields = self._content_fields("ro")
                go = gr.Button("Take it apart", variant="primary", elem_id="ro-go")
            with gr.Column(scale=8, min_width=320, elem_classes="lc-results"):
                board = gr.HTML(OCCLUDE_EMPTY, elem_id="ro-board")
        go.click(self._occlude, fields, [board], **LIGHT)

    # Answering ----------------------------------------------------------------------------------------------------

    def refresh(self) -> str:
        """The facts of the model as it stands now."""
        if self.services.loading.phase != "ready":
            return render.about(None, None, None)
        models = self.services.models()
        judge = models.judge.identity.label if models.judge else None
        return render.about(models.simulator.identity, judge, ", ".join(w.name for w in models.writers))

    def _content(self, values: tuple[Any, ...]) -> tuple[Any, str]:
        text, metric, channel, title, kind, audience, brand, picture = values
        path = checked_picture(picture, self.services.scratch / "uploads") if picture else None
        given = text, channel, title, audience, brand
        text, channel, title, audience, brand = (one or "" for one in given)
        return content_from(text, channel, title, audience, brand, path, kind or ""), metric

    def _simulate(self, *values: Any) -> list[Any]:
        with told():
            content, metric = self._content(values)
            prediction = self.research.simulate(content, metric)
            own = self.own.of(prediction, content.channel)
            board = render.render("distribution", own=own, **told_of(prediction, content.text))
            plot = gr.update(value=plots.distribution_plot(prediction, own), visible=True)
            raw = json.dumps(prediction.model_dump(mode="json"), indent=1)
            return [board, plot, gr.update(visible=True), raw]

    def _write(self, message: str, aim: float, metric: str, channel: str, count: float, seed: float) -> list[Any]:
        with told():
            setting = content_from(message or "", channel or "").with_text("")
            written = self.research.write_towards(aim, setting, message, metric, int(count), int(seed or 0))
            board = render.render("aimed", w=written, aim=aim, metric=metric)
            texts = [a.draft.text for a in written.kept]
            figure = plots.aimed_plot(aim, [a.prediction for a in written.kept], texts)
            return [board, gr.update(value=figure, visible=True)]

    def _occlude(self, *values: Any) -> str:
        with told():
            content, metric = self._content(values)
            prediction, parts = self.research.occlude(content, metric)
            top = max((abs(p.effect) for p in parts), default=0.0) or 1.0
            return render.render(
                "occlusion", prediction=prediction, parts=parts, top=top, pieces=pieces(content.text, parts, top)
            )

    def _evidence(self) -> list[Any]:
        with told():
            results = recorded()
            figure = plots.coverage_plot(with_coverage(results))
            tables = evaluation_tables(results)
            own = [table for table in tables if any(line["own"] for line in table["lines"])]
            board = render.render("evidence", tables=own, others=[t for t in tables if t not in own])
            stated = [r for r in with_coverage(results) if r.reliability]
            diagram = gr.update(value=plots.reliability_plot(stated) if stated else None, visible=bool(stated))
            return [gr.update(value=figure, visible=True), diagram, board]


def told_of(prediction: Prediction, text: str) -> dict[str, Any]:
    """What the view of a distribution needs."""
    from lcbm_model.prediction import quantiles

    quarter, middle, three = quantiles(prediction.bins, (0.25, 0.5, 0.75))
    top = sum(prediction.bins[-2:])
    return {
        "text": text,
        "p": prediction,
        "cautions": words.model_cautions(prediction.simulator),
        "quarters": (quarter, middle, three),
        "top": top,
        "bottom": sum(prediction.bins[:2]),
    }


def pieces(text: str, parts: Any, top: float) -> list[dict[str, Any]]:
    """The text in stretches, each with the effect of the smallest part that covers it and a shade -3..3."""
    effect: list[tuple[int, float] | None] = [None] * len(text)
    for part in parts:
        if part.start is None or part.end is None:
            continue
        size = part.end - part.start
        for i in range(max(part.start, 0), min(part.end, len(text))):
            known = effect[i]
            if known is None or size < known[0]:
                effect[i] = (size, part.effect)
    made: list[dict[str, Any]] = []
    for letter, known in zip(text, effect, strict=True):
        value = known[1] if known else 0.0
        if made and made[-1]["effect"] == value:
            made[-1]["text"] += letter
        else:
            shade = round(3 * value / top) if top else 0
            made.append({"text": letter, "effect": value, "shade": shade})
    return made


def _card() -> str:
    try:
        return model_card()
    except LcbmError as error:
        return spoken(error)
