"""What a run returns: frozen, with its lineage, to and from JSON."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.library.records import Hit
from agents.writers.base import WriterUsage
from lcbm_model.prediction import Prediction, SimulatorIdentity
from optimizer.brief import Brief

Status = Literal["finished", "stopped", "waiting_for_approval"]


class Candidate(BaseModel):
    """One draft with all that became of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(description="Stable in a run: 'r1-03'; the draft to beat is 'original'.")
    text: str
    round: int = Field(description="0 for the original, then 1, 2, ...")
    writer: str
    strategy: str = "write"
    parent: str | None = Field(default=None, description="Id or text it was made from.")
    rejected: tuple[str, ...] = Field(default=(), description="Why the screener refused it; empty: it passed.")
    prediction: Prediction | None = Field(default=None, description="None for rejected drafts: no call is spent.")
    win_over_original: float | None = Field(default=None, ge=0, le=1, description="Chance to beat the original.")

    @property
    def score(self) -> float | None:
        """Expected percentile 0..100, or None where it was not scored."""
        return self.prediction.expected if self.prediction and self.prediction.ok else None


class Round(BaseModel):
    """What one round did and reached."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    drafted: int
    rejected: int
    scored: int
    best_id: str | None
    best_expected: float | None = Field(description="Best expected percentile so far, 0..100.")
    best_low: float | None = None
    best_high: float | None = None
    critique: str | None = None
    notes: tuple[str, ...] = Field(default=(), description="What went wrong and was survived: an endpoint down.")
    seconds: float = 0.0


class Judgement(BaseModel):
    """The held-out judge's view: a simulator that the loop never optimised against."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    simulator: SimulatorIdentity
    original: Prediction | None
    best: Prediction
    proxy_gain: float | None = Field(description="Gain in percentile points by the loop's own simulator.")
    judge_gain: float | None = Field(description="Gain in percentile points by the judge.")
    win_probability: float | None = Field(description="Judge's chance that the best beats the original.")
    reliable: bool = Field(description="False: 'no reliable improvement'.")
    verdict: str = Field(description="The finding in one sentence for people.")


class OptimizationResult(BaseModel):
    """Everything about one run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    brief: Brief
    status: Status
    stop_reason: str = Field(description="In words: 'round budget reached', 'no gain for 2 rounds', 'interrupted'.")
    seed: int
    simulator: SimulatorIdentity
    candidates: tuple[Candidate, ...]
    rounds: tuple[Round, ...]
    retrieved: tuple[Hit, ...] = ()
    judge: Judgement | None = Field(default=None, description="None where no independent judge was available.")
    best_id: str | None
    usage: WriterUsage = WriterUsage()
    simulator_calls: int = 0
    seconds: float = 0.0
    started: datetime
    warnings: tuple[str, ...] = Field(default=(), description="Said in the report: 'untuned simulator', ...")

    @property
    def best(self) -> Candidate | None:
        """The best candidate that passed the screen, the original included; None where there is none."""
        return next((c for c in self.candidates if c.id == self.best_id), None)

    @property
    def original(self) -> Candidate | None:
        return next((c for c in self.candidates if c.round == 0), None)

    @property
    def ranked(self) -> tuple[Candidate, ...]:
        """Scored candidates, best first."""
        scored = [c for c in self.candidates if c.score is not None]
        return tuple(sorted(scored, key=lambda c: c.score or 0.0, reverse=True))

    @property
    def gain(self) -> float | None:
        """Predicted gain over the original, percentile points; None without an original."""
        if not (self.best and self.original) or self.best.score is None or self.original.score is None:
            return None
        return self.best.score - self.original.score

    def summary(self) -> dict[str, Any]:
        """The stable JSON of the CLI: `best`, `prediction`, `judge`, `rounds`, `candidates` and the run's identity."""
        data = self.model_dump(mode="json")
        best = self.best.model_dump(mode="json") if self.best else None
        return {
            "run_id": self.run_id,
            "status": self.status,
            "stop_reason": self.stop_reason,
            "best": best,
            "prediction": best["prediction"] if best else None,
            "judge": data["judge"],
            "rounds": data["rounds"],
            "candidates": data["candidates"],
            "simulator": data["simulator"],
            "warnings": data["warnings"],
            "usage": data["usage"],
            "seconds": self.seconds,
        }

    def save(self, path: str | Path) -> Path:
        """Write by file ending: `.json` (whole result), `.csv` (candidates), `.html` (report).

        Raises:
            SettingsError: Another ending, or a folder that cannot be written to.
        """
        from optimizer.report import write

        return write(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> OptimizationResult:
        """Read a saved `.json` result."""
        return cls.model_validate_json(Path(path).read_text(encoding="utf-8"))
