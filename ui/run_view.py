"""The right-hand side of Optimise: what changed since the last look, so that unchanged parts are not sent again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lcbm_model.errors import LcbmError
from ui import render
from ui.charts import rounds_chart
from ui.notify import plain
from ui.runs import Run, Snapshot
from ui.services import Services

HEARD = "Your marks on the drafts below go with it"
UNHEARD = (
    "The writers of this app follow your own wordings and rejections. Notes and comments are kept with the run, but "
    "only a chat model would read them."
)
NO_HITS = "Add a file of your past posts, and the nearest ones appear here with what they really reached."
Updates = dict[Any, Any]


@dataclass
class Board:
    """The components of the right-hand side."""

    ticket: Any
    panel: Any
    plot: Any
    downloads: Any
    files: list[Any]
    cards: Any
    hits: Any
    go: Any
    stop: Any
    asked: Any
    note: Any

    @property
    def all(self) -> list[Any]:
        return [
            self.ticket,
            self.panel,
            self.plot,
            self.downloads,
            *self.files,
            self.cards,
            self.hits,
            self.go,
            self.stop,
            self.asked,
            self.note,
        ]


def stop_run(services: Services, ticket: str | None) -> Any:
    """Ask a run to stop behind its current step; what the stop button shows from then on."""
    run = services.run(ticket)
    if run is None:
        gr.Warning("This run is no longer under way.", title="Nothing to stop")
        return gr.update(interactive=False)
    run.stop()
    return gr.update(interactive=False, value="Stopping...")


class RunView:
    """One watching of one run; the first look sends everything."""

    def __init__(self, services: Services, board: Board) -> None:
        self.services, self.board = services, board
        self._rounds: tuple[int, int] | None = None
        self._cards: tuple[Any, ...] | None = None
        self._hits = False

    def opening(self, line: str) -> Updates:
        """Before the loop begins: an empty board with one line."""
        return self._blank(render.render("opening", line=line), going=True)

    def failed(self, message: str) -> Updates:
        """Nothing could be started; says why where the results would stand."""
        return self._blank(render.notice([message], "error", "This brief could not be started"), going=False)

    def _blank(self, panel: str, *, going: bool) -> Updates:
        b = self.board
        hidden = {part: gr.update(visible=False) for part in (b.downloads, b.asked)}
        return {
            b.ticket: None,
            b.panel: panel,
            b.plot: "",
            b.cards: "",
            b.hits: "",
            **hidden,
            **self.buttons(going=going),
        }

    def follow(self, run: Run) -> Iterator[Updates]:
        """Until the run ends or waits for a person."""
        for snapshot in run.follow():
            yield self.update(run, snapshot)

    def update(self, run: Run, snapshot: Snapshot) -> Updates:
        """The board as it stands."""
        b = self.board
        going = not (snapshot.done or snapshot.waiting)
        return {
            b.ticket: run.ticket,
            b.panel: render.run_panel(snapshot, run.brief.budget.rounds),
            b.asked: gr.update(visible=snapshot.waiting),
            b.note: self._note() if snapshot.waiting else gr.skip(),
            **self.buttons(going=going, stopping=snapshot.stopping, waiting=snapshot.waiting),
            **self._downloads(run, snapshot),
            **self._plot(run, snapshot),
            **self._drafts(run, snapshot),
            **self._past(snapshot),
        }

    def _note(self) -> Any:
        return gr.update(info=HEARD if self.services.comments_heard() else UNHEARD)

    def buttons(self, *, going: bool, stopping: bool = False, waiting: bool = False) -> Updates:
        """The two buttons in the state that fits. Beside a run that waits for an answer, a new one is a new one."""
        idle = "Start a new run" if waiting else "Improve it"
        return {
            self.board.go: gr.update(interactive=not going, value="Working..." if going else idle),
            self.board.stop: gr.update(
                interactive=going and not stopping, value="Stopping..." if stopping else "Stop, keep the best"
            ),
        }

    def _downloads(self, run: Run, snapshot: Snapshot) -> Updates:
        b = self.board
        if not (snapshot.done or snapshot.waiting) or snapshot.result is None:
            return {b.downloads: gr.update(visible=False)}
        try:
            made = self.services.downloads(run)
        except LcbmError as error:
            gr.Warning(plain(error), title="The files could not be written", duration=12)
            return {}
        values = (gr.update(value=str(made[kind])) for kind in ("html", "csv", "json"))
        return {b.downloads: gr.update(visible=True), **dict(zip(b.files, values, strict=True))}

    def _plot(self, run: Run, snapshot: Snapshot) -> Updates:
        event = snapshot.event
        if event is None or not any(c.score is not None for c in event.candidates):
            return {}
        drawn = (len(event.rounds), sum(c.score is not None for c in event.candidates))
        if drawn == self._rounds:
            return {}
        self._rounds = drawn
        return {self.board.plot: rounds_chart(event.rounds, event.candidates, run.brief.budget.rounds)}

    def _drafts(self, run: Run, snapshot: Snapshot) -> Updates:
        event = snapshot.event
        candidates = event.candidates if event else ()
        best = None
        if event:
            best = snapshot.result.best_id if snapshot.result else (event.rounds[-1].best_id if event.rounds else None)
        drawn = (candidates, best, snapshot.done)
        if drawn == self._cards:
            return {}
        self._cards = drawn
        shown = render.cards(
            candidates,
            best,
            ticket=run.ticket,
            approval=run.brief.approval and not snapshot.done,
            marks=run.marks,
            slate=snapshot.result.slate if snapshot.result else (),
            final=snapshot.done,
            result=snapshot.result if snapshot.done else None,
            said=" ".join(part for part in (run.brief.message, run.brief.draft) if part),
        )
        return {self.board.cards: shown}

    def _past(self, snapshot: Snapshot) -> Updates:
        event = snapshot.event
        if event is None or self._hits or not (event.hits or snapshot.done):
            return {}
        self._hits = True
        found = render.hits(
            event.hits,
            title="Nearest winners",
            note="of your own",
            none_text=NO_HITS,
        )
        return {self.board.hits: found}
