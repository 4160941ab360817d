"""New candidates: a person's own wordings, and the budget's number of drafts, shared among the writers."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from langgraph.runtime import Runtime

from agents.bandit import shares
from agents.screener.folding import text_key
from agents.writers.base import (
    Draft,
    NothingUsable,
    Writer,
    WriterResult,
    WriterUsage,
    WritingExample,
    WritingTask,
)
from lcbm_model.errors import BackendError, told
from optimizer.decision import HUMAN
from optimizer.loop.budget import affordable
from optimizer.loop.context import LoopContext
from optimizer.loop.human import advice, own_wordings
from optimizer.loop.looks import looks_at
from optimizer.loop.ranking import slate
from optimizer.loop.scoring import ScoreCache
from optimizer.loop.state import State, candidates_of, decisions_of, dump_candidates, hits_of, usage_of
from optimizer.loop.task import task_of
from optimizer.loop.yields import Spent, gains_of
from optimizer.result import Candidate

log = logging.getLogger("lcbm.loop")

EXAMPLES, EARLIER = 6, 3
"""Past winners and earlier texts shown to a writer: more costs prompt tokens and invites copying."""
POOL = 8
"""Drafts taken from a writer by rule for each one asked of it, where a first look can tell the best: both cost next to
nothing, and the most promising of many is better than the first of few."""


@dataclass
class _Round:
    """What one round of asking gathers."""

    usage: WriterUsage
    per_writer: dict[str, Spent]
    drafts: list[Draft] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    down: list[str] = field(default_factory=list)

    def bill(self, name: str, n: int, drafts: int, usage: WriterUsage) -> None:
        """Note what a writer that was asked for `n` drafts handed in, and what that cost."""
        self.asked[name] = self.asked.get(name, 0) + n
        self.usage = self.usage + usage
        before = self.per_writer.get(name, {})
        added = {"drafts": float(drafts), "tokens": float(usage.tokens), "cost": usage.cost}
        self.per_writer[name] = {**before, **{key: before.get(key, 0.0) + value for key, value in added.items()}}


def draft(state: State, runtime: Runtime[LoopContext]) -> State:
    """Ask every writer for its share. A writer that is down is noted and its share goes to the others.

    Where all are down, a person wrote nothing either and there is money left to try again, the round has not begun: of
    it only the bill is kept.
    """
    context = runtime.context
    number = state["round"] + 1
    began = context.stopwatch.seconds()
    asked = _Round(usage_of(state), {name: dict(spent) for name, spent in state["per_writer"].items()})
    edits = own_wordings(decisions_of(state), state["round"])
    if edits:
        asked.asked[HUMAN] = len(edits)
    if not state.get("closing", False):
        _ask_writers(writing_task(state, context, number), asked, context)
    unreached = {writer.name for writer in context.writers} <= set(asked.down)
    if unreached and not edits and affordable(1, asked.usage, context.brief.budget, {}):
        return State(
            usage=asked.usage.model_dump(mode="json"),
            per_writer=asked.per_writer,
            failure=f"no writer could be reached: {'; '.join(asked.notes)}",
            seconds=context.stopwatch.seconds(),
        )
    candidates = candidates_of(state)
    fresh, repeats = _new_candidates([*edits, *asked.drafts], candidates, number)
    if repeats:
        asked.notes.append(f"{repeats} repeated draft{'s' if repeats > 1 else ''} dropped")
    return State(
        round=number,
        candidates=dump_candidates(candidates + fresh),
        pending=[c.id for c in fresh],
        usage=asked.usage.model_dump(mode="json"),
        per_writer=asked.per_writer,
        asked=asked.asked,
        notes=asked.notes,
        failure=None,
        round_began=began,
        seconds=context.stopwatch.seconds(),
    )


def _ask_writers(task: WritingTask, asked: _Round, context: LoopContext) -> None:
    """The bandit's shares first; then what writers that were down left over, from those that are up."""
    wanted = context.brief.budget.candidates
    pool = POOL if looks_at([], context) is not None else 1
    gains = gains_of(asked.per_writer, [writer.name for writer in context.writers])
    seed = derived_seed(context.seed, task.round, "shares")
    _ask(context.writers, shares(wanted, gains, seed=seed), task, asked, context, attempt=0, pool=pool)
    up = tuple(w for w in context.writers if w.name not in asked.down)
    if asked.down and up and len(asked.drafts) < wanted:
        left = {writer.name: gains[writer.name] for writer in up}
        again = shares(wanted - len(asked.drafts), left, seed=seed + 1)
        _ask(up, again, task, asked, context, attempt=1, pool=pool)


