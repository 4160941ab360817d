"""New candidates: the budget's number of drafts, shared among the writers that answer."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field

from langgraph.runtime import Runtime

from agents.writers.base import Draft, Writer, WriterUsage, WritingExample, WritingTask
from lcbm_model.errors import BackendError
from optimizer.loop.budget import affordable
from optimizer.loop.context import LoopContext
from optimizer.loop.ranking import best_first
from optimizer.loop.state import State, candidates_of, dump_candidates, hits_of, usage_of
from optimizer.loop.task import task_of
from optimizer.result import Candidate

EXAMPLES, EARLIER = 6, 3
"""Past winners and earlier texts shown to a writer: more costs prompt tokens and invites copying."""


@dataclass
class _Round:
    """What one round of asking gathers."""

    usage: WriterUsage
    per_writer: dict[str, dict[str, float]]
    drafts: list[Draft] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    down: list[str] = field(default_factory=list)


def draft(state: State, runtime: Runtime[LoopContext]) -> State:
    """Ask every writer for its share. A writer that is down is noted and its share goes to the others."""
    context = runtime.context
    number = state["round"] + 1
    began = context.stopwatch.seconds()
    task = writing_task(state, context, number)
    asked = _Round(usage_of(state), {name: dict(spent) for name, spent in state["per_writer"].items()})
    _ask(context.writers, task, asked, context, attempt=0)
    up = tuple(w for w in context.writers if w.name not in asked.down)
    if asked.down and up:
        _ask(up, task, asked, context, attempt=1)
    candidates = candidates_of(state)
    fresh, repeats = _new_candidates(asked.drafts, candidates, number)
    if repeats:
        asked.notes.append(f"{repeats} repeated draft{'s' if repeats > 1 else ''} dropped")
    return State(
        round=number,
        candidates=dump_candidates(candidates + fresh),
        pending=[c.id for c in fresh],
        usage=asked.usage.model_dump(mode="json"),
        per_writer=asked.per_writer,
        notes=asked.notes,
        failure=f"no writer could be reached: {'; '.join(asked.notes)}" if asked.down and not up else None,
        round_began=began,
        seconds=context.stopwatch.seconds(),
    )


def _ask(writers: tuple[Writer, ...], task: WritingTask, asked: _Round, context: LoopContext, *, attempt: int) -> None:
    """Share the drafts still missing among `writers`, within what the budget pays for."""
    budget = context.brief.budget
    for i, writer in enumerate(writers):
        if budget.seconds is not None and context.stopwatch.seconds() >= budget.seconds:
            asked.notes.append("time budget reached while drafting")
            return
        share = math.ceil((budget.candidates - len(asked.drafts)) / (len(writers) - i))
        before = asked.per_writer.get(writer.name, {})
        n = affordable(share, asked.usage, budget, before)
        if n < share:
            asked.notes.append(f"writer {writer.name}: the budget left pays for {n} of {share} drafts")
        if n == 0:
            continue
        try:
            result = writer.write(task, n, seed=writer_seed(context.seed, task.round, writer, attempt))
        except BackendError as error:
            asked.notes.append(f"writer {writer.name} failed: {error}")
            asked.down.append(writer.name)
            continue
        asked.drafts += result.drafts[:n]
        asked.usage = asked.usage + result.usage
        asked.per_writer[writer.name] = _spent(before, len(result.drafts), result.usage)


def writing_task(state: State, context: LoopContext, number: int) -> WritingTask:
    """All that writers may know in round `number`: the brief, past winners, the best so far, the critique."""
    ranked = best_first(candidates_of(state), context.scorer.calibrated, different=EARLIER)
    return task_of(
        context.brief,
        ranked[0].text if ranked else None,
        examples=tuple(WritingExample(text=h.post.text, percentile=h.percentile) for h in hits_of(state)[:EXAMPLES]),
        best_so_far=tuple(c.text for c in ranked),
        critique=state["critique"],
        round=number,
    )


def writer_seed(seed: int, number: int, writer: Writer, attempt: int = 0) -> int:
    """A seed of its own for each round, writer and attempt (31 bits), the same in every process."""
    key = f"{seed}/{number}/{writer.name}/{attempt}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") >> 1


def _spent(before: dict[str, float], drafts: int, usage: WriterUsage) -> dict[str, float]:
    added = {"drafts": float(drafts), "tokens": float(usage.tokens), "cost": usage.cost}
    return {key: before.get(key, 0.0) + value for key, value in added.items()}


def _new_candidates(drafts: list[Draft], known: list[Candidate], number: int) -> tuple[list[Candidate], int]:
    """Drafts nobody wrote before (case and white space ignored), and how many were repeats."""
    ids = {_key(c.text): c.id for c in known}
    fresh: list[Candidate] = []
    for written in drafts:
        if not (key := _key(written.text)) or key in ids:
            continue
        ids[key] = f"r{number}-{len(fresh) + 1:02d}"
        fresh.append(
            Candidate(
                id=ids[key],
                text=written.text.strip(),
                round=number,
                writer=written.writer,
                strategy=written.strategy,
                parent=ids.get(_key(written.parent), written.parent) if written.parent else None,
            )
        )
    return fresh, len(drafts) - len(fresh)


def _key(text: str) -> str:
    return " ".join(text.split()).casefold()
