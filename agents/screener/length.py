"""Length in characters, and one line where the channel has one."""

from __future__ import annotations

import unicodedata

ONE_LINE = frozenset({"headline", "caption", "email_subject", "title"})
"""Channels that show a single line."""


def length_reasons(text: str, *, minimum: int, maximum: int, channel: str) -> list[str]:
    """Too short, too long, empty, or broken over lines where only one is shown."""
    if not text.strip():
        return ["is empty"]
    reasons = []
    size = len(unicodedata.normalize("NFC", text))
    if size < minimum:
        reasons.append(f"has {size} characters, at least {minimum} are asked for")
    if size > maximum:
        reasons.append(f"has {size} characters, at most {maximum} are allowed")
    if channel in ONE_LINE and len(text.strip().splitlines()) > 1:
        reasons.append(f"runs over several lines, a {channel.replace('_', ' ')} has one")
    return reasons
