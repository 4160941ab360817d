"""The figures of a text: what it promises to the letter and a rewrite must not leave out."""

from __future__ import annotations

from functools import lru_cache

from agents.screener.facts import Kind, extract_facts
from agents.screener.survival import survives

_ALWAYS: frozenset[Kind] = frozenset(("link", "email", "handle"))
_WITH_DIGITS: frozenset[Kind] = frozenset(("date", "time", "price", "percent", "number", "share", "code"))


@lru_cache(maxsize=256)
def figures(text: str) -> tuple[str, ...]:
    """Numbers, prices, dates, times and links as written, in their order; days, months and feasts by name are dates.

    Numbers in words ("two") and words like "tomorrow" are none: too much of plain speech looks like them.
    """
    found = [
        fact.text
        for fact in extract_facts(text)
        if fact.kind in _ALWAYS
        or (fact.kind in _WITH_DIGITS and any(map(str.isdigit, fact.text)))
        or (fact.kind == "date" and fact.text[:1].isupper())
    ]
    whole = [one for one in dict.fromkeys(found) if not any(one != other and one in other for other in found)]
    return tuple(sorted((one for one in whole if survives(text, one)), key=text.find))


def left_out(text: str, said: str) -> tuple[str, ...]:
    """Figures and names of `said` that `text` does not have in any spelling, as written."""
    there = extract_facts(text)
    kept = set(figures(said))
    missing = [f for f in extract_facts(said) if (f.text in kept or f.kind == "name") and not f.stands_in(there)]
    return tuple(dict.fromkeys(fact.text for fact in sorted(missing, key=lambda fact: said.find(fact.text))))
