"""Required and banned words."""

from __future__ import annotations

from collections.abc import Iterable

from agents.screener.folding import contains_evasively, contains_word


def required_reasons(text: str, required: Iterable[str]) -> list[str]:
    """Required words that do not stand in the text as whole words (case aside)."""
    return [f"lacks the required word {word!r}" for word in required if not contains_word(text, word)]


def banned_reasons(text: str, banned: Iterable[str]) -> list[str]:
    """Banned words a reader would see, disguised ones too."""
    return [f"holds the banned word {word!r}" for word in banned if contains_evasively(text, word)]
