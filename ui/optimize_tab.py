"""Optimise: the brief on one side; on the other what is being tried, the best so far, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from lcbm_model.errors import BriefError, LcbmError
from ui import render
from ui.desk import Desk
from ui.forms import LABELS, BriefForm, channel_choices, format_choices, metric_choices
from ui.notify import MISTAKE, log, plain, spoken, told
from ui.picture_box import picture_box
from ui.run_view import HEARD, Board, RunView, Updates, stop_run
from ui.sample import load_sample
from ui.services import Services
from ui.uploads import TABLES, VIDEOS, checked_picture, checked_table, checked_video

ASSETS = Path(__file__).parent / "assets"
EMPTY = render.empty(
    "Better words, before you publish",
    "Describe what you want to say. The app writes versions, predicts how your audience would respond, "
    "keeps what works, and tells you how sure it is.",
    (
        ("Fill in the brief", "or let an invented brand show you how."),
        ("Press “Improve it”", "and watch each round. You can stop at any time and keep the best."),
        ("Choose, and make it yours", "Edit a draft and its score follows. Every number explains itself."),
    ),
    ("Show me with a sample brand", "try-sample"),
)
SAMPLE_READY = render.empty(
    "An invented brand is in the form",
    "A family workshop for copper pans wants more clicks on a headline. Its draft, its facts, its picture and its past "
    "posts are all made up: they show how the app works and prove nothing about any audience.",
    (
        ("Look the brief over", "if you like. You can change everything."),
        ("Press the button", "and drafts appear here, round by round."),
    ),
    ("Improve the sample", "run-go"),
)
# The browser's tab remembers its run, so that a reload, the back button or a lost connection finds it again.
REMEMBERED = "() => [sessionStorage.getItem('lcbm-run') || '']"
PRESS = """
element.addEventListener('click', (event) => {
  const pressed = event.target.closest('[data-press]');
  if (pressed) document.getElementById(pressed.dataset.press)?.click();
});
window.addEventListener('online', () => setTimeout(() => document.getElementById('run-rejoin')?.click(), 500));
"""


class OptimizeTab:
    """Builds the tab inside the open Blocks and wires it to `services`."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.desk = Desk(services)
        self.fields: dict[str, Any] = {}
        with gr.Row(elem_classes="lc-columns", equal_height=False):
            with gr.Column(scale=5, min_width=320, elem_classes="lc-form"):
                self._form()
            with gr.Column(scale=10, min_width=320, elem_classes="lc-results"):
                self.board = self._results()
        self._wire()

    def _form(self) -> None:
        f = self.fields
        with gr.Row(elem_classes="lc-form-head"):
            gr.HTML("<h2>Your brief</h2>")
            self.sample = gr.Button("Try the sample brand", size="sm", elem_id="try-sample", scale=0, min_width=180)
        f["message"] = gr.Textbox(
            label="What has to be said",
            lines=3,
            max_length=4000,
            placeholder="The news, the offer, the story. In your own words.",
            elem_id="f-message",
        )
        f["draft"] = gr.Textbox(
            label="Your draft (if you have one)",
            info="The text to beat. Candidates are compared with it.",
            lines=2,
            max_length=4000,
            elem_id="f-draft",
        )
        with gr.Row(elem_classes="lc-pair"):
            f["metric"] = gr.Dropdown(
                metric_choices(), value="click_rate", label="Goal", info="What should go up", elem_id="f-metric"
            )
            f["channel"] = gr.Dropdown(
                channel_choices(),
                value="post",
                label="Where it appears",
                info="Choose or type",
                allow_custom_value=True,
                elem_id="f-channel",
            )
        with gr.Row(elem_classes="lc-pair"):
            f["audience"] = gr.Textbox(
                label="Audience", placeholder="Who reads it", max_length=400, elem_id="f-audience"
            )
            f["tone"] = gr.Textbox(label="Tone", placeholder="warm, dry, urgent ...", max_length=200, elem_id="f-tone")
        with gr.Accordion("Brand and rules", open=False, elem_id="acc-rules"):
            self._rules()
        with gr.Accordion("What it goes with, and past posts", open=False, elem_id="acc-files") as self.files_fold:
            f["format"] = gr.Dropdown(
                format_choices(),
                value="",
                label=LABELS["format"],
                info="Says much about shares, reactions and comments. Choose or type",
                allow_custom_value=True,
                elem_id="f-format",
            )
            f["title"] = gr.Textbox(
                label=LABELS["title"], placeholder="Of the page or video", max_length=500, elem_id="f-title"
            )
            self.picture = picture_box(
                label="Picture it goes with (JPEG, PNG, WebP, GIF)",
                sources=["upload", "clipboard"],
                height=180,
                buttons=[],
                elem_id="f-picture",
            )
            self.video = gr.File(
                label=f"Or a video ({', '.join(e[1:].upper() for e in VIDEOS)})",
                file_types=list(VIDEOS),
                type="filepath",
                height=110,
                elem_id="f-video",
            )
            self.library = gr.File(
                label="Your past posts (CSV, Excel, JSONL, Parquet)",
                file_types=list(TABLES),
                type="filepath",
                height=150,
                elem_id="f-library",
            )
        with gr.Accordion("How much effort", open=False, elem_id="acc-effort"):
            f["rounds"] = gr.Slider(1, 10, value=3, step=1, label="Rounds", info="Each round learns from the last")
            f["candidates"] = gr.Slider(2, 32, value=8, step=1, label="Drafts in each round")
        f["approval"] = gr.Checkbox(
            label="Ask me after each round",
            info="Keep, reject, comment and hand in your own wording before the next one",
            elem_id="f-approval",
        )
        with gr.Row(elem_classes="lc-actions"):
            self.go = gr.Button("Improve it", variant="primary", elem_id="run-go", min_width=120)
            self.stop = gr.Button(
                "Stop, keep the best", variant="stop", interactive=False, elem_id="run-stop", min_width=120
            )

    def _rules(self) -> None:
        f = self.fields
        with gr.Row(elem_classes="lc-pair"):
            f["brand"] = gr.Textbox(label="Brand", placeholder="Who speaks", max_length=120)
            f["brand_about"] = gr.Textbox(label="About the brand", placeholder="in a few words", max_length=300)
        f["must_keep"] = gr.Textbox(
            label="Facts that must stay",
            info="One per line, to the letter. Numbers, prices, dates and links of your draft stay anyway",
            lines=2,
        )
        f["banned_words"] = gr.Textbox(label="Words to avoid", info="Separated by commas or lines", lines=2)
        f["rules"] = gr.Textbox(label="House rules", info="One per line, in plain words", lines=2)
        f["max_length"] = gr.Slider(20, 1000, value=280, step=1, label="Longest text (characters)")

    def _results(self) -> Board:
        ticket = gr.State(None)
        self.remembered = gr.Textbox(visible=False)
        self.rejoin = gr.Button("Watch my run again", visible="hidden", elem_id="run-rejoin")
        panel = gr.HTML(EMPTY, elem_id="run-panel", js_on_load=PRESS)
        with gr.Column(visible=False, elem_classes="lc-asked", elem_id="run-asked") as asked:
            note = gr.Textbox(
                label="Anything for the next round?",
                info=HEARD,
                placeholder="less about the price, more about the smell of onions",
                lines=2,
                max_length=4000,
                elem_id="round-note",
            )
            with gr.Row():
                self.next = gr.Button("Next round", variant="primary", elem_id="run-next", min_width=120)
                self.finish = gr.Button("Finish with the best", elem_id="run-finish", min_width=120)
        plot = gr.HTML(elem_id="run-plot")
        with gr.Row(visible=False, elem_classes="lc-downloads", elem_id="run-downloads") as downloads:
            files = [
                gr.DownloadButton("Report (HTML)", size="sm", elem_id="dl-html", min_width=90),
                gr.DownloadButton("Candidates (CSV)", size="sm", elem_id="dl-csv", min_width=90),
                gr.DownloadButton("Everything (JSON)", size="sm", elem_id="dl-json", min_width=90),
            ]
        with gr.Row(equal_height=False, elem_classes="lc-drafts"):
            with gr.Column(scale=7, min_width=300):
                cards = gr.HTML(
                    "",
                    elem_id="run-cards",
                    html_template=(ASSETS / "cards.frame.html").read_text(encoding="utf-8"),
                    js_on_load=(ASSETS / "cards.js").read_text(encoding="utf-8"),
                    server_functions=[self._answers()],
                )
            with gr.Column(scale=3, min_width=220):
                hits = gr.HTML(elem_id="run-hits")
        return Board(ticket, panel, plot, downloads, files, cards, hits, self.go, self.stop, asked, note)

    def _answers(self) -> Any:
        """The function that the cards' script calls; Gradio marks it, so it must be a function of its own."""

        def desk(message: Any) -> dict[str, Any]:
            return self.desk.answer(message)

        return desk

    def _wire(self) -> None:
        form = [self.fields[name] for name in BriefForm.names()]
        quick: dict[str, Any] = {
            "api_visibility": "private",
            "concurrency_id": "light",
            "concurrency_limit": 32,
            "show_progress": "hidden",
        }
        watching: dict[str, Any] = {**quick, "concurrency_id": "run", "concurrency_limit": 64}
        once: dict[str, Any] = {**watching, "trigger_mode": "once"}
        b = self.board
        filled = [*form, self.picture, self.library, self.files_fold, b.panel]
        self.sample.click(self._sample, [b.ticket], filled, **quick)
        self.go.click(self._run, [*form, self.picture, self.video, self.library], b.all, **once)
        self.stop.click(self._stop, [b.ticket], [self.stop], **quick)
        self.next.click(self._next, [b.ticket, b.note], b.all, **once)
        self.finish.click(self._finish, [b.ticket, b.note], b.all, **once)
        self.rejoin.click(self._rejoin, [self.remembered], [*form, *b.all], js=REMEMBERED, **watching)

    def welcome(self, page: gr.Blocks) -> None:
        """Whoever opens or reloads `page` gets back the run that the browser's tab remembers."""
        form = [self.fields[name] for name in BriefForm.names()]
        page.load(
            self._rejoin,
            [self.remembered],
            [*form, *self.board.all],
            js=REMEMBERED,
            api_visibility="private",
            concurrency_id="run",
            concurrency_limit=64,
            show_progress="hidden",
        )

    def _sample(self, ticket: str | None) -> list[Any]:
        with told():
            sample = load_sample(self.services.scratch / "sample")
            form = BriefForm.from_brief(sample.brief)
            return [
                *(getattr(form, n) for n in BriefForm.names()),
                str(sample.picture),
                str(sample.library),
                gr.Accordion(open=True),
                gr.skip() if ticket else SAMPLE_READY,
            ]

    def _stop(self, ticket: str | None) -> Any:
        return stop_run(self.services, ticket)

    def _run(self, request: gr.Request, *values: Any) -> Iterator[Updates]:
        *form, picture, video, library = values
        view = RunView(self.services, self.board)
        try:
            yield view.opening("Reading your brief.")
            uploads = self.services.scratch / "uploads"
            if picture and video:
                raise BriefError("Picture or video", "are both given", remedy="Take one of them away")
            shown = checked_picture(picture, uploads) if picture else checked_video(video, uploads) if video else None
            brief = BriefForm(*form).brief(shown)
            past = None
            if library:
                table = checked_table(library)
                yield view.opening("Reading your past posts.")
                past = self.services.library(table, brief.metric)
            if self.services.loading.phase != "ready":
                yield view.opening("Waiting for the audience model to load.")
            run = self.services.start_run(brief, library=past, owner=request.session_hash or "")
        except LcbmError as error:
            gr.Warning(plain(error), title="Please check", duration=12)
            yield view.failed(spoken(error))
            return
        except Exception:  # the page would wait for ever
            log.exception("a run could not be started")
            yield view.failed(MISTAKE)
            return
        yield from view.follow(run)

    def _next(self, ticket: str | None, note: str, request: gr.Request) -> Iterator[Updates]:
        yield from self._answer(ticket, "continue", note, request)

    def _finish(self, ticket: str | None, note: str, request: gr.Request) -> Iterator[Updates]:
        yield from self._answer(ticket, "finish", note, request)

    def _answer(self, ticket: str | None, action: str, note: str, request: gr.Request) -> Iterator[Updates]:
        # A page that lost its connection for a while, and its runs with it, is their owner again.
        run = self.services.arrive(request.session_hash or "", ticket)
        view = RunView(self.services, self.board)
        if run is None:
            gr.Warning("This run is no longer known. Start it again.", title="Too late")
            yield view.failed("The app does not know this run any more.")
            return
        try:
            self.services.go_on(run, action, note)
        except LcbmError as error:
            gr.Info(plain(error), title="Already on its way")
        yield {**view.update(run, run.snapshot()), self.board.note: ""}
        yield from view.follow(run)

    def _rejoin(self, ticket: str, request: gr.Request) -> Iterator[Updates]:
        run = self.services.arrive(request.session_hash or "", ticket)
        if run is None:
            yield {self.board.stop: gr.skip()}
            return
        form = BriefForm.from_brief(run.brief)
        yield {self.fields[name]: getattr(form, name) for name in BriefForm.names()}
        with_it = {"its picture": run.brief.picture, "your past posts": run.library}
        if there := [what for what, had in with_it.items() if had is not None]:
            gr.Info(f"The run still has {' and '.join(there)}. For a new one choose the files again.", title="Reloaded")
        yield from RunView(self.services, self.board).follow(run)
