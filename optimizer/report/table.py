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
)

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is run as a formula by spreadsheets."""


def candidates_csv(result: OptimizationResult) -> str:
    """All candidates, in the order of their making. Percentiles 0..100; `raw` on the metric's own scale."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for candidate in result.candidates:
        writer.writerow({name: neutral(value) for name, value in _row(candidate, result.best_id).items()})
    return stream.getvalue()


def neutral(value: Any) -> Any:
    """A text that a spreadsheet would run gets a leading apostrophe, behind which it is only text."""
    return f"'{value}" if isinstance(value, str) and value.lstrip(" \n").startswith(FORMULA) else value


def _row(candidate: Candidate, best_id: str | None) -> dict[str, Any]:
    prediction = candidate.prediction
    return {
        "id": candidate.id,
        "round": candidate.round,
        "text": candidate.text,
        "expected": prediction.expected if prediction else None,
        "low": prediction.low if prediction else None,
        "high": prediction.high if prediction else None,
        "raw": prediction.raw if prediction else None,
        "win_over_original": candidate.win_over_original,
        "best": "yes" if candidate.id == best_id else "",
        "rejected": "; ".join(candidate.rejected),
        "writer": candidate.writer,
        "strategy": candidate.strategy,
        "parent": candidate.parent,
        "error": prediction.error if prediction else None,
    }
