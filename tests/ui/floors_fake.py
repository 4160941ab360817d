"""A small whole house for the app's tests: the real contracts over `tests/fakes.py`, at a pace a browser can see."""

from __future__ import annotations

import csv
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agents.library.records import Hit, Post, RejectedRow
from agents.writers.base import WritingTask
from lcbm_model.behavior import PercentileScale
from lcbm_model.content import Content
from lcbm_model.errors import TableError
from lcbm_model.prediction import win_probabilities
from lcbm_model.simulator.base import Simulator
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
        scale = self._scale = PercentileScale.fit(rates.values())
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

    def scale(self, metric: str | None = None, channel: str | None = None) -> PercentileScale:
        return self._scale

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


@dataclass
class ToyRun:
    """A run of the toy loop between two calls: what a checkpoint holds in the real one."""

    brief: Brief
    candidates: list[Candidate] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)
    hits: tuple[Hit, ...] = ()
    decisions: list[Mapping[str, Any]] = field(default_factory=list)
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def vetoed(self) -> set[str]:
        return {i for d in self.decisions for i in d["vetoed"]}

    def best(self) -> Candidate | None:
        fine = [c for c in self.candidates if c.score is not None and c.id not in self.vetoed]
        return max(fine, key=lambda c: c.score or 0, default=None)


@dataclass
class ToyLoop:
    """Retrieve, then rounds of write, screen and score: a toy of the loop that speaks its whole language."""

    pace: float = 0.0
    runs: dict[str, ToyRun] = field(default_factory=dict)

    def stream(
        self, brief: Brief, *, library: WordLibrary | None, run_id: str, keep_picture: bool, **parts: Any
    ) -> Iterator[RunEvent]:
        run = self.runs[run_id] = ToyRun(brief)
        yield self.event(run_id, "started", f"run {run_id} begins")
        run.hits = tuple(library.search(brief.message, 4, metric=brief.metric)) if library else ()
        yield self.event(run_id, "retrieved", f"{len(run.hits)} past posts retrieved")
        if brief.draft:
            first = parts["simulator"].predict([brief.content()], brief.metric)[0]
            run.candidates.append(Candidate(id="original", text=brief.draft, round=0, writer="human", prediction=first))
            yield self.event(run_id, "scored", "the original: 1 scored")
        yield from self.rounds(run_id, **parts)

    def resume(self, run_id: str, *, decision: Mapping[str, Any], library: Any, **parts: Any) -> Iterator[RunEvent]:
        run = self.runs[run_id]
        run.decisions.append(decision)
        yield self.event(run_id, "started", f"run {run_id} goes on")
        yield from self.rounds(run_id, **parts)

    def rounds(
        self,
        run_id: str,
        *,
        simulator: Simulator,
        judge: Simulator | None,
        writers: Sequence[FakeWriter],
        should_stop: Callable[[], bool],
        seed: int = 0,
        store: Path | None = None,
    ) -> Iterator[RunEvent]:
        run, status = self.runs[run_id], "finished"
        brief = run.brief
        finish = bool(run.decisions) and run.decisions[-1]["action"] == "finish"
        while len(run.rounds) < brief.budget.rounds and not finish:
            number = len(run.rounds) + 1
            task = WritingTask(content=brief.content(), metric=brief.metric, message=brief.message, round=number)
            texts = [
                (d.text, writers[0].name, None)
                for d in writers[0].write(task, brief.budget.candidates, seed=seed).drafts
            ]
            if run.decisions:
                texts = [*((t, "human", i) for i, t in run.decisions[-1]["edits"].items()), *texts]
            yield self.event(run_id, "drafted", f"round {number}: {len(texts)} new drafts")
            made = [
                self.candidate(run, simulator, f"r{number}-{index:02d}", text, number, writer, parent)
                for index, (text, writer, parent) in enumerate(texts)
            ]
            run.candidates += made
            yield self.event(run_id, "scored", f"round {number}: {len(made)} scored")
            run.rounds.append(self.round(run, number, made))
            yield self.event(run_id, "round", f"round {number} done")
            if should_stop():
                status = "stopped"
                break
            if brief.approval and number < brief.budget.rounds:
                result = self.result(run_id, simulator, None, "waiting_for_approval", seed)
                yield self.event(run_id, "waiting", result.stop_reason, result)
                return
        result = self.result(run_id, simulator, judge, status, seed)
        yield self.event(run_id, "finished", result.stop_reason, result)

    def event(self, run_id: str, kind: Any, message: str, result: OptimizationResult | None = None) -> RunEvent:
        time.sleep(self.pace)
        run = self.runs[run_id]
        return RunEvent(
            run_id=run_id,
            kind=kind,
            round=len(run.rounds) + (kind in ("drafted", "scored") and bool(run.rounds or kind == "drafted")),
            message=message,
            candidates=tuple(run.candidates),
            rounds=tuple(run.rounds),
            hits=run.hits,
            result=result,
        )

    def candidate(
        self, run: ToyRun, simulator: Simulator, id_: str, text: str, number: int, writer: str, parent: str | None
    ) -> Candidate:
        why = tuple(check(run.brief, text))
        prediction = None if why else simulator.predict([run.brief.content(text)], run.brief.metric)[0]
        first = next((c.prediction for c in run.candidates if c.round == 0), None)
        win = None
        if prediction is not None and prediction.ok and first is not None:
            win = win_probabilities([prediction.bins, first.bins])[0]
        return Candidate(
            id=id_,
            text=text,
            round=number,
            writer=writer,
            parent=parent,
            rejected=why,
            prediction=prediction,
            win_over_original=win,
        )

    def round(self, run: ToyRun, number: int, made: Sequence[Candidate]) -> Round:
        top = run.best()
        return Round(
            number=number,
            drafted=len(made),
            rejected=sum(bool(c.rejected) for c in made),
            scored=sum(c.score is not None for c in made),
            best_id=top.id if top else None,
            best_expected=top.score if top else None,
            best_low=top.prediction.low if top and top.prediction else None,
            best_high=top.prediction.high if top and top.prediction else None,
        )

    def result(
        self, run_id: str, simulator: Simulator, judge: Simulator | None, status: Any, seed: int
    ) -> OptimizationResult:
        run = self.runs[run_id]
        brief, top = run.brief, run.best()
        first = next((c.prediction for c in run.candidates if c.round == 0), None)
        judgement = None
        if judge and top:
            judgement = Judgement(
                simulator=judge.identity,
                original=first,
                best=judge.predict([brief.content(top.text)], brief.metric)[0],
                proxy_gain=(top.score or 0) - ((first.expected if first else None) or 0),
                judge_gain=12.0,
                win_probability=0.81,
                reliable=True,
                verdict="The judge expects a gain of 12 points; 81 % chance that it beats the original.",
            )
        reasons = {
            "stopped": "stopped on request",
            "waiting_for_approval": f"round {len(run.rounds)} waits for approval",
        }
        return OptimizationResult(
            run_id=run_id,
            brief=brief,
            status=status,
            stop_reason=reasons.get(status, "round budget reached"),
            seed=seed,
            simulator=simulator.identity,
            candidates=tuple(run.candidates),
            rounds=tuple(run.rounds),
            retrieved=run.hits,
            judge=judgement,
            best_id=top.id if top else None,
            simulator_calls=sum(c.prediction is not None for c in run.candidates),
            started=run.began,
            warnings=()
            if simulator.identity.tuned
            else (f"The simulator {simulator.identity.checkpoint} is untuned: it never saw behaviour.",),
        )


