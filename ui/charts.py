"""The plot of a run, round by round, as HTML and SVG: it grows without loading anything, in the page's colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from optimizer.result import Candidate, Round
from ui.render import render

GRID = (0, 25, 50, 75, 100)
EDGE = 7.0
"""Room beside the first and the last round, in percent of the width."""
SPREAD = 4.5
"""How far the dots of a round reach to either side, in percent of the width: equal scores would hide each other."""


@dataclass(frozen=True)
class Dot:
    """A scored draft: place in percent of the plot's width and height, and its words."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Mark:
    """The best so far after a round, with the ends of its interval."""

    x: float
    y: float
    low: float
    high: float
    round: int


def rounds_chart(rounds: Sequence[Round], candidates: Sequence[Candidate], rounds_wanted: int) -> str:
    """Best expected percentile by round with its interval, every scored draft as a dot, the original as a line."""
    original = next((c for c in candidates if c.round == 0 and c.score is not None), None)
    last = max([rounds_wanted, 1, *(c.round for c in candidates)])

    def place(number: float) -> float:
        return round(EDGE + (100 - 2 * EDGE) * number / last, 2)

    marks = [
        Mark(
            place(r.number),
            r.best_expected,
            _or(r.best_low, r.best_expected),
            _or(r.best_high, r.best_expected),
            r.number,
        )
        for r in rounds
        if r.best_expected is not None and r.number > 0
    ]
    if original is not None and original.score is not None and original.prediction is not None:
        p = original.prediction
        marks.insert(0, Mark(place(0), original.score, _or(p.low, original.score), _or(p.high, original.score), 0))
    band = [(m.x, m.high) for m in marks] + [(m.x, m.low) for m in reversed(marks)]
    return render(
        "chart",
        grid=GRID,
        ticks=[(place(number), number) for number in range(last + 1) if last <= 12 or number % 5 == 0],
        dots=_dots(candidates, place),
        marks=marks,
        band=_points(band) if len(marks) > 1 else "",
        line=_points([(m.x, m.y) for m in marks]),
        original=original.score if original else None,
        said=_said(marks, original),
    )


def _or(value: float | None, instead: float) -> float:
    return instead if value is None else value


def _points(places: Sequence[tuple[float, float]]) -> str:
    """SVG points; its y axis runs downwards."""
    return " ".join(f"{x:.2f},{100 - y:.2f}" for x, y in places)


def _dots(candidates: Sequence[Candidate], place: Callable[[float], float]) -> list[Dot]:
    made = []
    spread = min(SPREAD, (place(1) - place(0)) / 3)
    for number in sorted({c.round for c in candidates if c.round > 0}):
        scored = [c for c in candidates if c.round == number and c.score is not None]
        for i, c in enumerate(scored):
            aside = spread * (2 * i / (len(scored) - 1) - 1) if len(scored) > 1 else 0.0
            made.append(
                Dot(round(place(number) + aside, 2), c.score or 0.0, f"{_cut(c.text)} (percentile {c.score:.0f})")
            )
    return made


def _cut(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 80 else flat[:77] + "..."


def _said(marks: Sequence[Mark], original: Candidate | None) -> str:
    """The plot in words."""
    if not marks:
        return "No draft has been scored yet."
    start = (
        f"The original stands at percentile {original.score:.0f}. " if original and original.score is not None else ""
    )
    steps = ", ".join(f"{m.y:.0f} after round {m.round}" for m in marks if m.round)
    return f"{start}Best so far: {steps}." if steps else start or "No round is over yet."
