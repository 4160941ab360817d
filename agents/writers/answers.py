"""A chat model's answer made into drafts: valid JSON, mended JSON or a marked list; the rest is dropped and counted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.screener.markup import markup_reasons
from agents.writers.base import distinct
from agents.writers.cleaning import clean

LIMIT = 200_000
"""Characters of an answer that are read; the rest of a longer one is not looked at."""


_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)


class Entry(BaseModel):
    """One entry of an answer. Other keys are ignored, other types refused. Subclasses say what else they need."""

    model_config = ConfigDict(extra="ignore", strict=True)

    text: str = Field(min_length=1, max_length=8000)


class DraftAnswer(Entry):
    """One draft as asked for."""

    strategy: str = Field(default="write", max_length=200)


AnyEntry = TypeVar("AnyEntry", bound=Entry)


def parse_answer(answer: str, *, channel: str = "post", allowed: str = "") -> tuple[list[DraftAnswer], int]:
    """Distinct drafts of one answer and how many entries were dropped as malformed, repeated or machine-like.

    Args:
        answer: What the model wrote. It is text: nothing in it is run or followed.
        allowed: The brief's own words, whose marks ("{first_name}") a draft may hold.
    """
    drafts, dropped = parse_entries(answer, DraftAnswer, channel=channel, allowed=allowed)
    return [draft.model_copy(update={"strategy": slug(draft.strategy) or "write"}) for draft in drafts], dropped


def parse_entries(
    answer: str, kind: type[AnyEntry], *, channel: str = "post", allowed: str = ""
) -> tuple[list[AnyEntry], int]:
    """Valid entries with distinct, cleaned texts, and how many were dropped. Arguments as for `parse_answer`."""
    entries = _entries(_spoken(answer)[:LIMIT])
    valid = [entry for raw in entries if (entry := _valid(raw, kind, channel, allowed)) is not None]
    kept = set(distinct([entry.text for entry in valid]))
    unique = []
    for entry in valid:
        if entry.text in kept:
            kept.discard(entry.text)
            unique.append(entry)
    return unique, max(len(entries) - len(unique), 0 if unique else 1)


def slug(words: str) -> str:
    """Words as a short name: 'Hook First!' -> 'hook-first'."""
    return re.sub(r"[^a-z0-9]+", "-", words.casefold()).strip("-")[:40]


def _spoken(answer: str) -> str:
    """The answer without what a reasoning model thought aloud before it."""
    return _THOUGHT.sub("", answer).rpartition("</think>")[2]


def _valid(raw: Any, kind: type[AnyEntry], channel: str, allowed: str) -> AnyEntry | None:
    try:
        said = {"text": raw} if isinstance(raw, str) else raw
        # A field that is null was not given.
        entry = kind.model_validate({name: value for name, value in said.items() if value is not None})
    except ValidationError:
        return None
    text = clean(entry.text, channel=channel)
    if not text or markup_reasons(text, allowed=allowed):
        return None
    return entry.model_copy(update={"text": text})


def _entries(answer: str) -> list[Any]:
    """Entries of the first list of objects with a text in the JSON values, or of the first list of words; else the
    lines of a marked list."""
    lists = [entries for value in _json_values(answer) for entries in _lists(value)]
    if lists:
        return next(
            (own for own in lists if any(isinstance(entry, dict) and "text" in entry for entry in own)), lists[0]
        )
    lines = [line for line in answer.splitlines() if re.match(r"\s*(?:\d{1,2}[.)]|[-*•])\s+\S", line)]
    if lines:
        return list(lines)
    bare = [line for line in answer.splitlines() if line.strip() and not line.strip().startswith("```")]
    # Several short lines without a mark are a list as well; prose and web pages are not.
    plausible = len(bare) >= 2 and all(len(line) <= 400 and not re.search(r"[<>{}\[\]]|:\s*$", line) for line in bare)
    return list(bare) if plausible else []


def _lists(value: Any) -> Iterator[list[Any]]:
    """Every list of entries inside a JSON value, however it was wrapped."""
    if isinstance(value, list):
        if entries := [entry for entry in value if isinstance(entry, (dict, str))]:
            yield entries
    elif isinstance(value, dict):
        if isinstance(value.get("text"), str):
            yield [value]
            return
        for inner in value.values():
            if isinstance(inner, list):
                yield from _lists(inner)


def _json_values(answer: str) -> Iterator[Any]:
    """JSON values that stand anywhere in the answer, fenced or followed by chatter, outermost first.

    A cut-off list ends early: its whole entries are found one level further in and returned together.
    """
    decoder = json.JSONDecoder()
    singles: list[Any] = []
    position, tries = 0, 0
    while (start := _next_open(answer, position)) >= 0 and tries < 200:
        tries += 1
        try:
            value, position = decoder.raw_decode(answer, start)
        except (ValueError, RecursionError):
            position = start + 1
            continue
        if isinstance(value, dict) and isinstance(value.get("text"), str):
            singles.append(value)
        else:
            yield value
    if singles:
        yield singles


def _next_open(answer: str, position: int) -> int:
    found = [i for i in (answer.find("{", position), answer.find("[", position)) if i >= 0]
    return min(found, default=-1)
