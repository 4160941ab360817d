"""What a person's decision means for the run: own wordings to score, texts never to be chosen, advice to writers."""

from __future__ import annotations

from collections.abc import Sequence

from agents.writers.base import Draft, Writer
from optimizer.decision import HUMAN, Decision
from optimizer.result import Candidate

NEARLY_THE_SAME = 0.9
"""Likeness 0..1 (shared words or character runs) from which a veto also meets another text."""

COMMENTS, VETOES = 12, 6
"""Newest ones handed to writers: older ones are in their drafts already, and prompts are short."""


def like_a_vetoed(text: str, vetoed: Sequence[Candidate]) -> Candidate | None:
    """The vetoed candidate that a text repeats or nearly repeats."""
    from agents.selector import similarity

    return next((c for c in vetoed if similarity(text, c.text) >= NEARLY_THE_SAME), None)


def with_vetoes(candidates: Sequence[Candidate], ids: Sequence[str]) -> list[Candidate]:
    """The candidates with those marked that were vetoed, and what is nearly the same and no person's own wording."""
    struck = [c for c in candidates if c.id in ids]
    return [
        c.model_copy(update={"vetoed": True})
        if c.id in ids or (c.writer != HUMAN and like_a_vetoed(c.text, struck))
        else c
        for c in candidates
    ]


def own_wordings(decisions: Sequence[Decision], number: int) -> list[Draft]:
    """The drafts that a person wrote after round `number`; their parents are candidate ids."""
    return [
        Draft(text=text, writer=HUMAN, strategy="edit", parent=id_)
        for decision in decisions
        if decision.round == number
        for id_, text in decision.edits.items()
    ]


def advice(decisions: Sequence[Decision], candidates: Sequence[Candidate]) -> str | None:
    """A person's comments and vetoes in words that writers can follow; None where there are none."""
    texts = {c.id: c.text for c in candidates}
    said, struck = [], []
    for decision in decisions:
        for id_, comment in decision.comments.items():
            words = " ".join(comment.split())
            said.append(f"On {texts.get(id_, id_)!r} the team says: {words}" if id_ else f"The team says: {words}")
        struck += [f"The team does not want anything like {texts.get(id_, id_)!r}." for id_ in decision.vetoed]
    return "\n".join([*said[-COMMENTS:], *struck[-VETOES:]]) or None


def unheard(decisions: Sequence[Decision], writers: Sequence[Writer]) -> bool:
    """Whether somebody commented, and no writer of the run reads words of advice."""
    commented = any(decision.comments for decision in decisions)
    return commented and not any(getattr(writer, "reads_advice", True) for writer in writers)
