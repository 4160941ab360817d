"""Texts put together from the message's own sentences: one of them, several in a row, or one beside the draft.

The message says what has to be said in whole sentences, so what is made of them reads well and invents nothing. What
points back at an earlier sentence ("It costs 149 euros") never opens a text without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agents.screener.survival import all_survive
from agents.writers.base import WritingTask

LONGEST = 4
"""Sentences of one text."""
SAME = 0.5
"""Share of a sentence's longer words that the draft holds too, from which the two would say one thing twice."""
_BACK = (
    "it|its|this|that|these|those|they|them|their|he|him|his|she|her|hers|ours|one|most|some|each|both|all|nobody|none"
)
_OPENS_BACK = re.compile(
    rf"(?:{_BACK}|and|but|or|so|then|there|here|even|two of|one of|last time|now"
    r"|(?:after|before|below|above|until|from) (?:that|then))\b",
    re.IGNORECASE,
)
_PRONOUN = re.compile(r"\b(?:it|they|them|he|him|she|her)\b", re.IGNORECASE)
_JOINT = re.compile(r",|\b(?:and|because|but|if|that|who|which|when|while|with)\b", re.IGNORECASE)


def sentences(message: str) -> list[str]:
    """The message cut behind its full stops, marks kept."""
    return [s.strip() for s in re.split(r"(?<=[.!?])\s+(?=[A-Z0-9\"“])", message) if s.strip()]


def starts_back(text: str) -> bool:
    """Whether the first word points at something said before."""
    return _OPENS_BACK.match(text) is not None


def points_back(sentence: str) -> bool:
    """Whether a sentence needs another one before it: it opens with a pronoun, or has one that nothing explains."""
    if starts_back(sentence):
        return True
    pronoun = _PRONOUN.search(sentence)
    return pronoun is not None and not _JOINT.search(sentence, 0, pronoun.start())


def assembled(task: WritingTask) -> Iterator[tuple[str, str, str]]:
    """(strategy, text, parent) with all facts that must stay; the parent is the message, or the draft where it is used.

    Runs of neighbouring sentences, two sentences turned round, the draft before or behind a sentence.
    """
    said, draft = sentences(task.message), task.content.text.strip()
    for text in (*_runs(said), *_turned(said)):
        if all_survive(text, task.must_keep):
            yield "sentences", _ended(text), task.message
    if draft:
        for sentence in said:
            if _overlap(sentence, draft) >= SAME or not all_survive(f"{sentence} {draft}", task.must_keep):
                continue
            yield "draft+sentence", f"{_closed(draft)} {_ended(sentence, alone=False)}", draft
            if not points_back(sentence):
                yield "sentence+draft", f"{_closed(sentence)} {_ended(draft, alone=False)}", draft


def _runs(said: list[str]) -> Iterator[str]:
    for length in range(1, LONGEST + 1):
        for start in range(len(said) - length + 1):
            if start == 0 or not points_back(said[start]):
                yield " ".join(said[start : start + length])


def _turned(said: list[str]) -> Iterator[str]:
    for i, first in enumerate(said):
        for second in said[i + 1 :]:
            if not points_back(first) and not points_back(second):
                yield f"{_closed(second)} {first}"


def _closed(text: str) -> str:
    return text if text[-1] in ".!?…" else f"{text}."


def _ended(text: str, *, alone: bool = True) -> str:
    """A single sentence without its full stop, as headlines have it; several keep theirs."""
    single = alone and len(sentences(text)) == 1
    return text.rstrip(".") if single else _closed(text)


def _overlap(sentence: str, draft: str) -> float:
    mine, theirs = ({w[:5] for w in re.findall(r"\w{4,}|\d+", t.casefold())} for t in (sentence, draft))
    return len(mine & theirs) / max(len(mine), 1)
