"""What a kept fact is said of: "9 minutes" is true of browning onions, not of copper."""

from __future__ import annotations

import re

from agents.screener.conditions import limits, offers
from agents.screener.folding import collapse
from agents.writers.base import WritingTask


def attached(text: str, task: WritingTask) -> bool:
    """Whether every kept fact is said of what the draft or the message says it of.

    Where the brief has "browns onions in 9 minutes", a text with "9 minutes" has to speak of browning and of onions:
    "copper spreads heat in 9 minutes" holds the fact to the letter and is false.
    """
    own, said = set(stems(text)), collapse(text)
    for fact in map(collapse, task.must_keep):
        sources = [s for s in map(collapse, (task.content.text, task.message)) if fact and fact in s]
        if fact in said and sources and not any(_bearers(source, fact) <= own for source in sources):
            return False
    return True


def travels(phrase: str, source: str, target: str) -> bool:
    """Whether a phrase at the end of `source` is as true of `target`.

    What states or limits something stays with the two longer words it was said of.
    """
    if not (re.search(r"\d|\b[A-ZÀ-Þ]", phrase) or limits(phrase) or offers(phrase)):
        return True
    return set(stems(source.partition(phrase)[0])[-2:]) <= set(stems(target))


def fact_phrase(task: WritingTask, fact: str) -> str:
    """The fact with the preposition the brief uses before it: "9 minutes" -> "in 9 minutes"."""
    fact = collapse(fact)
    for source in map(collapse, (task.content.text, task.message)):
        if preposition := _preposition(source, fact):
            return f"{preposition} {fact}"
    return fact


def _bearers(source: str, fact: str) -> set[str]:
    """The two longer words before the fact's preposition; none where a source states the fact without one."""
    if _preposition(source, fact) is None:
        return set()
    words = source.partition(fact)[0].split()[:-1]
    return set(stems(" ".join(words))[-2:])


def _preposition(source: str, fact: str) -> str | None:
    """The preposition before a fact, in small letters."""
    before = source.partition(fact)[0].split() if fact in source else []
    return before[-1].casefold() if before and before[-1].casefold() in _PREPOSITIONS else None


def stems(text: str) -> list[str]:
    """Beginnings of the longer words, so that 'browns' and 'browning', 'pan' and 'pans' are one."""
    return [word.rstrip("s")[:5] for word in re.findall(r"[^\W\d_]{3,}", text.casefold()) if word not in _COMMON]


_COMMON_WORDS = (
    "the and for with that this are was has have had you your our its not but all can will from into out who how why "
    "what when where she him her his they them their than then too very just more most only over about"
)
_COMMON = frozenset(_COMMON_WORDS.split())
_PREPOSITIONS = frozenset(("in", "after", "within", "for", "from", "until", "at", "by", "with", "under", "on"))
