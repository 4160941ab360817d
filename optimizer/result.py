"""What a run returns: frozen, with its lineage, to and from JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.guard.finding import GuardFinding
from agents.library.records import Hit
from agents.occlusion import Contribution
from agents.writers.base import WriterUsage
from lcbm_model.prediction import Prediction, SimulatorIdentity
from optimizer.brief import Brief
from optimizer.decision import Decision

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
    predictions: dict[str, Prediction] = Field(default={}, description="By the label of each further objective.")
    first: Prediction | None = Field(
        default=None, description="An ensemble's first member; drafts of the lower half get no other score."
    )
    adjusted: float | None = Field(
        default=None, ge=0, le=100, description="Expected percentile without what it owes to length and format alone."
    )
    adjusted_low: float | None = Field(
        default=None, ge=0, le=100, description="Low end of the interval without what follows length and format alone."
    )
    guard: GuardFinding | None = Field(default=None, description="None where the screener refused it already.")
    vetoed: bool = Field(default=False, description="A person refused it, or a text nearly the same.")

    @property
    def doubt(self) -> str | None:
        """Why its score must not be trusted, in words; drafts in doubt are scored and never chosen."""
        return self.guard.doubt if self.guard and self.round > 0 else None

    @property
    def eligible(self) -> bool:
        """Whether it may be chosen: scored, not refused by screen, guard or person, and not in doubt."""
        return self.score is not None and not self.rejected and not self.vetoed and self.doubt is None

    def bounds(self, weights: Mapping[str, float] | None = None) -> tuple[float, float] | None:
        """(expected, low) percentiles 0..100 that it is ranked on; None where a score is missing.

        Without what length and format alone explain where that is known; over several objectives the weighted mean,
        in which the brief's own metric weighs 1.

        Args:
            weights: Objective label to weight.
        """
        if self.prediction is None or self.prediction.expected is None:
            return None
        expected = self.prediction.expected if self.adjusted is None else self.adjusted
        known = self.prediction.low if self.adjusted_low is None else self.adjusted_low
        sums, total = [expected, expected if known is None else known], 1.0
        for label, weight in (weights or {}).items():
            other = self.predictions.get(label)
            if weight == 0:
                continue
            if other is None or other.expected is None:
                return None
            sums[0] += weight * other.expected
            sums[1] += weight * (other.expected if other.low is None else other.low)
            total += weight
        return sums[0] / total, sums[1] / total

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
    passed_over: int = Field(default=0, description="Drafts that a first look did not find worth a simulator call.")
    best_id: str | None
    best_expected: float | None = Field(description="Best expected percentile so far, 0..100.")
    best_low: float | None = None
    best_high: float | None = None
    critique: str | None = None
    notes: tuple[str, ...] = Field(default=(), description="What went wrong and was survived: an endpoint down.")
    seconds: float = 0.0
    gained: bool = Field(default=False, description="Whether a draft reliably beat the best so far.")
    asked: dict[str, int] = Field(default={}, description="Drafts asked of each writer.")


class WriterYield(BaseModel):
    """What one writer brought to the run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    writer: str
    asked: int = Field(ge=0, description="Drafts asked for.")
    drafts: int = Field(ge=0, description="New drafts it gave: repeats are not counted.")
    rejected: int = Field(ge=0, description="Of those, refused by the screen or the guard.")
    passed_over: int = Field(default=0, ge=0, description="Of those, not worth a simulator call at first look.")
    scored: int = Field(ge=0)
    best_gain: float | None = Field(description="Most percentile points a draft lay above the best before its round.")
    mean_gain: float = Field(description="Points gained for each draft asked for; no gain and no draft count as 0.")
    share: float = Field(ge=0, le=1, description="Of all drafts asked for.")


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
    slate: tuple[str, ...] = Field(default=(), description="Ids of good and different drafts, the best first.")
    front: tuple[str, ...] = Field(
        default=(), description="Ids that no other draft beats on every objective; empty with a single objective."
    )
    why: tuple[Contribution, ...] = Field(default=(), description="What carries the best draft's score, part by part.")
    writers: tuple[WriterYield, ...] = Field(default=(), description="What each writer brought.")
    decisions: tuple[Decision, ...] = Field(default=(), description="A person's words between rounds, oldest first.")
    utility_worth: float | None = Field(
        default=None, description="Log-odds of winning that a lead of one unit of utility is worth; None without any."
    )

    @property
    def best(self) -> Candidate | None:
        """The best candidate that passed the screen, the original included; None where there is none."""
        return next((c for c in self.candidates if c.id == self.best_id), None)

    @property
    def original(self) -> Candidate | None:
        return next((c for c in self.candidates if c.round == 0), None)

    @property
    def calibrated(self) -> bool:
        """Whether intervals keep a promise, so that drafts were ranked by their lower ends."""
        return self.simulator.tuned and self.simulator.calibration_id is not None

    @property
    def ranked(self) -> tuple[Candidate, ...]:
        """Scored candidates as the loop ranks them: by the lower bound where calibrated, else by the expected one.

        Those that may not be chosen (vetoed, in doubt, an original that breaks the brief) come behind the others. The
        first need not be `best`: a draft takes the best one's place only where it beats it reliably.
        """
        from optimizer.loop.ranking import best_first

        scored = [c for c in self.candidates if c.score is not None]
        ordered = best_first(scored, self.brief, self.calibrated, refused=True)
        return tuple(sorted(ordered, key=lambda c: not c.eligible))

    def by_ids(self, ids: tuple[str, ...]) -> tuple[Candidate, ...]:
        """The candidates of `slate` or `front`, in that order."""
        known = {c.id: c for c in self.candidates}
        return tuple(known[id_] for id_ in ids if id_ in known)

    @property
    def gain(self) -> float | None:
        """Predicted gain over the original, percentile points (the proxy gain); None without an original."""
        if not (self.best and self.original) or self.best.score is None or self.original.score is None:
            return None
        return self.best.score - self.original.score

    @property
    def judge_gain(self) -> float | None:
        """Gain by the held-out judge, percentile points; None where nobody judged."""
        return self.judge.judge_gain if self.judge else None

    @property
    def improved(self) -> bool:
        """Whether the loop chose another text than the original. What that is worth, `finding` says."""
        return self.best is not None and self.original is not None and self.best_id != self.original.id

    @property
    def finding(self) -> str:
        """The result in one sentence for people, no stronger than the evidence."""
        from optimizer.loop.finding import finding

        return finding(self)

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
            "finding": self.finding,
            "proxy_gain": self.gain,
            "judge_gain": self.judge_gain,
            "reliable": self.judge.reliable if self.judge else False,
            "slate": data["slate"],
            "front": data["front"],
            "why": data["why"],
            "writers": data["writers"],
            "decisions": data["decisions"],
            "rounds": data["rounds"],
            "candidates": data["candidates"],
            "simulator": data["simulator"],
            "warnings": data["warnings"],
            "usage": data["usage"],
            "simulator_calls": self.simulator_calls,
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
