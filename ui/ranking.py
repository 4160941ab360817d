"""Scored lines as a ranked table, under one setting or two, on the page and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from lcbm_model.content import Content
from lcbm_model.metrics import get_metric
from lcbm_model.prediction import Prediction
from ui import words
from ui.lines import Line
from ui.render import render

SHOWN = 50
"""Rows in sight; the rest unfold."""
SHOWN_MEANWHILE = 12
"""Rows while others are still being scored."""


@dataclass(frozen=True)
class Setting:
    """Where lines appear, who reads them, and the kind of post and the title of those that name none."""

    channel: str
    audience: str | None = None
    format: str | None = None
    title: str | None = None

    @property
    def label(self) -> str:
        """'headline', 'headline for young parents', 'post (photo)'."""
        kind = f" ({self.format})" if self.format else ""
        return words.channel(self.channel) + kind + (f" for {self.audience}" if self.audience else "")

    def content(self, line: Line) -> Content:
        """A line as it would appear."""
        return Content(
            text=line.text,
            channel=self.channel,
            title=line.title or self.title,
            format=line.format or self.format,
            audience=self.audience,
        )


@dataclass(frozen=True)
class Scored:
    """All lines under one setting; a prediction is None while it is awaited."""

    setting: Setting
    predictions: Sequence[Prediction | None]
    shares: Sequence[float] | None = None

    @property
    def count(self) -> int:
        return sum(p is not None for p in self.predictions)

    def ranks(self) -> list[int | None]:
        """1 for the highest expected percentile; None for lines without one."""
        known = [(p.expected, i) for i, p in enumerate(self.predictions) if p is not None and p.expected is not None]
        order = {i: rank for rank, (_, i) in enumerate(sorted(known, key=lambda e: (-e[0], e[1])), start=1)}
        return [order.get(i) for i in range(len(self.predictions))]


@dataclass(frozen=True)
class Row:
    """One line: its prediction, rank and chance under the first setting and, where asked for, the second."""

    line: Line
    prediction: Prediction | None
    rank: int | None
    share: float | None
    other: Prediction | None = None
    other_rank: int | None = None
    other_share: float | None = None

    @property
    def change(self) -> float | None:
        """Percentile points from the first to the second setting."""
        ours, theirs = self.prediction, self.other
        if ours is None or theirs is None or ours.expected is None or theirs.expected is None:
            return None
        return theirs.expected - ours.expected


def rows_of(lines: Sequence[Line], first: Scored, second: Scored | None = None) -> list[Row]:
    """Best first under the first setting; then what is awaited or failed, in the order of the lines."""
    nothing: list[None] = [None] * len(lines)
    ranks, others = first.ranks(), second.ranks() if second else nothing
    rows = [
        Row(
            line=line,
            prediction=first.predictions[i],
            rank=ranks[i],
            share=first.shares[i] if first.shares else None,
            other=second.predictions[i] if second else None,
            other_rank=others[i],
            other_share=second.shares[i] if second and second.shares else None,
        )
        for i, line in enumerate(lines)
    ]
    return sorted(rows, key=lambda row: row.rank or len(lines) + 1)


def ranking(lines: Sequence[Line], metric: str, first: Scored, second: Scored | None = None) -> str:
    """The finished table."""
    rows = rows_of(lines, first, second)
    known = get_metric(metric)
    models = [p.simulator for p in first.predictions if p is not None]
    return render(
        "score",
        rows=rows[:SHOWN],
        more=rows[SHOWN:],
        heading=f"{len(lines)} lines, best first" if len(lines) > 1 else "1 line",
        metric_title=known.title,
        metric_unit=known.unit,
        first=first.setting,
        second=second.setting if second else None,
        moved=sum(r.rank != r.other_rank for r in rows) if second else 0,
        elsewhere=second is not None and second.setting.channel != first.setting.channel,
        cautions=words.model_cautions(models[0], metric, list(map(first.setting.content, lines))) if models else [],
    )


def meanwhile(lines: Sequence[Line], metric: str, done: int, wanted: int, first: Scored) -> str:
    """What is known so far, while other lines are still being scored.

    Args:
        done: Predictions that are there, of `wanted`.
    """
    rows = [row for row in rows_of(lines, first) if row.rank is not None]
    return render(
        "scoring", rows=rows[:SHOWN_MEANWHILE], done=done, wanted=wanted, metric_title=get_metric(metric).title
    )


def _rounded(value: float | None, places: int) -> float | None:
    """As exact as anybody can use it: spreadsheets show every digit."""
    return None if value is None else round(value, places)


COLUMNS = ("rank", "text", "title", "channel", "format", "audience", "expected", "low", "high", "does_best", "error")


def ranking_csv(lines: Sequence[Line], settings: Sequence[Scored]) -> str:
    """One line per text and setting; percentiles 0..100, `does_best` 0..1. Safe to open in a spreadsheet."""
    from optimizer.report.table import neutral

    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for scored in settings:
        for row in rows_of(lines, scored):
            p, content = row.prediction, scored.setting.content(row.line)
            cells = (
                row.rank,
                row.line.text,
                content.title,
                content.channel,
                content.format,
                content.audience,
                _rounded(p.expected if p else None, 1),
                _rounded(p.low if p else None, 1),
                _rounded(p.high if p else None, 1),
                _rounded(row.share, 3),
                p.error if p else None,
            )
            writer.writerow([neutral(cell) for cell in cells])
    return stream.getvalue()
