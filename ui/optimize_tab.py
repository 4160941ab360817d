"""Optimise: the brief on one side; on the other what is being tried, the best so far, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from lcbm_model.errors import LcbmError
from ui import plots, render
from ui.forms import BriefForm, channel_choices, metric_choices
from ui.notify import plain, told
from ui.runs import Run, Snapshot
from ui.sample import load_sample
from ui.services import Services
from ui.uploads import TABLES, checked_picture, checked_table

EMPTY = render.empty(
    "Better words, before you publish",
    "Describe what you want to say. The app writes versions, predicts how your audience would respond, "
    "keeps what works, and tells you how sure it is.",
    (
        ("Fill in the brief", "or press “Try the sample brand” to see an invented one."),
        ("Press “Improve it”", "and watch each round. You can stop at any time and keep the best."),
        ("Choose", "among the candidates. Every number says what it means when you point at it."),
    ),
)
NO_HITS = "Add a file of your past posts, and the nearest ones appear here with what they really reached."


class OptimizeTab:
    """Builds the tab inside the open Blocks and wires it to `services`."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.fields: dict[str, Any] = {}
        with gr.Row(elem_classes="lc-columns", equal_height=False):
            with gr.Column(scale=5, min_width=320, elem_classes="lc-form"):
                self._form()
            with gr.Column(scale=8, min_width=320, elem_classes="lc-results"):
                self._results()
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
        with gr.Row():
            f["metric"] = gr.Dropdown(
                metric_choices(), value="click_rate", label="Goal", info="What should go up", elem_id="f-metric"
            )
            f["channel"] = gr.Dropdown(
                channel_choices(),
                value="post",
                label="Where it appears",
                info="Choose, or type your own",
                allow_custom_value=True,
                elem_id="f-channel",
            )
        with gr.Row():
            f["audience"] = gr.Textbox(
                label="Audience", placeholder="Who reads it", max_length=500, elem_id="f-audience"
            )
            f["tone"] = gr.Textbox(label="Tone", placeholder="warm, dry, urgent ...", max_length=200, elem_id="f-tone")
        with gr.Accordion("Brand and rules", open=False, elem_id="acc-rules"):
            with gr.Row():
                f["brand"] = gr.Textbox(label="Brand", placeholder="Who speaks", max_length=120)
                f["brand_about"] = gr.Textbox(label="About the brand", placeholder="in a few words", max_length=300)
            f["must_keep"] = gr.Textbox(
                label="Facts that must stay", info="One per line, to the letter: prices, names, dates", lines=2
            )
            f["banned_words"] = gr.Textbox(label="Words to avoid", info="Separated by commas or lines", lines=2)
            f["rules"] = gr.Textbox(label="House rules", info="One per line, in plain words", lines=2)
            f["max_length"] = gr.Slider(20, 1000, value=280, step=1, label="Longest text (characters)")
        with gr.Accordion("Picture and past posts", open=False, elem_id="acc-files") as self.files_fold:
            self.picture = gr.Image(
                label="Picture it goes with (JPEG, PNG, WebP, GIF)",
                type="filepath",
                sources=["upload", "clipboard"],
                height=180,
                buttons=[],
                elem_id="f-picture",
            )
            self.library = gr.File(
                label="Your past posts (CSV, JSONL, Parquet)",
                file_types=list(TABLES),
                type="filepath",
                height=150,
                elem_id="f-library",
            )
        with gr.Accordion("How much effort", open=False, elem_id="acc-effort"):
            f["rounds"] = gr.Slider(1, 10, value=3, step=1, label="Rounds", info="Each round learns from the last")
            f["candidates"] = gr.Slider(2, 32, value=8, step=1, label="Drafts in each round")
        with gr.Row(elem_classes="lc-actions"):
            self.go = gr.Button("Improve it", variant="primary", elem_id="run-go")
            self.stop = gr.Button("Stop, keep the best", variant="stop", interactive=False, elem_id="run-stop")

    def _results(self) -> None:
        self.run_id = gr.State(None)
        self.panel = gr.HTML(EMPTY, elem_id="run-panel")
        self.plot = gr.Plot(visible=False, show_label=False, elem_id="run-plot", elem_classes="lc-plot", buttons=[])
        with gr.Row(visible=False, elem_classes="lc-downloads", elem_id="run-downloads") as self.downloads:
            self.files = [
                gr.DownloadButton("Report (HTML)", size="sm", elem_id="dl-html"),
                gr.DownloadButton("Candidates (CSV)", size="sm", elem_id="dl-csv"),
                gr.DownloadButton("Everything (JSON)", size="sm", elem_id="dl-json"),
            ]
        self.cards = gr.HTML(elem_id="run-cards", js_on_load=COPY_JS)
        self.hits = gr.HTML(elem_id="run-hits")

    def _wire(self) -> None:
        form = [self.fields[name] for name in BriefForm.names()]
        self.sample.click(
            self._sample,
            None,
            [*form, self.picture, self.library, self.files_fold],
            api_visibility="private",
            show_progress="hidden",
        )
        outputs = [self.run_id, self.panel, self.plot, self.downloads, *self.files, self.cards, self.hits]
        self.go.click(
            self._run,
            [*form, self.picture, self.library],
            [*outputs, self.go, self.stop],
            api_visibility="private",
            concurrency_id="run",
            concurrency_limit=16,
            show_progress="hidden",
            trigger_mode="once",
        )
        self.stop.click(
            self._stop,
            [self.run_id],
            [self.stop],
            api_visibility="private",
            concurrency_id="light",
            concurrency_limit=32,
            show_progress="hidden",
        )

    def _sample(self) -> list[Any]:
        with told():
            sample = load_sample(self.services.scratch / "sample")
            form = BriefForm.from_brief(sample.brief)
            return [
                *(getattr(form, n) for n in BriefForm.names()),
                str(sample.picture),
                str(sample.library),
                gr.Accordion(open=True),
            ]

    def _stop(self, run_id: str | None) -> Any:
        run = self.services.run(run_id)
        if run is None:
            gr.Warning("This run is no longer known; there is nothing to stop.", title="Nothing to stop")
            return gr.update(interactive=False)
        run.stop()
        return gr.update(interactive=False, value="Stopping...")

    def _run(self, request: gr.Request, *values: Any) -> Iterator[list[Any]]:
        *form, picture, library = values
        view = RunView(self.services)
        try:
            yield view.opening("Reading your brief.")
            brief = BriefForm(*form).brief(checked_picture(picture, self.services.scratch) if picture else None)
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
            yield view.failed(str(error))
            return
        for snapshot in run.follow():
            yield view.update(run, snapshot)


