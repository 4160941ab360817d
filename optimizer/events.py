"""What a running optimisation tells its audience: one event a step, enough to draw the screen anew."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.library.records import Hit
from optimizer.result import Candidate, OptimizationResult, Round

EventKind = Literal[
    "started", "retrieved", "drafted", "screened", "scored", "critiqued", "round", "judged", "waiting", "finished"
]


class RunEvent(BaseModel):
    """One step of a run. Tuples hold everything known so far, not only what is new."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    kind: EventKind
    round: int = Field(default=0, ge=0)
    message: str = Field(description="One line for people: 'round 2: 8 drafts, 1 rejected'.")
    candidates: tuple[Candidate, ...] = ()
    rounds: tuple[Round, ...] = ()
    hits: tuple[Hit, ...] = ()
    result: OptimizationResult | None = Field(default=None, description="Set on 'finished' and 'waiting'.")
