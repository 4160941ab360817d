"""A chat model's answer made into drafts: valid JSON, mended JSON or a marked list; the rest is dropped and counted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.screener.markup import markup_reasons
from agents.writers.base import distinct
from agents.writers.cleaning import clean

LIMIT = 200_000
"""Characters of an answer that are read; the rest of a longer one is not looked at."""


class DraftAnswer(BaseModel):
    """One draft as asked for. Other keys are ignored, other types refused."""

    model_config = ConfigDict(extra="ignore", strict=True)

    text: str = Field(min_length=1, max_length=8000)
    strategy: str = Field(default="write", max_length=200)


def parse_answer(answer: str, *, channel: str = "post", allowed: str = "") -> tuple[list[DraftAnswer], int]:
    """Distinct drafts of one answer and how many entries were dropped as malformed, repeated or machine-like.

    Args:
        answer: What the model wrote. It is text: nothing in it is run or followed.
        allowed: The brief's own words, whose marks ("{first_name}") a draft may hold.
    """
    answer = answer[:LIMIT]
    entries = _entries(answer)
    drafts = [draft for entry in entries if (draft := _draft(entry, channel, allowed)) is not None]
    kept = set(distinct([draft.text for draft in drafts]))
    unique = []
    for draft in drafts:
        if draft.text in kept:
            kept.discard(draft.text)
            unique.append(draft)
    return unique, max(len(entries) - len(unique), 0 if unique else 1)


def _draft(entry: Any, channel: str, allowed: str) -> DraftAnswer | None:
    try:
        draft = DraftAnswer.model_validate({"text": entry} if isinstance(entry, str) else entry)
    except ValidationError:
        return None
    text = clean(draft.text, channel=channel)
    if not text or markup_reasons(text, allowed=allowed):
        return None
    strategy = re.sub(r"[^a-z0-9]+", "-", draft.strategy.casefold()).strip("-")[:40] or "write"
    return DraftAnswer(text=text, strategy=strategy)


def _entries(answer: str) -> list[Any]:
    """Entries of the first JSON value that has any; else the lines of a marked list."""
    for value in _json_values(answer):
        if entries := _listed(value):
            return entries
    lines = [line for line in answer.splitlines() if re.match(r"\s*(?:\d{1,2}[.)]|[-*•])\s+\S", line)]
    if lines:
        return list(lines)
    bare = [line for line in answer.splitlines() if line.strip() and not line.strip().startswith("```")]
    # Several short lines without a mark are a list as well; prose and web pages are not.
    plausible = len(bare) >= 2 and all(len(line) <= 400 and not re.search(r"[<>{}\[\]]|:\s*$", line) for line in bare)
    return list(bare) if plausible else []


def _listed(value: Any) -> list[Any]:
    """The list of drafts inside a JSON value, however it was wrapped."""
    if isinstance(value, list):
        return [entry for entry in value if isinstance(entry, (dict, str))]
    if isinstance(value, dict):
        if isinstance(value.get("text"), str):
            return [value]
        for inner in value.values():
            if isinstance(inner, list) and (entries := _listed(inner)):
                return entries
    return []


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
