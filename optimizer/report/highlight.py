"""A text cut at its parts, so that a page can colour each by what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agents.occlusion import Contribution


NOTEWORTHY = 0.1
"""Percentile points below which a part is left uncoloured."""


@dataclass(frozen=True)
class Piece:
    """A stretch of text.

    Attributes:
        effect: Percentile points that it adds; None for what lies between the parts.
        strength: |effect| beside the largest one, 0..1.
    """

    text: str
    effect: float | None = None
    strength: float = 0.0


def pieces(text: str, why: Sequence[Contribution]) -> list[Piece]:
    """`text` from end to end. Where parts overlap the one of larger effect is shown; the others are in the table.

    Parts that do not stand in the text as they say (another text's, a picture's) or move nothing are left out.
    """
    shown: list[tuple[int, int, float]] = []
    for part in sorted(why, key=lambda c: -abs(c.effect)):
        if part.start is None or part.end is None or text[part.start : part.end] != part.text:
            continue
        if abs(part.effect) < NOTEWORTHY:
            continue
        if all(part.end <= start or end <= part.start for start, end, _ in shown):
            shown.append((part.start, part.end, part.effect))
    largest = max((abs(effect) for _, _, effect in shown), default=0.0)
    found, place = [], 0
    for start, end, effect in sorted(shown):
        if start > place:
            found.append(Piece(text[place:start]))
        found.append(Piece(text[start:end], effect, abs(effect) / largest if largest else 0.0))
        place = end
    if place < len(text):
        found.append(Piece(text[place:]))
    return found
