"""A draft may state no number, price, date, link or name that the brief does not state."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from agents.screener.english import ordinary
from agents.screener.facts import Fact, extract_facts
from agents.screener.folding import fold

_WORDS = re.compile(r"\w+")
_CAPITALS = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


class KnownFacts:
    """What the brief states: draft, message and setting, read once per run.

    Args:
        sources: Whole statements.
        fragments: Facts to keep and the like. Torn out of their sentence they say no "up to" and no "from": where a
            statement has the same number, the statement counts.
    """

    def __init__(self, sources: Iterable[str], fragments: Sequence[str] = ()) -> None:
        sources = [source for source in sources if source]
        self.facts: list[Fact] = [fact for source in sources for fact in extract_facts(source)]
        stated = [fact.quantity for fact in self.facts if fact.quantity is not None]
        for fact in (fact for fragment in fragments for fact in extract_facts(fragment)):
            told = fact.quantity
            if told is None or not any(told.values & q.values and told.unit in (q.unit, None) for q in stated):
                self.facts.append(fact)
        sources = [*sources, *fragments]
        self._written = {word for source in sources for word in _CAPITALS.findall(source)}
        self._words = {word for source in sources for word in _WORDS.findall(fold(source))}

    def knows(self, fact: Fact) -> bool:
        if fact.kind == "quoted":
            return True  # quotation marks alone state nothing; names and numbers inside are facts of their own
        if fact.kind == "name":
            return self._names_somebody_known(fact.text)
        if fact.kind == "code":
            return fold(fact.text) in self._words
        if fact.kind == "claim" and fact.text.casefold().startswith("free "):
            thing = fold(fact.text.split()[1])
            return fact.stands_in(self.facts) and any(word[:5] == thing[:5] for word in self._words)
        return fact.stands_in(self.facts)

    def _names_somebody_known(self, name: str) -> bool:
        """Whether the brief has the word; with a capital too, where it is also an ordinary word ("Brown")."""
        known = all(word in self._words for word in _WORDS.findall(fold(name)))
        return known and (name in self._written or not ordinary(name) or name.isupper())


def invention_reasons(text: str, known: KnownFacts) -> list[str]:
    """One reason per invented fact."""
    invented = dict.fromkeys((fact.kind, fact.text) for fact in extract_facts(text) if not known.knows(fact))
    return [f"states the {kind} {shown!r}, which stands nowhere in the brief" for kind, shown in invented]
