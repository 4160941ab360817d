"""Views to HTML by Jinja2 with autoescape: drafts, rows, file names and model answers come out as text, always."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from agents.library.records import Hit, Post, RejectedRow
from lcbm_model.metrics import get_metric
from lcbm_model.prediction import SimulatorIdentity
from optimizer.result import Candidate, OptimizationResult
from ui import words
from ui.loading import Loading
from ui.runs import Marks, Snapshot

ASSETS = Path(__file__).parent / "assets"
SHOWN = 12
"""Cards in sight at once; the rest unfold."""

STEPS = (
    ("retrieved", "Look up"),
    ("drafted", "Write"),
    ("screened", "Check"),
    ("scored", "Predict"),
    ("critiqued", "Learn"),
    ("judged", "Second opinion"),
)
NOW = {
    "started": "looking up your past posts",
    "retrieved": "writing new drafts",
    "drafted": "checking the drafts against your rules",
    "screened": "predicting how each would do",
    "scored": "learning from the scores",
    "critiqued": "choosing the best",
    "round": "writing new drafts",
}
"""What is under way after each event."""


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    env = Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {
        "percent": words.percent,
        "points": words.points,
        "raw": words.raw,
        "ordinal": words.ordinal,
        "heights": words.heights,
        "interval": words.interval,
        "origin": words.origin,
        "channel": words.channel,
        "metric_title": lambda name: get_metric(name).title,
        "cut": lambda text: repr(text if len(text) <= 60 else text[:57] + "..."),
    }
    env.globals["hints"] = words.HINTS
    return env


def render(template: str, **values: Any) -> str:
    """One view. `template` is a file of `ui/assets` without its ending."""
    return str(_environment().get_template(f"{template}.html.j2").render(**values))


def empty(title: str, text: str, steps: Sequence[tuple[str, str]] = (), press: tuple[str, str] | None = None) -> str:
    """A view with nothing in it yet, which says how to fill it.

    Args:
        press: Words of a button, and the id of the button of the page that it stands for.
    """
    return str(_environment().get_template("macros.html.j2").module.empty(title, text, steps, press))


def notice(lines: Sequence[str], kind: str = "caution", title: str | None = None) -> str:
    """A box of sentences; `kind` is caution, info or error."""
    return str(_environment().get_template("macros.html.j2").module.notice(list(lines), kind, title))


def status_pill(loading: Loading) -> str:
    """The header's word on the models."""
    return render("status", loading=loading, elapsed=words.duration(loading.seconds))


def run_panel(snapshot: Snapshot, rounds_wanted: int) -> str:
    """Progress, best so far, and at the end the verdict with everything a reader must know."""
    event, result = snapshot.event, snapshot.result
    candidates = event.candidates if event else ()
    best = _best(candidates, event.rounds[-1].best_id if event and event.rounds else None, result)
    original = next((c.score for c in candidates if c.round == 0), None)
    rounds = event.rounds if event else ()
    return render(
        "run",
        state=_state(snapshot),
        line=_line(snapshot, rounds_wanted),
        detail=_detail(snapshot),
        elapsed=words.duration(snapshot.seconds),
        steps=_steps(snapshot),
        best=best,
        original=original,
        result=result if snapshot.done else None,
        verdict=_verdict(result) if result else None,
        shades=_shades(best, result) if snapshot.done else [],
        cautions=words.result_cautions(result) if result and snapshot.done else [],
        notes=list(dict.fromkeys(note for r in rounds for note in r.notes)),
    ) + (notice([snapshot.error], "error", "The run ended early") if snapshot.error else "")


def _state(snapshot: Snapshot) -> str:
    if snapshot.error:
        return "failed"
    if snapshot.waiting:
        return "waiting"
    return "done" if snapshot.done else "running"


def _line(snapshot: Snapshot, rounds_wanted: int) -> str:
    event = snapshot.event
    if snapshot.error:
        return "This run could not be finished."
    if snapshot.done:
        return "Finished." if snapshot.result and snapshot.result.status == "finished" else "Stopped; the best is kept."
    if snapshot.waiting:
        return f"Round {event.round if event else 0} of {rounds_wanted} is done. What next?"
    if snapshot.stopping:
        return "Stopping after this step. The best so far is kept."
    if snapshot.queued:
        return "Waiting for its turn: another run is using the model."
    if event is None:
        return "Starting."
    if event.kind in ("judged", "finished"):
        return "Writing it all down."
    now = NOW.get(event.kind, "")
    if event.kind == "round" and event.round >= rounds_wanted:
        return f"All {rounds_wanted} rounds are done: asking for a second opinion"
    number = event.round + (event.kind == "round")
    return f"Round {number} of {rounds_wanted}: {now}" if number else now.capitalize()


def _detail(snapshot: Snapshot) -> str:
    """What the last step came to, in the loop's own words."""
    event = snapshot.event
    if event is None or snapshot.done or event.kind not in ("retrieved", "drafted", "screened", "scored", "critiqued"):
        return ""
    message = event.message.rpartition(": ")[2]
    return message[:1].upper() + message[1:] + "."