def _ask(
    writers: Sequence[Writer],
    share: Mapping[str, int],
    task: WritingTask,
    asked: _Round,
    context: LoopContext,
    *,
    attempt: int,
    pool: int,
) -> None:
    """Ask each writer for its share and for what those before it left open, within what the budget pays for.

    Args:
        pool: How many times that many a writer by rule may hand in.
    """
    budget, open_ = context.brief.budget, 0
    for writer in writers:
        if budget.seconds is not None and context.stopwatch.seconds() >= budget.seconds:
            asked.notes.append("time budget reached while drafting")
            return
        wanted = share[writer.name] + open_
        before = asked.per_writer.get(writer.name, {})
        n = affordable(wanted, asked.usage, budget, before)
        if n < wanted:
            asked.notes.append(f"writer {writer.name}: the budget left pays for {n} of {wanted} drafts")
        open_ = wanted
        if n == 0:
            continue
        most = n * pool if getattr(writer, "by_rule", False) else n
        try:
            seed = derived_seed(context.seed, task.round, writer.name, attempt)
            result = _written(writer, task, most, seed, context.memory)
            drafts, usage = result.drafts, result.usage
        except Exception as error:  # writers are plug-ins: a mistake of one must not cost the run the others
            if not isinstance(error, BackendError):
                log.exception("writer %s failed", writer.name)
            asked.notes.append(f"writer {writer.name} failed: {told(error)}")
            asked.down.append(writer.name)
            if isinstance(error, NothingUsable):
                asked.bill(writer.name, n, 0, error.usage)
            continue
        given = [d.model_copy(update={"writer": writer.name}) for d in drafts[:most]]
        open_ = max(wanted - len(given), 0)
        asked.drafts += given
        asked.bill(writer.name, n, len(drafts), usage)


def _written(writer: Writer, task: WritingTask, n: int, seed: int, memory: ScoreCache | None) -> WriterResult:
    """What the writer hands in, or handed in before a kill: it is paid once, and may never say the same again."""
    if memory is None:
        return _whole(writer.write(task, n, seed=seed))
    asked = json.dumps([writer.name, n, seed, task.model_dump(mode="json")], sort_keys=True)
    key = f"drafts {hashlib.sha256(asked.encode()).hexdigest()}"
    if (kept := memory.get(key)) is not None:
        return WriterResult.model_validate_json(kept)
    result = _whole(writer.write(task, n, seed=seed))
    memory.put(key, result.model_dump_json())
    return result


def _whole(result: WriterResult) -> WriterResult:
    """The result, half characters in it, which no file and no tokenizer takes, as question marks."""
    mended = (d.model_copy(update={"text": d.text.encode("utf-8", "replace").decode("utf-8")}) for d in result.drafts)
    return result.model_copy(update={"drafts": tuple(mended)})


def writing_task(state: State, context: LoopContext, number: int) -> WritingTask:
    """All that writers may know in round `number`: the brief, past winners, the best so far, critique and comments."""
    candidates, brief = candidates_of(state), context.brief
    best = next((c for c in candidates if c.id == state["best_id"]), None)
    good = slate(candidates, best, brief, context.scorer.calibrated, losing=True)[:EARLIER]
    # A person's wording is a parent whatever its score: they want it built upon.
    own = [c for c in candidates if c.round == state["round"] > 0 and c.writer == HUMAN and c.eligible]
    texts = list(dict.fromkeys(c.text for c in [*good[:1], *own, *good[1:]]))
    told = [advice(decisions_of(state), candidates), state["critique"]]
    return task_of(
        brief,
        texts[0] if texts else None,
        examples=tuple(WritingExample(text=h.post.text, percentile=h.percentile) for h in hits_of(state)[:EXAMPLES]),
        best_so_far=tuple(texts),
        critique="\n".join(part for part in told if part) or None,
        round=number,
    )


def derived_seed(seed: int, number: int, name: str, attempt: int = 0) -> int:
    """A seed of its own for each round, writer and attempt (31 bits), the same in every process."""
    key = f"{seed}/{number}/{name}/{attempt}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") >> 1


def _new_candidates(drafts: list[Draft], known: list[Candidate], number: int) -> tuple[list[Candidate], int]:
    """Drafts nobody wrote before, and how many were repeats.

    Case and white space make no new draft of a writer's; of a person's wording they may be all that was to be changed.
    """
    texts, ids = {text_key(c.text): c.id for c in known}, {c.id for c in known}
    exact = {c.text for c in known}
    fresh: list[Candidate] = []
    for written in drafts:
        key, text = text_key(written.text), written.text.strip()
        if not key or (text in exact if written.writer == HUMAN else key in texts):
            continue
        id_ = f"r{number}-{len(fresh) + 1:02d}"
        texts.setdefault(key, id_)
        exact.add(text)
        parent = written.parent
        fresh.append(
            Candidate(
                id=id_,
                text=text,
                round=number,
                writer=written.writer,
                strategy=written.strategy,
                parent=parent if parent in ids or not parent else texts.get(text_key(parent), parent),
            )
        )
    return fresh, len(drafts) - len(fresh)
