"""Critique-driven revision: the best drafts go back to the model with what the critic found."""

from __future__ import annotations

from typing import Any

from agents.writers.answers import Entry
from agents.writers.base import WritingTask
from agents.writers.chat_edits import editable
from agents.writers.chat_prompt import RULES, task_data


class RevisionEntry(Entry):
    """One revised text and the point of the critique it answers."""

    of: int = 0
    because: str = ""


class Revision:
    """Revises the best texts by the critique of the last round; nothing to do before there is one."""

    name = "revision"
    entry: type[Entry] = RevisionEntry

    def data(self, task: WritingTask) -> dict[str, Any] | None:
        """The task with numbered drafts; nothing without a critique or without drafts."""
        drafts = editable(task)
        if not drafts or not (task.critique or "").strip():
            return None
        return {**task_data(task), "drafts_to_revise": dict(enumerate(drafts))}

    def request(self, task: WritingTask, n: int) -> str:
        return (
            f"critique_of_last_round says what set better drafts apart from worse ones. Revise the drafts_to_revise "
            f"by it: {n} revisions, each of which acts on one point of the critique and leaves the rest as it is. "
            f"Advice that would break another rule is passed over. {RULES}\n"
            f'Answer with JSON only: {{"revisions": [{{"of": <number of the draft>, "because": "the point it acts '
            f'on", "text": "..."}}]}} with exactly {n} entries.'
        )

    def draft(self, entry: RevisionEntry, task: WritingTask) -> tuple[str, str | None] | None:
        """Entries that name no draft there is are dropped, and those that changed nothing."""
        drafts = editable(task)
        if not 0 <= entry.of < len(drafts) or entry.text.casefold() == drafts[entry.of].casefold():
            return None
        return "revision", drafts[entry.of]