def check(brief: Brief, text: str) -> list[str]:
    """Banned words and the length: enough for a refusal to be seen."""
    banned = [w for w in brief.banned_words if w.casefold() in text.casefold()]
    why = [f"uses the word {w!r}, which the brief rules out" for w in banned]
    kept = [f"leaves out {fact!r}, which has to stay" for fact in brief.must_keep if fact not in text]
    return [*why, *kept]


@dataclass(frozen=True)
class ToyContribution:
    """What `agents.occlusion` hands out."""

    kind: str
    text: str
    start: int | None
    end: int | None
    effect: float


def occlude(simulator: Simulator, content: Content, metric: str, context: Any = None) -> list[ToyContribution]:
    """Each word's effect on the score when it is left out."""
    words = [(m.start(), m.end()) for m in re.finditer(r"\S+", content.text)]
    texts = [content.text, *(content.text[:a] + content.text[b:] for a, b in words)]
    whole, *rest = simulator.predict([content.with_text(t) for t in texts], metric, context)
    return [
        ToyContribution("phrase", content.text[a:b], a, b, (whole.expected or 0) - (one.expected or 0))
        for (a, b), one in zip(words, rest, strict=True)
    ]


def report(result: OptimizationResult, path: Path) -> Path:
    """Each format in its plainest form."""
    texts = {
        ".json": result.model_dump_json(),
        ".csv": "id,text\n" + "\n".join(f"{c.id},{json.dumps(c.text)}" for c in result.candidates),
        ".html": "<!doctype html><title>report</title>",
    }
    path.write_text(texts[path.suffix], encoding="utf-8")
    return path


class SlowSimulator(FakeSimulator):
    """Takes `seconds` for every content, as a large model would."""

    def __init__(self, seconds: float, **more: Any) -> None:
        super().__init__(**more)
        self.seconds = seconds

    def _one(self, content: Content, metric: str) -> Any:
        time.sleep(self.seconds)
        return super()._one(content, metric)


def fake_floors(
    *,
    pace: float = 0.0,
    tuned: bool = True,
    judge: bool = True,
    texts: Sequence[str] | None = None,
    load: float = 0.0,
    each: float = 0.0,
) -> Floors:
    """The house over fakes. `pace` seconds pass before every event, `load` before the model is there, `each` in it for
    every content."""
    loop = ToyLoop(pace)

    def load_simulator() -> FakeSimulator:
        time.sleep(load)
        return SlowSimulator(each, tuned=tuned, spread=11.0)

    return Floors(
        load_simulator=load_simulator,
        load_judge=lambda: FakeSimulator(name="judge") if judge else None,
        load_writers=lambda _: [FakeWriter(texts=texts)],
        load_library=lambda path, metric: WordLibrary(path, metric),
        stream=loop.stream,
        report=report,
        resume=loop.resume,
        occlude=occlude,
        check=check,
        scale=lambda library, brief: library.scale(brief.metric, brief.channel),
    )
