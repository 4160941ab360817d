"""The writer's contract: a task goes in, drafts come out, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from agents.screener.folding import text_key
from lcbm_model.content import Content
from lcbm_model.errors import BackendError


class WritingExample(BaseModel):
    """A past winner (or loser) of the team, shown to the writer with its result."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    percentile: float | None = Field(default=None, ge=0, le=100)


class WritingTask(BaseModel):
    """All a writer may know. `content.text` is the draft to beat; empty where there is none yet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    content: Content
    metric: str
    message: str = Field(description="What has to be said.")
    tone: str | None = None
    must_keep: tuple[str, ...] = Field(default=(), description="Facts that must survive to the letter.")
    required_words: tuple[str, ...] = ()
    banned_words: tuple[str, ...] = ()
    rules: tuple[str, ...] = Field(default=(), description="Brand rules in the team's words.")
    min_length: int = Field(default=1, ge=0, description="Characters.")
    max_length: int = Field(default=280, ge=1, description="Characters.")
    examples: tuple[WritingExample, ...] = Field(default=(), description="Similar past winners, best first.")
    best_so_far: tuple[str, ...] = Field(default=(), description="Texts of earlier rounds, best first.")
    critique: str | None = Field(default=None, description="What the critic asks for in this round.")
    round: int = Field(default=0, ge=0)


class Draft(BaseModel):
    """One text and where it came from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    writer: str = Field(description="Name of the writer: 'embedded', 'openai:gpt-x', 'human'.")
    strategy: str = Field(default="write", description="How it was asked for: 'write', 'rewrite', 'from-example'.")
    parent: str | None = Field(default=None, description="Text it was made from.")


class WriterUsage(BaseModel):
    """What one call spent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls: int = 0
    tokens: int = 0
    cost: float = Field(default=0.0, description="In the currency of the writer's own price settings.")
    dropped: int = Field(default=0, description="Answers that were empty, malformed or repeated.")

    def __add__(self, other: WriterUsage) -> WriterUsage:
        return WriterUsage(
            calls=self.calls + other.calls,
            tokens=self.tokens + other.tokens,
            cost=self.cost + other.cost,
            dropped=self.dropped + other.dropped,
        )


class NothingUsable(BackendError):
    """An answer came and was billed, but no draft could be made of it.

    Args:
        usage: The bill; it counts against the budget like any other.
    """

    def __init__(self, message: str, usage: WriterUsage) -> None:
        super().__init__(message)
        self.usage = usage


class WriterResult(BaseModel):
    """Up to as many drafts as asked for, distinct, never padded, and the bill."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    drafts: tuple[Draft, ...]
    usage: WriterUsage


@runtime_checkable
class Writer(Protocol):
    """Writes drafts. Deterministic for a seed where the model behind it is.

    Two attributes may be there too: `by_rule` (False), whose drafts cost nothing, so that more may be asked for, and
    `reads_advice` (True), whether a task's `critique` reaches it.
    """

    @property
    def name(self) -> str: ...

    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        """Up to `n` distinct drafts.

        Raises:
            BackendError: The model behind it is down or answered nonsense throughout; the loop goes on with others.
                `NothingUsable` where the nonsense was billed.
        """
        ...


def distinct(texts: Sequence[str]) -> list[str]:
    """Texts without repeats (case and white space ignored), order kept, empties dropped."""
    seen: dict[str, str] = {}
    for text in texts:
        key = text_key(text)
        if key and key not in seen:
            seen[key] = text
    return list(seen.values())
