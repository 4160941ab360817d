"""One story through the real loop: its graph, its ranking, its stop rules; only screening is off."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lcbm_model.prediction import Prediction
from lcbm_model.simulator.base import Simulator
from lcbm_model.simulator.ensemble import EnsembleSimulator
from optimizer.brief import Brief, Budget
from optimizer.loop.context import LoopContext
from optimizer.loop.folder import RunFolder, RunSettings
from optimizer.loop.run import PreparedRun, drive
from optimizer.loop.scoring import ScoreCache, Scorer
from optimizer.replay.parts import ArmsWriter, AsRun
from optimizer.replay.stories import Story
from optimizer.result import OptimizationResult

DRAFTS_OF_PATIENCE = Budget().patience * Budget().candidates
"""Drafts without gain after which the loop stops: a default run's rounds of patience, counted in drafts."""

Scores = Mapping[str, Prediction]
"""Text to its prediction, by one simulator."""


@dataclass(frozen=True)
class Replayed:
    """What the loop did with one story."""

    chosen: int | None
    """Position of the arm it picked; None where it picked none."""
    seen: int
    """Arms it had scored when it stopped."""
    stop_reason: str


def choose(
    story: Story,
    simulator: Simulator,
    scores: Mapping[str, Scores],
    *,
    metric: str,
    seed: int,
    per_round: int,
    store: Path,
) -> Replayed:
    """Let the loop choose.

    Args:
        simulator: Plays the audience; an ensemble stays one, so that the loop may treat it as one.
        scores: By checkpoint hash, the predictions of the simulator or of each of an ensemble's members.
        per_round: Arms the loop sees in one round.
        store: Folder for the run, which nobody needs afterwards.
    """
    texts = [arm.content.text.strip() for arm in story.arms]
    order = story.order(seed)
    per_round = max(per_round, math.ceil(len(texts) / 100))  # a run has a hundred rounds at most
    first = story.arms[0].content
    brief = Brief(
        name="replay",
        message="Choose among the texts that were run.",
        metric=metric,
        channel=first.channel,
        max_length=5000,
        budget=Budget(
            rounds=math.ceil(len(texts) / per_round),
            candidates=per_round,
            simulator_calls=len(texts) * len(scores),  # one for each member
            patience=max(1, math.ceil(DRAFTS_OF_PATIENCE / per_round)),
        ),
    )
    writer = ArmsWriter([texts[i] for i in order], per_round)
    result = _drive(brief, _on_stage(simulator, scores), writer, seed, store)
    positions = {text: i for i, text in reversed(list(enumerate(texts)))}
    return Replayed(
        chosen=positions[result.best.text] if result.best is not None else None,
        seen=sum(c.score is not None for c in result.candidates),
        stop_reason=result.stop_reason,
    )


def _on_stage(simulator: Simulator, scores: Mapping[str, Scores]) -> Simulator:
    if isinstance(simulator, EnsembleSimulator):
        return EnsembleSimulator([_on_stage(m, scores) for m in simulator.members], name=simulator.identity.checkpoint)
    return AsRun(simulator, scores[simulator.identity.checkpoint_hash])


def _drive(brief: Brief, simulator: Simulator, writer: ArmsWriter, seed: int, store: Path) -> OptimizationResult:
    folder = RunFolder(store, "replay")
    folder.create()
    settings = RunSettings(
        run_id=folder.run_id,
        brief=brief,
        seed=seed,
        started=datetime.now(UTC),
        simulator=None,
        identity=simulator.identity,
    )

    def make_context(cache: ScoreCache, _: float) -> LoopContext:
        return LoopContext(
            brief=brief,
            seed=seed,
            scorer=Scorer(simulator, brief.metric, cache),
            writers=(writer,),
            screen=lambda _: (),
        )

    result: OptimizationResult | None = None
    for event in drive(PreparedRun(folder=folder, settings=settings, make_context=make_context)):
        result = event.result or result
    assert result is not None, "a drive always ends with a result"
    return result
