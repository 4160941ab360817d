"""A draft may state no number, price, date, link or name that the brief does not state."""

from __future__ import annotations

import re
from collections.abc import Iterable

from agents.screener.facts import Fact, extract_facts
from agents.screener.folding import fold

_WORDS = re.compile(r"\w+")


class KnownFacts:
    """What the brief states: draft, message, facts to keep, and the setting, read once per run."""

    def __init__(self, sources: Iterable[str]) -> None:
        sources = [source for source in sources if source]
        self.facts: list[Fact] = [fact for source in sources for fact in extract_facts(source)]
        self._words = {word for source in sources for word in _WORDS.findall(fold(source))}

    def knows(self, fact: Fact) -> bool:
        if fact.kind == "quoted":
            return True  # quotation marks alone state nothing; names and numbers inside are facts of their own
        if fact.kind == "name":
            return all(word in self._words for word in _WORDS.findall(fold(fact.text)))
        if fact.kind == "code":
            return fold(fact.text) in self._words
        return fact.stands_in(self.facts)


def invention_reasons(text: str, known: KnownFacts) -> list[str]:
    """One reason per invented fact."""
    invented = dict.fromkeys((fact.kind, fact.text) for fact in extract_facts(text) if not known.knows(fact))
    return [f"states the {kind} {shown!r}, which stands nowhere in the brief" for kind, shown in invented]
