"""What a text visibly does: asks, counts, addresses the reader. The critic counts these, the edit writer makes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from agents.screener.folding import collapse
from agents.screener.survival import survives


@dataclass(frozen=True)
class Trait:
    """`holds` tells whether a text has it; the words complete "the 3 drafts that ..." and "To try: ..."."""

    name: str
    holds: Callable[[str], bool]
    have: str
    do: str
    avoid: str
    thing: str | None = None  # what brand rules that forbid it call it (agents.screener.rules.THINGS)


def _matches(pattern: str, flags: int = re.IGNORECASE) -> Callable[[str], bool]:
    compiled = re.compile(pattern, flags)
    return lambda text: compiled.search(text) is not None


TRAITS: tuple[Trait, ...] = (
    Trait("question", _matches(r"[?？]"), "ask a question", "ask a question", "state instead of asking",
          "question"),
    Trait("number", _matches(r"\d"), "hold a number", "give a number", "leave numbers out where they need not stay",
          "number"),
    Trait(
        "number-first",
        _matches(r"^\W*(?:in\s|after\s|for\s|only\s)?\d"),
        "begin with a number",
        "begin with the number",
        "do not begin with the number",
        "number",
    ),
    Trait("you", _matches(r"\b(?:you|your|yours|you're)\b"), "say 'you'", "address the reader", "leave 'you' out"),
    Trait("we", _matches(r"\b(?:we|our|us|we're)\b"), "say 'we' or 'our'", "speak as 'we'", "leave 'we' and 'our' out"),
    Trait("how-why", _matches(r"^\W*(?:how|why|what)\b"), "begin with how, why or what", "begin with how, why or what",
          "do not begin with how, why or what"),
    Trait("colon", _matches(r":\s"), "use a colon", "set two parts off by a colon", "avoid the colon", "colon"),
    Trait("comma", _matches(r",\s"), "hold a comma", "use two clauses", "use one clause without a comma"),
    Trait("sentences", _matches(r"[.!?]\s+\S"), "run over several sentences", "use two short sentences",
          "use a single sentence"),
    Trait("exclamation", _matches(r"[!！]"), "hold an exclamation mark", "end on an exclamation mark",
          "leave exclamation marks out", "exclamation mark"),
    Trait("quotation", _matches(r"[\"“”«»]"), "quote somebody", "let somebody speak", "leave quotation marks out",
          "quotation mark"),
    Trait("negation", _matches(r"\b(?:not|no|never|nothing|without|don't|doesn't|isn't|can't|won't)\b"),
          "say what is not", "say what it is not", "say what is, not what is not"),
)  # fmt: skip


def starts_with(fact: str) -> Trait:
    """Whether a fact begins in the first third of a text (or its first 12 characters)."""

    def holds(text: str) -> bool:
        return survives(text, fact) and collapse(text).find(collapse(fact)) < max(len(text) / 3, 12)

    return Trait(f"early:{fact}", holds, f"have {fact!r} early", f"put {fact!r} first", f"put {fact!r} later")
