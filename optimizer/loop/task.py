"""From a brief to the task that writers and the screener get."""

from __future__ import annotations

from typing import Any

from agents.writers.base import WritingTask
from optimizer.brief import Brief


def task_of(brief: Brief, base: str | None = None, **known: Any) -> WritingTask:
    """The brief as a writing task.

    Args:
        base: The text to beat; the brief's own draft by default.
        known: What the run found so far: examples, best_so_far, critique, round.
    """
    return WritingTask(
        content=brief.content(base),
        metric=brief.metric,
        message=brief.message,
        tone=brief.tone,
        must_keep=brief.kept,
        required_words=brief.required_words,
        banned_words=brief.banned_words,
        rules=brief.rules,
        min_length=brief.min_length,
        max_length=brief.max_length,
        **known,
    )