class RunView:
    """What changed on the right-hand side since the last look; unchanged parts are not sent again."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.rounds_drawn: tuple[int, int] | None = None
        self.cards_drawn: tuple[Any, ...] | None = None
        self.hits_drawn = False

    def opening(self, line: str) -> list[Any]:
        """Before the loop begins: an empty board with one line."""
        panel = render.render("opening", line=line)
        files = [gr.update() for _ in range(3)]
        return [None, panel, gr.update(visible=False), gr.update(visible=False), *files, "", "", *buttons(going=True)]

    def failed(self, message: str) -> list[Any]:
        """Nothing could be started; says why where the results would stand."""
        panel = render.notice([message], "error", "This brief could not be started")
        files = [gr.update() for _ in range(3)]
        return [None, panel, gr.update(visible=False), gr.update(visible=False), *files, "", "", *buttons(going=False)]

    def update(self, run: Run, snapshot: Snapshot) -> list[Any]:
        """The board as it stands."""
        wanted = run.brief.budget.rounds
        files: list[Any] = [gr.update() for _ in range(3)]
        downloads = gr.update()
        if snapshot.done and snapshot.result is not None:
            try:
                made = self.services.downloads(run)
                files = [gr.update(value=str(made[kind])) for kind in ("html", "csv", "json")]
                downloads = gr.update(visible=True)
            except LcbmError as error:
                gr.Warning(plain(error), title="The files could not be written", duration=12)
        buttons_now = buttons(going=not snapshot.done, stopping=snapshot.stopping)
        return [
            run.id,
            render.run_panel(snapshot, wanted),
            self._plot(snapshot, wanted),
            downloads,
            *files,
            self._cards(snapshot),
            self._hits(snapshot),
            *buttons_now,
        ]

    def _plot(self, snapshot: Snapshot, wanted: int) -> Any:
        event = snapshot.event
        if event is None or not any(c.score is not None for c in event.candidates):
            return gr.skip()
        drawn = (len(event.rounds), sum(c.score is not None for c in event.candidates))
        if drawn == self.rounds_drawn:
            return gr.skip()
        self.rounds_drawn = drawn
        return gr.update(value=plots.rounds_plot(event.rounds, event.candidates, wanted), visible=True)

    def _cards(self, snapshot: Snapshot) -> Any:
        event = snapshot.event
        if event is None or not event.candidates:
            return gr.skip()
        best = snapshot.result.best_id if snapshot.result else (event.rounds[-1].best_id if event.rounds else None)
        drawn = (event.candidates, best)
        if drawn == self.cards_drawn:
            return gr.skip()
        self.cards_drawn = drawn
        return render.cards(event.candidates, best)

    def _hits(self, snapshot: Snapshot) -> Any:
        event = snapshot.event
        if event is None or self.hits_drawn or not (event.hits or snapshot.done):
            return gr.skip()
        self.hits_drawn = True
        return render.hits(
            event.hits,
            title="Nearest winners of your own",
            note="what really happened, shown to the writers as examples",
            none_text=NO_HITS,
        )


def buttons(*, going: bool, stopping: bool = False) -> list[Any]:
    """The two buttons in the state that fits."""
    return [
        gr.update(interactive=not going, value="Working..." if going else "Improve it"),
        gr.update(interactive=going and not stopping, value="Stopping..." if stopping else "Stop, keep the best"),
    ]


COPY_JS = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-copy]');
  if (!button) return;
  navigator.clipboard.writeText(button.dataset.copy).then(
    () => { button.textContent = 'Copied'; },
    () => { button.textContent = 'Select it by hand'; });
  setTimeout(() => { button.textContent = 'Copy'; }, 1600);
});
"""
