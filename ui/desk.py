"""What a person does with the drafts of a run: edit and see the score move, ask why, compare, note for the next round.

`ui/assets/cards.js` sends one message at a time and gets one answer back, outside Gradio's queue. A message is hostile
until it is checked; its run is known by a ticket that nobody can guess and no list shows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lcbm_model.errors import InputError, LcbmError
from lcbm_model.prediction import Prediction
from optimizer.result import Candidate
from ui import drafts
from ui.notify import spoken
from ui.runs import Run
from ui.services import Services

log = logging.getLogger("lcbm.ui")

LONGEST = 4000
"""Characters of an edited text or a comment."""
SIDE_BY_SIDE = (2, 3)
GONE = (
    "The app does not know this run any more: it was restarted, the run is more than a day old, or a colleague went on "
    "with it under Campaigns. Copy what you need; the run itself is kept there."
)


@dataclass(frozen=True)
class Wanted:
    """One checked message: the run, the draft it is about, and the text as it stands in the reader's editor."""

    run: Run
    candidate: Candidate
    text: str


class Desk:
    """Answers the messages of the cards."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._answers: dict[str, Callable[[Run, Mapping[str, Any]], dict[str, Any]]] = {
            "score": self._score,
            "why": self._why,
            "compare": self._compare,
            "mark": self._mark,
        }

    def answer(self, message: Any) -> dict[str, Any]:
        """The answer for one message: `html` to show, or `error` with a sentence for people."""
        try:
            if not isinstance(message, Mapping) or message.get("action") not in self._answers:
                raise InputError("message", "is not one the app knows", remedy="Reload the page")
            run = self.services.run(str(message.get("ticket", "")))
            if run is None:
                return {"error": GONE, "gone": True}
            return self._answers[str(message["action"])](run, message)
        except LcbmError as error:
            return {"error": spoken(error)}
        except Exception:  # it would come out as a bare "500": logged here, owned up to there
            log.exception("a message of the cards failed")
            return {"error": "The app made a mistake. It has been written to its log; your text is kept."}

    def _score(self, run: Run, message: Mapping[str, Any]) -> dict[str, Any]:
        asked = wanted(run, message)
        [prediction] = self._predict(run, [asked.text])
        original = next((c for c in run.candidates if c.round == 0 and c.score is not None), None)
        win = None
        if prediction.ok and original is not None and original.prediction is not None:
            win = self.services.compare([prediction, original.prediction], run.brief.channel)[0]
        before = asked.candidate.score
        change = prediction.expected - before if prediction.expected is not None and before is not None else None
        html = drafts.edited(
            prediction,
            original.score if original else None,
            win,
            change,
            broken=self.services.floors.check(run.brief, asked.text),
        )
        return {"html": html, "said": drafts.said(prediction, change)}

    def _why(self, run: Run, message: Mapping[str, Any]) -> dict[str, Any]:
        asked = wanted(run, message)
        parts = self.services.floors.occlude(
            self.services.models().simulator, run.brief.content(asked.text), run.brief.metric, run.context
        )
        return {"html": drafts.why(asked.text, parts)}

    def _compare(self, run: Run, message: Mapping[str, Any]) -> dict[str, Any]:
        chosen = message.get("drafts")
        least, most = SIDE_BY_SIDE
        if not isinstance(chosen, Sequence) or isinstance(chosen, str) or not least <= len(chosen) <= most:
            raise InputError("compare", f"takes {least} or {most} drafts", remedy="Tick some of them")
        picked = [wanted(run, one) for one in chosen if isinstance(one, Mapping)]
        predictions = self._predict(run, [one.text for one in picked])
        shares: list[float] | None = None
        if all(p.ok for p in predictions):
            shares = self.services.compare(predictions, run.brief.channel)
        original = next((c.score for c in run.candidates if c.round == 0), None)
        return {"html": drafts.side_by_side([(p.candidate, p.text) for p in picked], predictions, shares, original)}

    def _mark(self, run: Run, message: Mapping[str, Any]) -> dict[str, Any]:
        if not run.brief.approval:
            raise InputError("notes", "are heard only in runs that ask after each round", remedy="Start one like that")
        asked = wanted(run, message)
        marks, id_ = run.marks, asked.candidate.id
        match message.get("kind"):
            case "keep":
                _toggle(marks.kept, id_, on=bool(message.get("on")))
                marks.vetoed.discard(id_)
            case "veto":
                _toggle(marks.vetoed, id_, on=bool(message.get("on")))
                marks.kept.discard(id_)
            case "comment":
                _put(marks.comments, id_, str(message.get("words", "")))
            case "edit":
                _put(marks.edits, id_, "" if asked.text == asked.candidate.text else asked.text)
            case _:
                raise InputError("notes", "are of another kind", remedy="Reload the page")
        return {"kept": id_ in marks.kept, "vetoed": id_ in marks.vetoed, "edited": id_ in marks.edits}

    def _predict(self, run: Run, texts: Sequence[str]) -> list[Prediction]:
        return self.services.predict([run.brief.content(t) for t in texts], run.brief.metric, run.context)


def wanted(run: Run, message: Mapping[str, Any]) -> Wanted:
    """The draft a message is about.

    Raises:
        InputError: The run has no such draft, or the text is empty or too long.
    """
    candidate = run.candidate(str(message.get("id", "")))
    if candidate is None:
        raise InputError("draft", "is not one of this run", remedy="Reload the page")
    text = message.get("text", candidate.text)
    if not isinstance(text, str) or not text.strip():
        raise InputError("Your text", "is empty", remedy="Write something, or take back your changes")
    if len(text) > LONGEST:
        raise InputError("Your text", f"is longer than {LONGEST} characters", value=len(text), remedy="Shorten it")
    return Wanted(run, candidate, text)


def _toggle(ids: set[str], id_: str, *, on: bool) -> None:
    ids.add(id_) if on else ids.discard(id_)


def _put(notes: dict[str, str], id_: str, words: str) -> None:
    """Keep words of 1 to LONGEST characters; empty ones take the note away."""
    if words.strip():
        notes[id_] = words.strip()[:LONGEST]
    else:
        notes.pop(id_, None)
