"""What an evaluation found: frozen, to and from JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lcbm_model.errors import TableError
from lcbm_model.evaluation.bootstrap import Statistic
from lcbm_model.prediction import SimulatorIdentity

Figures = dict[str, int | float | None]
"""Key to figure; None where the rows do not define it."""
Intervals = dict[str, tuple[float, float] | None]

DIGITS = 6
"""Kept in JSON: enough for any table, few enough that a rerun on another machine's rounding gives the same file."""


class ReliabilityBin(BaseModel):
    """Pairs whose favourite was given about the same chance to win."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stated: float = Field(ge=0.5, le=1, description="Mean stated chance of the favourites.")
    observed: float = Field(ge=0, le=1, description="Share of them that won.")
    interval: tuple[float, float] | None = Field(default=None, description="95 % group-wise bootstrap of `observed`.")
    n: int = Field(gt=0, description="Pairs.")


class EvaluationResult(BaseModel):
    """Figures of one model on one suite, the baselines on the same rows, and what is needed to read them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: str
    split: str
    n: int = Field(description="Rows evaluated.")
    groups: int = Field(description="Stories, pages, contests: what the bootstrap resamples.")
    model: str = Field(description="As it was asked for: 'embedded', a path, a name.")
    asked: dict[str, str | int | bool | None] = Field(
        default_factory=dict, description="Settings of the measurement: limit, pictures, seed. To make it again."
    )
    identity: SimulatorIdentity | None = Field(default=None, description="Weights and read-out; None for a baseline.")
    seconds: float = Field(description="Wall time of everything, loading and baselines included.")
    seconds_predicting: float = Field(description="Wall time of the model's own predictions.")
    metrics: Figures
    intervals: Intervals = Field(description="95 % group-wise bootstrap interval of each figure.")
    reliability: tuple[ReliabilityBin, ...] = Field(default=(), description="Behind the calibration error, by chance.")
    baselines: dict[str, Figures] = Field(default_factory=dict, description="Same keys, same rows.")
    baseline_intervals: dict[str, Intervals] = Field(default_factory=dict)
    controls: dict[str, Figures] = Field(default_factory=dict, description="The model on spoilt input.")
    notes: tuple[str, ...] = Field(
        default=(), description="What a reader must know: rows left out, baselines not made."
    )

    def to_json(self) -> str:
        """Indented JSON with a closing newline."""
        return self.model_dump_json(indent=2) + "\n"

    def save(self, path: Path) -> None:
        """Write JSON, making the folder where it is missing.

        Raises:
            OSError: The file cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> EvaluationResult:
        """Read what `save` wrote.

        Raises:
            TableError: The file is missing or holds no result.
        """
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            reason = str(error).splitlines()[0]
            raise TableError(
                str(path), f"is no evaluation result: {reason}", remedy="Make it anew with lcbm evaluate --out"
            ) from error


def reliability_of(bins: Sequence[tuple[float, Statistic, int]]) -> tuple[ReliabilityBin, ...]:
    """(stated, observed, pairs) of each bin, rounded."""
    return tuple(
        ReliabilityBin(stated=round(stated, DIGITS), observed=found, interval=intervals_of({"": won})[""], n=n)
        for stated, won, n in bins
        if (found := figures_of({"": won})[""]) is not None
    )


def figures_of(statistics: Mapping[str, Statistic]) -> Figures:
    """Each statistic's figure, rounded."""
    return {key: _rounded(s.value()) for key, s in statistics.items()}


def intervals_of(statistics: Mapping[str, Statistic]) -> Intervals:
    """Each statistic's 95 % interval, rounded."""
    found: Intervals = {}
    for key, statistic in statistics.items():
        ends = statistic.interval()
        found[key] = None if ends is None else (round(ends[0], DIGITS), round(ends[1], DIGITS))
    return found


def _rounded(value: Any) -> int | float | None:
    return round(value, DIGITS) if isinstance(value, float) else value
