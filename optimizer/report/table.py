"""candidates.csv: one line per candidate, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optimizer.result import Candidate, OptimizationResult

COLUMNS = (
    "id",
    "round",
    "text",
    "expected",
    "low",
    "high",
    "raw",
    "win_over_original",
    "best",
    "rejected",
    "writer",
    "strategy",
    "parent",
    "error",
    "adjusted",
    "adjusted_low",
    "meaning",
    "nearest",
    "doubt",
    "vetoed",
    "slate",
    "front",
)

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is run as a formula by spreadsheets."""


def candidates_csv(result: OptimizationResult) -> str:
    """All candidates, in the order of their making. Percentiles 0..100; `raw` on the metric's own scale.

    Each further objective has two columns behind the others: its expected percentile and the lower end.
    """
    labels = [objective.label for objective in result.brief.objectives]
    columns = [*COLUMNS, *(f"{label} {part}" for label in labels for part in ("expected", "low"))]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([neutral(name) for name in columns])
    for candidate in result.candidates:
        row = _row(candidate, result)
        for label in labels:
            other = candidate.predictions.get(label)
            row[f"{label} expected"] = other.expected if other else None
            row[f"{label} low"] = other.low if other else None
        writer.writerow([neutral(row[name]) for name in columns])
    return stream.getvalue()


def neutral(value: Any) -> Any:
    """A text that a spreadsheet would run gets a leading apostrophe, behind which it is only text."""
    return f"'{value}" if isinstance(value, str) and value.lstrip(" \n").startswith(FORMULA) else value


def _row(candidate: Candidate, result: OptimizationResult) -> dict[str, Any]:
    prediction, guard = candidate.prediction, candidate.guard
    return {
        "id": candidate.id,
        "round": candidate.round,
        "text": candidate.text,
        "expected": prediction.expected if prediction else None,
        "low": prediction.low if prediction else None,
        "high": prediction.high if prediction else None,
        "raw": prediction.raw if prediction else None,
        "win_over_original": candidate.win_over_original,
        "best": _yes(candidate.id == result.best_id),
        "rejected": "; ".join(candidate.rejected),
        "writer": candidate.writer,
        "strategy": candidate.strategy,
        "parent": candidate.parent,
        "error": prediction.error if prediction else None,
        "adjusted": candidate.adjusted,
        "adjusted_low": candidate.adjusted_low,
        "meaning": guard.meaning if guard else None,
        "nearest": guard.nearest if guard else None,
        "doubt": candidate.doubt,
        "vetoed": _yes(candidate.vetoed),
        "slate": _yes(candidate.id in result.slate),
        "front": _yes(candidate.id in result.front),
    }


def _yes(holds: bool) -> str:
    return "yes" if holds else ""
