"""Edits that frame a statement: a question before it, a promise of its reason behind it, the words people speak in.

None adds a fact: "Here's why" is only said where the message gives the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from agents.screener.survival import all_survive
from agents.writers.base import WritingTask
from agents.writers.edit_rules import is_clause, lower_first, reasoned, upper_first
from agents.writers.sentences import points_back, sentences

_STATES = re.compile(
    r"(?:the|a|an|our|your|we|you|this|these|every|most|there (?:is|are|was|were)|on \d|in this|\d)\b", re.IGNORECASE
)
_DID = re.compile(r"We ((?!need)(?:\w+ed|took|built|found|gave|made|brought|kept|sold|sent)\b[^:;?!.]+)[.!]?")
_SPOKEN = (
    (r"\b(do|does|did|is|are|was|were|has|have|had|would|should|could) not\b", r"\1n't"),
    (r"\bcannot\b", "can't"),
    (r"\bwill not\b", "won't"),
    (r"\b(it|that|there|here|what|who) is\b(?! n't)", r"\1's"),
    (r"\b(we|you|they) are\b", r"\1're"),
    (r"\b(we|you|they) have\b(?= (?:\w+ed|been|had|made|built|found)\b)", r"\1've"),
)


def did_you_know(text: str, task: WritingTask) -> str | None:
    """ "Our sheets are made of old roofs" -> "Did you know that our sheets are made of old roofs?"."""
    own = text.rstrip(".")
    if not any(own == s.rstrip(".") for s in sentences(task.message)) or not _STATES.match(own) or points_back(own):
        return None
    return f"Did you know that {lower_first(own, task)}?"


def here_is_why(text: str, task: WritingTask) -> str | None:
    """A clause with its reason in the message: "<clause>. Here's why"."""
    clause = _with_reason(text, task)
    return f"{clause}. Here's why" if clause else None


def that_is_why(text: str, task: WritingTask) -> str | None:
    """ "A because B" -> "B. That's why A"."""
    match = re.fullmatch(r"([^:;?.]+?),?\s+because\s+([^:;?.]+?)[.!]?", text, flags=re.IGNORECASE)
    if not match or points_back(match[2]) or not is_clause(match[1]):
        return None
    return f"{upper_first(match[2])}. That's why {lower_first(match[1], task)}"


def how_we(text: str, task: WritingTask) -> str | None:
    """ "We repaired 412 pots" -> "How we repaired 412 pots"."""
    match = _DID.fullmatch(text)
    return f"How we {match[1]}" if match else None


def spoken(text: str, task: WritingTask) -> str | None:
    """Short forms: "it is" -> "it's", "do not" -> "don't"."""
    said = text
    for form, short in _SPOKEN:
        said = re.sub(form, short, said, flags=re.IGNORECASE)
    return said if said != text and all_survive(said, task.must_keep) else None


def _with_reason(text: str, task: WritingTask) -> str | None:
    clause = re.split(r",?\s+because\b", text, flags=re.IGNORECASE)[0].rstrip(".! ")
    stands = is_clause(clause) and reasoned(clause, f"{task.message} {text}") and all_survive(clause, task.must_keep)
    return clause if stands else None


FRAMES: dict[str, Callable[[str, WritingTask], str | None]] = {
    "did-you-know": did_you_know,
    "here-is-why": here_is_why,
    "that-is-why": that_is_why,
    "how-we": how_we,
    "spoken": spoken,
}
"""Every frame by the name that candidates carry."""
