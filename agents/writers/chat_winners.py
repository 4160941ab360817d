"""Few-shot rewriting from retrieved winners: what a past winner did, done with what has to be said now."""

from __future__ import annotations

from typing import Any

from agents.writers.answers import Entry
from agents.writers.base import WritingExample, WritingTask
from agents.writers.chat_edits import editable
from agents.writers.chat_prompt import RULES, noun_of, task_data

WINNER = 50.0
"""Percentile above which a past post counts as a winner; posts without a result were retrieved as such."""


class RewriteEntry(Entry):
    """A text made after the pattern of one winner."""

    pattern: int


class Winners:
    """One rewrite for each winner; nothing to do without winners."""

    name = "winners"
    entry: type[Entry] = RewriteEntry

    def data(self, task: WritingTask) -> dict[str, Any] | None:
        """The task with numbered winners; nothing where none was retrieved."""
        found = winners(task)
        return {**task_data(task), "winners": {i: e.text for i, e in enumerate(found)}} if found else None

    def request(self, task: WritingTask, n: int) -> str:
        return (
            f"The winners are past {noun_of(task)}s that did well, about other things. For {n} of them in turn, "
            f"see how it works (its opening, its build, whom it speaks to) and write the message in that manner. Take "
            f"over the manner only: no words, names, numbers or claims of a winner. {RULES}\n"
            f'Answer with JSON only: {{"rewrites": [{{"pattern": <number of the winner>, "text": "..."}}]}} '
            f"with exactly {n} entries."
        )

    def draft(self, entry: RewriteEntry, task: WritingTask) -> tuple[str, str | None] | None:
        """Entries that name no winner there is are dropped, and those that copy theirs."""
        from agents.selector import similarity

        found = winners(task)
        if not 0 <= entry.pattern < len(found) or similarity(entry.text, found[entry.pattern].text) > 0.8:
            return None
        parents = editable(task)
        return "from-winner", parents[0] if parents else None


def winners(task: WritingTask) -> list[WritingExample]:
    """Past posts that did well, best first as retrieved."""
    return [e for e in task.examples if e.percentile is None or e.percentile > WINNER]
