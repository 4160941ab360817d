"""Crossover by a chat model: what carries one good draft joined with what carries another."""

from __future__ import annotations

from typing import Any

from agents.writers.answers import Entry
from agents.writers.base import WritingTask
from agents.writers.chat_edits import editable
from agents.writers.chat_prompt import RULES, task_data


class CrossEntry(Entry):
    """A child of two texts, by their numbers."""

    first: int
    second: int


class Crossover:
    """Children of two texts each; nothing to do with fewer than two."""

    name = "crossover"
    entry: type[Entry] = CrossEntry

    def data(self, task: WritingTask) -> dict[str, Any] | None:
        """The task with numbered parents; nothing with fewer than two."""
        parents = editable(task)
        return {**task_data(task), "parents": dict(enumerate(parents))} if len(parents) > 1 else None

    def request(self, task: WritingTask, n: int) -> str:
        return (
            f"Each of the parents has something that works. Write {n} children: take the opening or the strongest "
            f"point of one parent and the build or the rest of another, joined into one natural text, with nothing "
            f"said twice. {RULES}\n"
            f'Answer with JSON only: {{"children": [{{"first": <number of a parent>, "second": <number of another>, '
            f'"text": "..."}}]}} with exactly {n} entries.'
        )

    def draft(self, entry: CrossEntry, task: WritingTask) -> tuple[str, str | None] | None:
        """Entries without two parents that there are, or that equal one of them, are dropped."""
        parents = editable(task)
        both = {entry.first, entry.second}
        if len(both) < 2 or not both <= set(range(len(parents))):
            return None
        if entry.text.casefold() in {parents[i].casefold() for i in both}:
            return None
        return "crossover", parents[entry.first]
