"""What a checkpoint holds: plain JSON values only (ids, texts, scores), never a model, an index or a client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from agents.library.records import Hit
from agents.occlusion import Contribution
from agents.writers.base import WriterUsage
from optimizer.decision import Decision
from optimizer.result import Candidate, Judgement, Round

ORIGINAL = "original"
"""Id of the draft to beat."""


class State(TypedDict, total=False):
    """The whole memory of a run. Records are kept as their JSON forms, so any version of msgpack reads them back."""

    round: int  # 0 while the original is scored, then 1, 2, ...
    candidates: list[dict[str, Any]]  # Candidate, in the order of their making
    pending: list[str]  # ids of this round's candidates
    rounds: list[dict[str, Any]]  # Round, finished ones
    hits: list[dict[str, Any]]  # Hit, past posts that did well
    losers: list[dict[str, Any]]  # Hit, past posts that did badly: for the critic alone
    critique: str | None  # asked of the next round's writers
    notes: list[str]  # of the round under way
    warnings: list[str]
    usage: dict[str, Any]  # WriterUsage
    per_writer: dict[str, dict[str, float]]  # name to what it was asked, gave, cost and gained so far
    asked: dict[str, int]  # drafts asked of each writer in the round under way
    passed_over: int  # drafts of the round under way that a first look did not find worth a call
    decisions: list[dict[str, Any]]  # Decision, a person's words so far
    closing: bool  # a person has ended the run: their last wordings are scored, nothing else is written
    simulator_calls: int  # contents scored so far
    best_id: str | None
    anchor: str | None  # id of the best where the last reliable gain ended: the next one is measured from there
    stale: int  # rounds without gain, in a row
    seconds: float  # wall time used so far, over all processes
    round_began: float  # `seconds` when this round began
    failure: str | None  # what the run stopped at: on resuming, the step that failed is taken again
    stop_reason: str | None
    judgement: dict[str, Any] | None
    explained: dict[str, Any]  # id and parts (Contribution) of the draft that was explained last


def new_state(warnings: Sequence[str] = ()) -> State:
    """The state a run begins with."""
    return State(
        round=0,
        candidates=[],
        pending=[],
        rounds=[],
        hits=[],
        losers=[],
        critique=None,
        notes=[],
        warnings=list(warnings),
        usage=WriterUsage().model_dump(mode="json"),
        per_writer={},
        asked={},
        passed_over=0,
        decisions=[],
        closing=False,
        simulator_calls=0,
        best_id=None,
        anchor=None,
        stale=0,
        seconds=0.0,
        round_began=0.0,
        failure=None,
        stop_reason=None,
        judgement=None,
        explained={},
    )


def candidates_of(state: State) -> list[Candidate]:
    """The candidates as records."""
    return [Candidate.model_validate(c) for c in state["candidates"]]


def dump_candidates(candidates: list[Candidate]) -> list[dict[str, Any]]:
    """Records back to the state's form."""
    return [c.model_dump(mode="json") for c in candidates]


def rounds_of(state: State) -> list[Round]:
    """The finished rounds as records."""
    return [Round.model_validate(r) for r in state["rounds"]]


def hits_of(state: State) -> list[Hit]:
    """The retrieved posts that did well, as records."""
    return [Hit.model_validate(h) for h in state["hits"]]


def losers_of(state: State) -> list[Hit]:
    """The retrieved posts that did badly, as records."""
    return [Hit.model_validate(h) for h in state["losers"]]


def usage_of(state: State) -> WriterUsage:
    """What the writers spent so far."""
    return WriterUsage.model_validate(state["usage"])


def judgement_of(state: State) -> Judgement | None:
    """The judge's finding, where there was one."""
    return Judgement.model_validate(state["judgement"]) if state["judgement"] else None


def decisions_of(state: State) -> list[Decision]:
    """A person's words so far, oldest first."""
    return [Decision.model_validate(d) for d in state.get("decisions", [])]


def parts_of(explained: Mapping[str, Any]) -> list[Contribution]:
    """The parts of an explained draft as records."""
    return [Contribution(**part) for part in explained.get("parts", [])]
