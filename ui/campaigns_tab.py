"""Campaigns and history: runs by name, open, go on, set side by side, and what really happened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from lcbm_model.errors import LcbmError
from optimizer.result import OptimizationResult
from ui import render, words
from ui.campaigns_service import CampaignsService
from ui.charts import rounds_chart
from ui.notify import plain, told
from ui.results_panel import ResultsPanel
from ui.run_view import stop_run
from ui.services import Services

STATUSES = {
    "finished": "finished",
    "stopped": "stopped, can go on",
    "waiting_for_approval": "waits for your word",
    "unfinished": "under way or broken off",
}
NONE_YET = {
    "none_title": "Your runs will stand here",
    "none_text": "Every optimisation is kept under its brief's name, with all drafts and what was predicted of each.",
    "none_steps": (
        ("Run one", "in the tab Optimise, or with lcbm optimize."),
        ("Open it here", "later, go on where it stopped, or set two side by side."),
        ("Say what happened", "once a text is published: the app learns how good its predictions are for you."),
    ),
}
COPY_JS = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-do="copy"]');
  if (!button) return;
  navigator.clipboard.writeText(button.closest('[data-text]').dataset.text).then(
    () => { button.textContent = 'Copied'; },
    () => { button.textContent = 'Select it by hand'; });
  setTimeout(() => { button.textContent = 'Copy'; }, 1600);
});
"""
LIGHT: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "campaigns", "concurrency_limit": 8}


