"""A chat model with one way of asking it: the way says what it is shown, what is asked, and how an answer looks."""

from __future__ import annotations

from typing import Any, Protocol

from agents.writers.answers import Entry, parse_entries
from agents.writers.base import Draft, NothingUsable, WriterResult, WriterUsage, WritingTask
from agents.writers.chat_model import ChatModel
from agents.writers.chat_prompt import fenced
from lcbm_model.chat_endpoint import shown


class Way(Protocol):
    """One way of asking; each is a small file. Nothing a way returns comes from outside but in `data`."""

    name: str
    entry: type[Entry]
    """What one entry of the answer must be; pydantic checks it."""

    def data(self, task: WritingTask) -> dict[str, Any] | None:
        """What the model is shown, as data; None where this way has nothing to work on."""
        ...

    def request(self, task: WritingTask, n: int) -> str:
        """What is asked, in our own words."""
        ...

    def draft(self, entry: Any, task: WritingTask) -> tuple[str, str | None] | None:
        """(strategy, parent) of a valid entry's text; None to drop it."""
        ...


class ChatWriter:
    """Asks one model in one way. Malformed entries are mended or dropped, counted, and never shown.

    Args:
        model: Shared with other writers of the same model, so that one spend cap holds for all.
        way: For example `agents.writers.chat_edits.StructuredEdits()`.
        max_tokens: Most tokens of one answer; None: by the number and length of the drafts.
    """

    def __init__(self, model: ChatModel, way: Way, *, max_tokens: int | None = None) -> None:
        self.model, self.way, self.max_tokens = model, way, max_tokens

    @property
    def name(self) -> str:
        return f"{self.model.name}/{self.way.name}"

    def __repr__(self) -> str:
        return f"ChatWriter({self.model.endpoint.where!r}, {self.name!r})"

    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        """Up to `n` drafts from one call; none, and no call, where the way has nothing to work on.

        Raises:
            BackendError: Down, too slow, too long, or the spend cap is near.
            NothingUsable: There was no draft in the answer, which is paid for all the same.
        """
        data = self.way.data(task) if n > 0 else None
        if data is None:
            return WriterResult(drafts=(), usage=WriterUsage())
        chat = fenced(data, self.way.request(task, n))
        most_out = self.max_tokens or min(64 + n * (60 + task.max_length), 8192)
        answer = self.model.ask(chat, most_out=most_out, seed=seed)
        allowed = "\n".join((task.content.text, task.message, *task.must_keep))
        entries, dropped = parse_entries(answer.text, self.way.entry, channel=task.content.channel, allowed=allowed)
        made = [(entry, told) for entry in entries if (told := self.way.draft(entry, task)) is not None]
        if not made:
            raise NothingUsable(
                f"writer {self.name} at {self.model.endpoint.where} answered nothing usable: {shown(answer.text)}. "
                f"Check that the model follows instructions and that the address is a chat endpoint",
                answer.usage + WriterUsage(dropped=dropped + len(entries)),
            )
        dropped += len(entries) - len(made) + max(len(made) - n, 0)
        drafts = (
            Draft(text=entry.text, writer=self.name, strategy=strategy, parent=parent)
            for entry, (strategy, parent) in made[:n]
        )
        return WriterResult(drafts=tuple(drafts), usage=answer.usage + WriterUsage(dropped=dropped))
