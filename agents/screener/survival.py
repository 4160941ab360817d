"""Facts that must survive to the letter, white space aside."""

from __future__ import annotations

import re
from collections.abc import Iterable

from agents.screener.folding import collapse


def survives(text: str, fact: str) -> bool:
    """Whether `fact` stands in `text` to the letter and not as part of a larger word or number.

    "9 minutes" does not survive in "39 minutes", "1.9 minutes" or "9 minutess"; nor "149" in "149.50".
    """
    fact = collapse(fact)
    if not fact:
        return True
    left = r"(?<!\w)" if fact[0].isalnum() else ""
    right = r"(?!\w)" if fact[-1].isalnum() else ""
    if fact[0].isdigit():
        left += r"(?<!\d[.,:/])(?<![-−+])"
    if fact[-1].isdigit():
        right += r"(?![.,:/]\d)(?!\s?%)"
    return re.search(left + re.escape(fact) + right, collapse(text)) is not None


def all_survive(text: str, facts: Iterable[str]) -> bool:
    """Whether each of the facts survives in `text`."""
    return all(survives(text, fact) for fact in facts)


def survival_reasons(text: str, must_keep: Iterable[str]) -> list[str]:
    """Facts of `must_keep` that got lost or were changed."""
    return [f"lost the fact {collapse(fact)!r}" for fact in must_keep if not survives(text, fact)]