class CampaignsTab:
    """Builds the tab inside the open Blocks."""

    def __init__(self, services: Services, campaigns: CampaignsService | None = None) -> None:
        self.services = services
        self.campaigns = campaigns or CampaignsService(services)
        with gr.Tabs(elem_classes="lc-inner"):
            with gr.Tab("Runs", id="runs") as runs:
                self._runs()
            with gr.Tab("Side by side", id="versus") as versus:
                self._versus()
            with gr.Tab("What really happened", id="happened") as happened:
                self.results = ResultsPanel(self.campaigns)
        self._wire(runs, versus, happened)

    def _runs(self) -> None:
        with gr.Row(elem_classes="lc-columns", equal_height=False):
            with gr.Column(scale=4, min_width=300, elem_classes="lc-form"):
                gr.HTML("<h2>Your runs</h2>")
                self.name = gr.Textbox(
                    label="Find by name", placeholder="part of a name", max_length=200, elem_id="c-name"
                )
                self.pick = gr.Dropdown([], label="Run", info="The latest first", elem_id="c-run")
                with gr.Row(elem_classes="lc-actions"):
                    self.open = gr.Button("Open", variant="primary", elem_id="c-open")
                    self.go_on = gr.Button("Go on with it", elem_id="c-resume")
                    self.stop = gr.Button("Stop", variant="stop", visible=False, elem_id="c-stop")
                self.refresh = gr.Button("Look again", size="sm", elem_id="c-refresh")
            with gr.Column(scale=9, min_width=320, elem_classes="lc-results"):
                self.ticket = gr.State(None)
                self.panel = gr.HTML(elem_id="c-panel")
                self.plot = gr.HTML(elem_id="c-plot")
                self.cards = gr.HTML(elem_id="c-cards", js_on_load=COPY_JS)
                self.list = gr.HTML(self._empty(), elem_id="c-list")

    def _versus(self) -> None:
        with gr.Row(elem_classes="lc-columns", equal_height=False):
            with gr.Column(scale=4, min_width=300, elem_classes="lc-form"):
                gr.HTML("<h2>Two runs side by side</h2>")
                self.left = gr.Dropdown([], label="This run", elem_id="c-left")
                self.right = gr.Dropdown([], label="against this one", elem_id="c-right")
                self.compare = gr.Button("Compare", variant="primary", elem_id="c-compare")
            with gr.Column(scale=9, min_width=320, elem_classes="lc-results"):
                text = "Choose two runs of one goal and channel: you see which found the better text, and how surely."
                self.versus = gr.HTML(render.empty("Which idea was better?", text), elem_id="c-versus")

    def _wire(self, runs: gr.Tab, versus: gr.Tab, happened: gr.Tab) -> None:
        listed = [self.pick, self.left, self.right, self.results.run, self.list]
        gr.on(
            [runs.select, versus.select, happened.select, self.refresh.click, self.name.submit, self.name.change],
            self._list,
            [self.name],
            listed,
            show_progress="hidden",
            trigger_mode="always_last",
            **LIGHT,
        )
        self.open.click(self._open, [self.pick], [self.panel, self.plot, self.cards], **LIGHT)
        self.go_on.click(
            self._resume,
            [self.pick],
            [self.ticket, self.panel, self.plot, self.cards, self.go_on, self.stop],
            api_visibility="private",
            concurrency_id="run",
            concurrency_limit=16,
            show_progress="hidden",
            trigger_mode="once",
        )
        self.stop.click(self._stop, [self.ticket], [self.stop], show_progress="hidden", **LIGHT)
        self.compare.click(self._compare, [self.left, self.right], [self.versus], **LIGHT)

    # Runs ---------------------------------------------------------------------------------------------------------

    @staticmethod
    def _empty(problems: tuple[str, ...] = ()) -> str:
        return render.render("campaigns", campaigns=[], problems=list(problems), statuses=STATUSES, **NONE_YET)

    def listed(self, name: str = "") -> list[Any]:
        """The choices of every list of runs, and the runs as cards."""
        found, problems = self.campaigns.campaigns(name)
        choices = [(f"{c.name} · {c.started:%d %b %H:%M}", c.run_id) for c in found]
        done = [choice for choice, c in zip(choices, found, strict=True) if c.best_id is not None]
        first = choices[0][1] if choices else None
        heading = f"{len(found)} runs" if len(found) != 1 else "1 run"
        values = {"campaigns": found[:40], "heading": heading, "problems": problems, "statuses": STATUSES}
        none = {**NONE_YET, "none_title": "No run of that name", "none_steps": ()} if name.strip() else NONE_YET
        board = render.render("campaigns", **values, **none)
        second = done[1][1] if len(done) > 1 else None
        return [
            gr.update(choices=choices, value=first),
            gr.update(choices=done, value=done[0][1] if done else None),
            gr.update(choices=done, value=second),
            gr.update(choices=done, value=done[0][1] if done else None),
            board,
        ]

    def _list(self, name: str) -> list[Any]:
        with told():
            return self.listed(name or "")

    def _open(self, run_id: str | None) -> list[Any]:
        with told():
            return opened(self.campaigns.open(run_id or ""))

    def _resume(self, run_id: str | None, request: gr.Request) -> Iterator[list[Any]]:
        idle = [gr.update(interactive=True, value="Go on with it"), gr.update(visible=False)]
        busy = [
            gr.update(interactive=False, value="Working..."),
            gr.update(visible=True, interactive=True, value="Stop"),
        ]
        try:
            yield [None, render.render("opening", line="Opening the run."), gr.update(visible=False), "", *busy]
            run = self.campaigns.resume(run_id or "", owner=request.session_hash or "")
        except LcbmError as error:
            gr.Warning(plain(error), title="Please check", duration=12)
            said = render.notice([str(error)], "error", "This run cannot go on")
            yield [None, said, gr.update(visible=False), "", *idle]
            return
        wanted = run.brief.budget.rounds
        for snapshot in run.follow():
            event = snapshot.event
            best = event.rounds[-1].best_id if event and event.rounds else None
            scored = event is not None and any(c.score is not None for c in event.candidates)
            plot = gr.skip()
            if event is not None and scored:
                plot = rounds_chart(event.rounds, event.candidates, wanted)
            cards = render.cards(event.candidates, best) if event and event.candidates else gr.skip()
            over = snapshot.done or snapshot.waiting
            yield [run.ticket, render.run_panel(snapshot, wanted), plot, cards, *(idle if over else busy)]

    def _stop(self, ticket: str | None) -> Any:
        return stop_run(self.services, ticket)

    def _compare(self, left: str | None, right: str | None) -> str:
        with told():
            pair = self.campaigns.compare(left or "", right or "")
            chance = pair.chance
            clear = chance is not None and not 0.2 < chance < 0.8
            side = "left" if chance is not None and chance > 0.5 else "right"
            title = f"The {side} one is the better bet" if clear else "Too close to call"
            return render.render("versus", pair=pair, clear=clear, title=title)


def opened(result: OptimizationResult) -> list[Any]:
    """Panel, plot and cards of a run that was opened from disk."""
    judge = result.judge
    panel = render.render(
        "campaign",
        r=result,
        verdict=judge.verdict if judge else "",
        cautions=words.result_cautions(result),
        statuses=STATUSES,
    )
    scored = any(c.score is not None for c in result.candidates)
    plot = ""
    if scored:
        plot = rounds_chart(result.rounds, result.candidates, result.brief.budget.rounds)
    return [panel, plot, render.cards(result.candidates, result.best_id)]
