"""Invented runs on disk, as the loop leaves them: settings and a result, made over the fakes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from lcbm_model.behavior import PercentileScale
from optimizer.brief import Brief, Budget
from optimizer.loop.folder import RunFolder, RunSettings
from optimizer.result import Candidate, Judgement, OptimizationResult, Round, Status
from tests.fakes import FakeSimulator

SCALE = PercentileScale.fit([i / 1000 for i in range(1, 101)])
"""One hundred past posts with click rates 0.1 % to 10 %."""
DRAFT = "A pan"
TEXTS = ("A pan of copper", "A pan of copper that browns onions", "A pan of copper that browns onions in 9 minutes")


def write_run(
    store: Path,
    run_id: str,
    *,
    name: str = "Kupferhain spring",
    texts: tuple[str, ...] = TEXTS,
    metric: str = "click_rate",
    channel: str = "post",
    status: Status | None = "finished",
    scale: PercentileScale | None = SCALE,
    simulator: FakeSimulator | None = None,
    minutes: int = 0,
    reliable: bool = True,
) -> OptimizationResult | None:
    """A run of one round. `status` None: it was broken off before it had a result."""
    audience = simulator or FakeSimulator(spread=12.0)
    brief = Brief(
        name=name,
        message="Copper browns onions in 9 minutes",
        draft=DRAFT,
        metric=metric,
        channel=channel,
        budget=Budget(rounds=1, candidates=len(texts)),
    )
    started = datetime(2026, 3, 1, 9, tzinfo=UTC) + timedelta(minutes=minutes)
    folder = RunFolder(store, run_id)
    folder.create()
    folder.write_settings(
        RunSettings(run_id=run_id, brief=brief, seed=0, started=started, simulator=None, identity=audience.identity,
                    scale=scale)
    )  # fmt: skip
    if status is None:
        return None
    predictions = audience.predict([brief.content(text) for text in (DRAFT, *texts)], metric)
    made = [Candidate(id="original", text=DRAFT, round=0, writer="human", prediction=predictions[0])]
    made += [
        Candidate(id=f"r1-{i:02d}", text=text, round=1, writer="fake", prediction=prediction, win_over_original=0.7)
        for i, (text, prediction) in enumerate(zip(texts, predictions[1:], strict=True), start=1)
    ]
    best = max(made, key=lambda c: c.score or 0.0)
    judgement = Judgement(
        simulator=FakeSimulator(name="judge").identity,
        original=predictions[0],
        best=best.prediction or predictions[0],
        proxy_gain=20.0,
        judge_gain=12.0,
        win_probability=0.8,
        reliable=reliable,
        verdict="The judge expects a gain of 12 points.",
    )
    result = OptimizationResult(
        run_id=run_id,
        brief=brief,
        status=status,
        stop_reason="round budget reached" if status == "finished" else "stopped on request",
        seed=0,
        simulator=audience.identity,
        candidates=tuple(made),
        rounds=(
            Round(number=1, drafted=len(texts), rejected=0, scored=len(texts), best_id=best.id,
                  best_expected=best.score),
        ),
        judge=judgement if status == "finished" else None,
        best_id=best.id,
        started=started,
    )  # fmt: skip
    folder.result.write_text(result.model_dump_json(), encoding="utf-8")
    return result
