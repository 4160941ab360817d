"""Campaigns and history: runs by name, open, go on, set side by side, and what really happened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from lcbm_model.errors import LcbmError
from optimizer.result import OptimizationResult
from ui import render, words
from ui.campaigns_service import WAITING, CampaignsService
from ui.charts import rounds_chart
from ui.notify import MISTAKE, log, plain, spoken, told
from ui.results_panel import ResultsPanel
from ui.run_view import Updates, stop_run
from ui.runs import Run, Snapshot
from ui.services import Services

STATUSES = {
    "finished": "finished",
    "stopped": "stopped, can go on",
    WAITING: "waits for your word",
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

    def __init__(self, services: Services, campaigns: CampaignsService) -> None:
        self.services = services
        self.campaigns = campaigns
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
                    self.finish = gr.Button("Finish with the best", visible=False, elem_id="c-finish")
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
                steps = (("Have two runs", "from the tab Optimise."), ("Choose both", "and press “Compare”."))
                self.versus = gr.HTML(render.empty("Which idea was better?", text, steps), elem_id="c-versus")

    def _wire(self, runs: gr.Tab, versus: gr.Tab, happened: gr.Tab) -> None:
        listed = [self.pick, self.left, self.right, self.results.run, self.list, self.finish]
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
        board = [self.ticket, self.panel, self.plot, self.cards, self.go_on, self.finish, self.stop]
        for button, act in ((self.go_on, self._go_on), (self.finish, self._finish)):
            button.click(
                act,
                [self.pick],
                board,
                api_visibility="private",
                concurrency_id="run",
                concurrency_limit=16,
                show_progress="hidden",
                trigger_mode="once",
            ).then(self._cards, [self.name], [self.list], show_progress="hidden", **LIGHT)
        self.pick.change(self._chosen, [self.pick], [self.finish], show_progress="hidden", **LIGHT)
        self.stop.click(self._stop, [self.ticket], [self.stop], show_progress="hidden", **LIGHT)
        self.compare.click(self._compare, [self.left, self.right], [self.versus], **LIGHT)

    # Runs ---------------------------------------------------------------------------------------------------------

    @staticmethod
    def _empty(problems: tuple[str, ...] = ()) -> str:
        return render.render("campaigns", campaigns=[], problems=list(problems), statuses=STATUSES, **NONE_YET)

    def listed(self, name: str = "") -> list[Any]:
        """The choices of every list of runs, the runs as cards, and whether the first waits to be finished."""
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
            gr.update(visible=bool(found) and found[0].status == WAITING),
        ]

    def _list(self, name: str) -> list[Any]:
        with told():
            return self.listed(name or "")

    def _cards(self, name: str) -> str:
        """The runs as cards, whatever is chosen."""
        return str(self._list(name)[4])

    def _open(self, run_id: str | None) -> list[Any]:
        with told():
            return opened(self.campaigns.open(run_id or ""))

    def _go_on(self, run_id: str | None, request: gr.Request) -> Iterator[Updates]:
        yield from self._resume(run_id, "continue", request)

    def _finish(self, run_id: str | None, request: gr.Request) -> Iterator[Updates]:
        yield from self._resume(run_id, "finish", request)

    def _resume(self, run_id: str | None, action: str, request: gr.Request) -> Iterator[Updates]:
        try:
            opening = render.render("opening", line="Opening the run.")
            yield {self.ticket: None, self.panel: opening, self.plot: "", self.cards: ""}
            yield self._buttons(busy=True)
            run = self.campaigns.resume(run_id or "", owner=request.session_hash or "", action=action)
            for snapshot in run.follow():
                yield self._seen(run, snapshot)
        except LcbmError as error:
            gr.Warning(plain(error), title="Please check", duration=12)
            yield self._refused(spoken(error), run_id)
        except Exception:  # the page would wait for ever
            log.exception("a run could not go on")
            yield self._refused(MISTAKE, run_id)

    def _seen(self, run: Run, snapshot: Snapshot) -> Updates:
        """The board of a run that goes on."""
        event, wanted = snapshot.event, run.brief.budget.rounds
        over = snapshot.done or snapshot.waiting
        seen: Updates = {self.ticket: run.ticket, self.panel: render.run_panel(snapshot, wanted)}
        if event is not None and event.candidates:
            best = event.rounds[-1].best_id if event.rounds else None
            seen[self.cards] = render.cards(event.candidates, best)
        if event is not None and any(c.score is not None for c in event.candidates):
            seen[self.plot] = rounds_chart(event.rounds, event.candidates, wanted)
        return {**seen, **self._buttons(busy=not over, waits=snapshot.waiting)}

    def _refused(self, why: str, run_id: str | None) -> Updates:
        """Nothing goes on, and why."""
        said = render.notice([why], "error", "This run cannot go on")
        return {self.ticket: None, self.panel: said, **self._buttons(busy=False, waits=self.campaigns.waits(run_id))}

    def _buttons(self, *, busy: bool, waits: bool = False) -> Updates:
        """The buttons in the state that fits; `waits`: the chosen run waits for a person's word."""
        return {
            self.go_on: gr.update(interactive=not busy, value="Working..." if busy else "Go on with it"),
            self.finish: gr.update(visible=waits and not busy),
            self.stop: gr.update(visible=busy, interactive=True, value="Stop"),
        }

    def _chosen(self, run_id: str | None) -> Any:
        return gr.update(visible=self.campaigns.waits(run_id))

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
    return [
        panel,
        plot,
        render.cards(
            result.candidates,
            result.best_id,
            result=result,
            said=" ".join(part for part in (result.brief.message, result.brief.draft) if part),
        ),
    ]
