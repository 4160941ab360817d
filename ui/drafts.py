"""Views of single drafts: the score of an edited one, the words that carry it, two or three side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from lcbm_model.prediction import Prediction
from optimizer.result import Candidate
from ui import words
from ui.render import render

NOTEWORTHY = 0.5
"""Percentile points below which a word's effect is left unshaded: it is noise."""
STRONGEST = 4
"""Shades of either colour."""
FULL_SHADE = 8.0
"""Percentile points at which the shade is the darkest one."""


@dataclass(frozen=True)
class Piece:
    """A stretch of text with one shade: -STRONGEST .. STRONGEST, 0 unshaded; effect in percentile points."""

    text: str
    shade: int = 0
    effect: float | None = None


@dataclass(frozen=True)
class Change:
    """A stretch of text, and whether another text has it too."""

    text: str
    kind: Literal["same", "new"]


def edited(
    prediction: Prediction, original: float | None, win: float | None, change: float | None, *, broken: Sequence[str]
) -> str:
    """The score of a text that somebody is writing, with what it breaks."""
    return render(
        "edited", prediction=prediction, original=original, win=win, change=change, broken=broken, raised=raised(change)
    )


def raised(change: float | None) -> str:
    """Which way a score moved: up, down or level."""
    if change is None or abs(change) < 0.5:
        return "level"
    return "up" if change > 0 else "down"


def said(prediction: Prediction, change: float | None) -> str:
    """The same in one sentence, for screen readers."""
    if prediction.expected is None:
        return f"Cannot be scored: {prediction.error}"
    moved = {
        "level": "as before",
        "up": f"{words.points(change)} against the draft",
        "down": f"{words.points(change)} against the draft",
    }
    return f"Percentile {prediction.expected:.0f} of 100, {moved[raised(change)]}. {words.interval(prediction)}."


def why(text: str, parts: Sequence[Any]) -> str:
    """The text with its words shaded by what they are worth, and the parts as a list.

    Args:
        parts: `agents.occlusion.Contribution`s.
    """
    listed = sorted((p for p in parts if abs(p.effect) >= NOTEWORTHY), key=lambda p: -abs(p.effect))
    return render("why", pieces=shaded(text, parts), parts=listed[:6], tried=len(parts))


def shaded(text: str, parts: Sequence[Any]) -> list[Piece]:
    """The whole text in stretches. Where parts lie inside each other, the shortest one has the word."""
    owner: list[Any] = [None] * len(text)
    inside = [p for p in parts if p.start is not None and p.end is not None and 0 <= p.start < p.end <= len(text)]
    for part in sorted(inside, key=lambda p: p.start - p.end):
        owner[part.start : part.end] = [part] * (part.end - part.start)
    pieces: list[Piece] = []
    begin = 0
    for i in range(1, len(text) + 1):
        if i == len(text) or owner[i] is not owner[begin]:
            part = owner[begin]
            effect = part.effect if part is not None else None
            pieces.append(Piece(text[begin:i], shade(effect), effect))
            begin = i
    return pieces


def shade(effect: float | None) -> int:
    """Effect in percentile points to one of the shades."""
    if effect is None or abs(effect) < NOTEWORTHY:
        return 0
    strength = min(STRONGEST, 1 + int((STRONGEST - 1) * min(abs(effect) / FULL_SHADE, 1.0)))
    return strength if effect > 0 else -strength


def changes(text: str, others: Sequence[str]) -> list[Change]:
    """`text` word by word; new is what no other one of `others` has in that place."""
    own = text.split(" ")
    common = [False] * len(own)
    for other in others:
        matcher = SequenceMatcher(None, [w.casefold() for w in own], other.casefold().split(" "), autojunk=False)
        for block in matcher.get_matching_blocks():
            common[block.a : block.a + block.size] = [True] * block.size
    made: list[Change] = []
    for i, word in enumerate(own):
        kind: Literal["same", "new"] = "same" if common[i] else "new"
        word = word + (" " if i < len(own) - 1 else "")
        if made and made[-1].kind == kind:
            made[-1] = Change(made[-1].text + word, kind)
        else:
            made.append(Change(word, kind))
    return made


def side_by_side(
    drafts: Sequence[tuple[Candidate, str]],
    predictions: Sequence[Prediction],
    shares: Sequence[float] | None,
    original: float | None,
) -> str:
    """Two or three drafts in columns, with what differs and each one's chance to do best of them."""
    texts = [text for _, text in drafts]
    chances: list[float | None] = [None] * len(drafts) if shares is None else list(shares)
    top = max((c for c in chances if c is not None), default=None)
    columns = [
        {
            "candidate": candidate,
            "edited": text != candidate.text,
            "prediction": prediction,
            "share": share,
            "leads": share is not None and share == top,
            "changes": changes(text, [t for j, t in enumerate(texts) if j != i]),
            "length": len(text),
        }
        for i, ((candidate, text), prediction, share) in enumerate(zip(drafts, predictions, chances, strict=True))
    ]
    return render("compare", columns=columns, original=original)
