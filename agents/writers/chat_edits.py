"""Structured edits that a chat model fills in: one change at a time, named, so that the loop learns which ones help."""

from __future__ import annotations

from typing import Any, Literal

from agents.writers.answers import Entry
from agents.writers.base import WritingTask
from agents.writers.chat_prompt import RULES, task_data

EDITS: dict[str, str] = {
    "hook": "open with other words that make the reader want the rest",
    "specificity": "replace a general word by the concrete thing the data gives for it",
    "question-statement": "turn the question into a statement or the statement into a question",
    "order": "put what matters most to the reader first, same content",
    "length": "say the same in clearly fewer words",
    "call-to-action": "say what the reader can do next, if the data offers something to do",
    "tone": "same content in the asked-for tone, or in a plainer one where none is asked for",
}
"""Kind of edit and what it is; also the only strategies this writer's drafts may have."""

EditKind = Literal["hook", "specificity", "question-statement", "order", "length", "call-to-action", "tone"]


class EditEntry(Entry):
    """One edit of one text."""

    edit: EditKind
    of: int = 0
    """Number of the text it was made from, 0 for the first of `texts_to_edit`."""


class StructuredEdits:
    """Edits of the best texts so far."""

    name = "edits"
    entry: type[Entry] = EditEntry

    def data(self, task: WritingTask) -> dict[str, Any] | None:
        """The task with the texts to edit, numbered; nothing without a text."""
        parents = editable(task)
        return {**task_data(task), "texts_to_edit": dict(enumerate(parents))} if parents else None

    def request(self, task: WritingTask, n: int) -> str:
        kinds = "; ".join(f'"{kind}": {what}' for kind, what in EDITS.items())
        return (
            f"Edit the texts_to_edit. Make {n} edits, each changing one thing only and of a different kind where "
            f"possible. Kinds: {kinds}. {RULES}\n"
            f'Answer with JSON only: {{"edits": [{{"edit": "<kind>", "of": <number of the text>, "text": "..."}}]}} '
            f"with exactly {n} entries."
        )

    def draft(self, entry: EditEntry, task: WritingTask) -> tuple[str, str | None] | None:
        """Entries that name no text there is are dropped, and those that changed nothing."""
        parents = editable(task)
        if not 0 <= entry.of < len(parents) or entry.text.casefold() == parents[entry.of].casefold():
            return None
        return f"edit:{entry.edit}", parents[entry.of]


def editable(task: WritingTask, most: int = 4) -> list[str]:
    """The text to beat and the best so far, each once."""
    texts = dict.fromkeys(text.strip() for text in (task.content.text, *task.best_so_far) if text.strip())
    return list(texts)[:most]