def _steps(snapshot: Snapshot) -> list[dict[str, str]]:
    """Each step of a round as done, now or later. An event says what has just been done; the next one is now."""
    order = [kind for kind, _ in STEPS]
    kind = snapshot.event.kind if snapshot.event else "started"
    if (snapshot.done or snapshot.waiting) and not snapshot.error:
        now = len(order) - snapshot.waiting
    elif kind == "round":
        now = order.index("drafted")
    else:
        now = order.index(kind) + 1 if kind in order else 0
    if snapshot.error or snapshot.queued:
        return [{"name": name, "state": "later"} for _, name in STEPS]
    states = ["done" if i < now else "now" if i == now else "later" for i in range(len(order))]
    return [{"name": name, "state": state} for (_, name), state in zip(STEPS, states, strict=True)]


def _best(candidates: Sequence[Candidate], best_id: str | None, result: OptimizationResult | None) -> Candidate | None:
    """The loop's own choice; before its first round is over, the original."""
    wanted = result.best_id if result else best_id
    found = next((c for c in candidates if c.id == wanted), None)
    found = found or (result.best if result else None) or next((c for c in candidates if c.round == 0), None)
    return found if found and found.score is not None else None


def _shades(best: Candidate | None, result: OptimizationResult | None) -> list[Any]:
    """The best text with its words shaded by what they are worth, where the run found that out."""
    from ui.drafts import shaded

    if best is None or result is None or best.id != result.best_id or not result.why:
        return []
    pieces = shaded(best.text, result.why)
    return pieces if any(piece.shade for piece in pieces) else []


def _verdict(result: OptimizationResult) -> dict[str, str]:
    """Title and finding. What it says is the result's own sentence; what it is called depends on the evidence."""
    kind, title = "flat", "A suggestion, not yet a proof"
    if result.best is None:
        title = "Nothing passed"
    elif not result.improved and result.original is not None:
        title = "Your original stands"
    elif result.original is None and result.judge:
        title = "Nothing to compare with"
    elif result.judge:
        kind = "good" if result.judge.reliable else "flat"
        title = "A reliable improvement" if result.judge.reliable else "No reliable improvement"
    return {"kind": kind, "title": title, "text": result.finding}


def cards(
    candidates: Sequence[Candidate],
    best_id: str | None,
    *,
    ticket: str | None = None,
    approval: bool = False,
    marks: Marks | None = None,
    slate: Sequence[str] = (),
    final: bool = False,
    result: OptimizationResult | None = None,
    said: str = "",
) -> str:
    """Candidates, the chosen one first, then what could not be scored and what the rules refused, with reasons.

    Args:
        ticket: Of a run that the app still knows: its cards can be edited, explained and compared.
        approval: The run asks after each round: its cards can be kept, rejected and commented.
        marks: What was noted so far.
        slate: Ids of the good and different ones that the run recommends.
        final: The run is over: neither the cards nor their order will change any more.
        result: Of a run that is over: says whether the choice was confirmed.
        said: Message and draft: what a text leaves out of them stands on its card.
    """
    from agents.screener.figures import left_out

    scored = sorted(
        (c for c in candidates if c.score is not None), key=lambda c: (c.id == best_id, c.score or 0.0), reverse=True
    )
    return render(
        "cards",
        ticket=ticket,
        live=ticket is not None,
        approval=approval and ticket is not None,
        marks=marks or Marks(),
        slate=slate,
        final=final,
        kept=scored[:SHOWN],
        more=scored[SHOWN:],
        total=len(scored),
        unscored=[c for c in candidates if c.prediction is not None and not c.prediction.ok],
        refused=[c for c in candidates if c.rejected],
        original=next((c.score for c in candidates if c.round == 0), None),
        best_id=best_id,
        choice=_choice(candidates, result),
        missing={c.id: left_out(c.text, said) for c in scored if said},
    )


def _choice(candidates: Sequence[Candidate], result: OptimizationResult | None) -> dict[str, str]:
    """What the chosen card is called, no stronger than the evidence."""
    if not any(c.round == 0 for c in candidates):
        return {"name": "best draft", "hint": words.HINTS["alone"]}
    if result is not None and result.improved and result.judge is not None and not result.judge.reliable:
        return {"name": "best, not confirmed", "hint": words.HINTS["unconfirmed"]}
    return {"name": "best choice", "hint": words.HINTS["chosen"]}


def hits(found: Sequence[Hit], *, title: str, note: str, none_text: str) -> str:
    """Past posts with what they really reached."""
    return render("hits", hits=found, title=title, note=note, none_text=none_text)


def posts(found: Sequence[Post], metric: str) -> str:
    """Best past posts, without a query and so without a similarity."""
    return render("posts", posts=found, metric=metric)


def library_figures(tiles: Sequence[dict[str, str]], rejected: Sequence[RejectedRow]) -> str:
    """Figures of a library and the rows that could not be used."""
    return render("library", tiles=tiles, rejected=rejected)


def about(identity: SimulatorIdentity | None, judge: str | None, writers: str | None) -> str:
    """Which model speaks here and what it can and cannot say."""
    local = identity is not None and identity.backend in ("local", "ensemble")
    return render(
        "about",
        identity=identity,
        where="on this machine" if local else f"by {identity.backend}" if identity else "",
        cautions=words.model_cautions(identity) if identity else [],
        judge=judge,
        writers=writers,
    )
