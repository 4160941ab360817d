"""A small whole house for the app's tests: the real contracts over `tests/fakes.py`, at a pace a browser can see."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agents.library.records import Hit, Post, RejectedRow
from agents.writers.base import WritingTask
from lcbm_model.behavior import PercentileScale
from lcbm_model.errors import TableError
from lcbm_model.prediction import win_probabilities
from optimizer.brief import Brief
from optimizer.events import RunEvent
from optimizer.result import Candidate, Judgement, OptimizationResult, Round
from tests.fakes import FakeSimulator, FakeWriter
from ui.floors import Floors


class WordLibrary:
    """Posts of a CSV with `text`, `clicks`, `impressions`; similarity is the share of common words."""

    def __init__(self, path: Path, metric: str = "click_rate") -> None:
        with path.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if not rows or "text" not in rows[0]:
            raise TableError(path.name, "has no column `text`", remedy="Name the column with your texts: text")
        self.rejected: list[RejectedRow] = []
        self.posts: list[Post] = []
        rates = {}
        for number, row in enumerate(rows, start=1):
            try:
                rates[number] = float(row["clicks"]) / float(row["impressions"])
            except ValueError:
                self.rejected.append(
                    RejectedRow(row=number, column="clicks", value=row["clicks"], problem="is not a number")
                )
        scale = PercentileScale.fit(rates.values())
        for number, rate in rates.items():
            row = rows[number - 1]
            self.posts.append(
                Post(
                    id=str(number),
                    text=row["text"],
                    channel=row.get("channel") or "post",
                    values={metric: rate},
                    percentiles={metric: scale.to_percentile(rate)},
                )
            )

    def search(
        self, query: str, k: int, *, metric: str, min_percentile: float | None = None, channel: str | None = None
    ) -> list[Hit]:
        wanted = set(query.casefold().split())
        hits = []
        for post in self.posts:
            own = set(post.text.casefold().split())
            percentile = post.percentiles[metric]
            if percentile < (min_percentile or 0):
                continue
            likeness = len(wanted & own) / max(len(wanted | own), 1)
            hits.append(
                Hit(post=post, similarity=likeness, metric=metric, value=post.values[metric], percentile=percentile)
            )
        return sorted(hits, key=lambda h: h.similarity, reverse=True)[:k]


def stream(
    brief: Brief,
    *,
    library: WordLibrary | None,
    simulator: FakeSimulator,
    judge: FakeSimulator | None,
    writers: Sequence[FakeWriter],
    seed: int,
    store: Path,
    run_id: str,
    should_stop: Callable[[], bool],
    pace: float = 0.0,
) -> Iterator[RunEvent]:
    """Retrieve, then rounds of write, screen and score: a toy of the loop that speaks its whole language."""
    candidates: list[Candidate] = []
    rounds: list[Round] = []
    began, stopped = datetime.now(UTC), False
    hits = tuple(library.search(brief.message, 4, metric=brief.metric)) if library else ()

    def event(kind: Any, number: int, message: str, result: OptimizationResult | None = None) -> RunEvent:
        time.sleep(pace)
        return RunEvent(
            run_id=run_id,
            kind=kind,
            round=number,
            message=message,
            candidates=tuple(candidates),
            rounds=tuple(rounds),
            hits=hits,
            result=result,
        )

    def best() -> Candidate | None:
        return max((c for c in candidates if c.score is not None), key=lambda c: c.score or 0, default=None)

    yield event("started", 0, f"run {run_id} begins")
    yield event("retrieved", 0, f"{len(hits)} past posts retrieved")
    first = simulator.predict([brief.content()], brief.metric)[0] if brief.draft else None
    if brief.draft:
        candidates.append(Candidate(id="original", text=brief.draft, round=0, writer="human", prediction=first))
        yield event("scored", 0, "the original: 1 scored")
    for number in range(1, brief.budget.rounds + 1):
        task = WritingTask(content=brief.content(), metric=brief.metric, message=brief.message, round=number)
        texts = [d.text for d in writers[0].write(task, brief.budget.candidates, seed=seed).drafts]
        yield event("drafted", number, f"round {number}: {len(texts)} new drafts")
        made = []
        for index, text in enumerate(texts):
            banned = [w for w in brief.banned_words if w.casefold() in text.casefold()]
            why = tuple(f"uses the word {w!r}, which the brief rules out" for w in banned)
            prediction = None if why else simulator.predict([brief.content(text)], brief.metric)[0]
            ok = prediction is not None and prediction.ok
            win = win_probabilities([prediction.bins, first.bins])[0] if ok and prediction and first else None
            made.append(
                Candidate(
                    id=f"r{number}-{index:02d}",
                    text=text,
                    round=number,
                    writer=writers[0].name,
                    rejected=why,
                    prediction=prediction,
                    win_over_original=win,
                )
            )
        candidates += made
        yield event("scored", number, f"round {number}: {len(made)} scored")
        top = best()
        rounds.append(
            Round(
                number=number,
                drafted=len(made),
                rejected=sum(bool(c.rejected) for c in made),
                scored=sum(c.score is not None for c in made),
                best_id=top.id if top else None,
                best_expected=top.score if top else None,
                best_low=top.prediction.low if top and top.prediction else None,
                best_high=top.prediction.high if top and top.prediction else None,
            )
        )
        yield event("round", number, f"round {number} done")
        if should_stop():
            stopped = True
            break
    top = best()
    judgement = None
    if judge and top:
        theirs = judge.predict([brief.content(top.text)], brief.metric)[0]
        judgement = Judgement(
            simulator=judge.identity,
            original=first,
            best=theirs,
            proxy_gain=(top.score or 0) - ((first.expected if first else None) or 0),
            judge_gain=12.0,
            win_probability=0.81,
            reliable=True,
            verdict="The judge expects a gain of 12 points; 81 % chance that it beats the original.",
        )
    result = OptimizationResult(
        run_id=run_id,
        brief=brief,
        status="stopped" if stopped else "finished",
        stop_reason="stopped on request" if stopped else "round budget reached",
        seed=seed,
        simulator=simulator.identity,
        candidates=tuple(candidates),
        rounds=tuple(rounds),
        retrieved=hits,
        judge=judgement,
        best_id=top.id if top else None,
        simulator_calls=simulator.calls,
        started=began,
        warnings=() if simulator.identity.tuned else ("untuned simulator",),
    )
    yield event("finished", len(rounds), result.stop_reason, result)


def report(result: OptimizationResult, path: Path) -> Path:
    """Each format in its plainest form."""
    texts = {
        ".json": result.model_dump_json(),
        ".csv": "id,text\n" + "\n".join(f"{c.id},{json.dumps(c.text)}" for c in result.candidates),
        ".html": "<!doctype html><title>report</title>",
    }
    path.write_text(texts[path.suffix], encoding="utf-8")
    return path


def fake_floors(
    *, pace: float = 0.0, tuned: bool = True, judge: bool = True, texts: Sequence[str] | None = None, load: float = 0.0
) -> Floors:
    """The house over fakes. `pace` seconds pass before every event, `load` before the model is there."""

    def load_simulator() -> FakeSimulator:
        time.sleep(load)
        return FakeSimulator(tuned=tuned, spread=11.0)

    return Floors(
        load_simulator=load_simulator,
        load_judge=lambda: FakeSimulator(name="judge") if judge else None,
        load_writers=lambda _: [FakeWriter(texts=texts)],
        load_library=lambda path, metric: WordLibrary(path, metric),
        stream=lambda brief, **parts: stream(brief, pace=pace, **parts),
        report=report,
    )
