"""The driver: takes a prepared run through the graph and tells its events."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from lcbm_model.errors import SettingsError
from optimizer.decision import Decision
from optimizer.events import RunEvent
from optimizer.loop.budget import spent
from optimizer.loop.context import LoopContext
from optimizer.loop.driver import only_driver
from optimizer.loop.folder import RunFolder, RunSettings, open_database
from optimizer.loop.outcome import KINDS, event, final_result, result_so_far
from optimizer.loop.scoring import ScoreCache
from optimizer.loop.state import State, decisions_of, new_state
from optimizer.result import OptimizationResult

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

STEPS = 10_000
"""LangGraph's own limit on steps, far above what the largest budget of rounds takes."""


@dataclass(frozen=True)
class PreparedRun:
    """Everything a drive needs. `make_context` binds the parts to a score cache and the seconds spent before."""

    folder: RunFolder
    settings: RunSettings
    make_context: Callable[[ScoreCache, float], LoopContext]


def drive(
    run: PreparedRun, *, should_stop: Callable[[], bool] | None = None, decision: Decision | None = None
) -> Iterator[RunEvent]:
    """Run to the end, a stop or a wait, from the beginning or the last checkpoint; the last event has the result.

    Args:
        decision: The answer to a run that waits for approval; None: it goes on waiting.

    Raises:
        SettingsError: The decision names what does not exist, the run does not wait for one, or somebody else is
            driving it.
    """
    with only_driver(run.folder):
        last = yield from _drive(run, should_stop, decision)
    yield last  # whoever has it may go on with the run at once


def _drive(
    run: PreparedRun, should_stop: Callable[[], bool] | None, decision: Decision | None
) -> Generator[RunEvent, None, RunEvent]:
    """All events but the last, which is returned."""
    from optimizer.loop.graph import build

    settings = run.settings
    config: RunnableConfig = {"configurable": {"thread_id": settings.run_id}, "recursion_limit": STEPS}
    with closing(open_database(run.folder.checkpoints)) as database, closing(ScoreCache(run.folder.scores)) as cache:
        graph = build(database)
        saved = graph.get_state(config)
        # A run begun by an earlier version lacks what is newer than it.
        state = cast(State, {**new_state(settings.warnings), **saved.values})
        context = run.make_context(cache, state["seconds"])
        _heard(decision, state, waits=bool(saved.interrupts), ended=bool(saved.values) and not saved.next)

        def stopped(reason: str) -> RunEvent:
            result = result_so_far(settings, state, context, "stopped", reason)
            return event(settings, state, "finished", _save(run.folder, result))

        if saved.values and not saved.next:
            return event(settings, state, "finished", _save(run.folder, final_result(settings, state, context)))
        if saved.interrupts and decision is None:
            return event(settings, state, "waiting", _waiting(run.folder, settings, state, context))
        yield event(settings, state, "started")
        entry = _entry(saved, state, decision)
        steps = cast(
            Generator[dict[str, Any], None, None],
            graph.stream(entry, config, context=context, stream_mode="updates", durability="sync", version="v2"),
        )
        with closing(steps):
            for step in steps:
                node, update = next(iter(step["data"].items()))
                if node == "__interrupt__":
                    if state["failure"]:
                        return stopped(state["failure"])
                    return event(settings, state, "waiting", _waiting(run.folder, settings, state, context))
                state = State(**{**state, **(update or {})})  # type: ignore[typeddict-item]
                if node == "finish":
                    break
                if node in KINDS and not state["failure"]:
                    yield event(settings, state, KINDS[node])
                if node == "select":
                    forget_old(database)
                if should_stop is not None and not state["failure"] and should_stop():
                    return stopped("stopped on request")
            for _ in steps:  # lets LangGraph write its last checkpoint
                pass
        result = _save(run.folder, final_result(settings, state, context))
        forget_old(database)
        return event(settings, state, "finished", result)


def still_waiting(folder: RunFolder) -> OptimizationResult | None:
    """What a run that waits for approval has reached, without any of its parts; None where it does not wait."""
    from optimizer.loop.graph import build

    if not (folder.checkpoints.exists() and folder.result.exists()):
        return None
    config: RunnableConfig = {"configurable": {"thread_id": folder.run_id}}
    with closing(open_database(folder.checkpoints)) as database:
        waits = bool(build(database).get_state(config).interrupts)
    result = OptimizationResult.load(folder.result) if waits else None
    return result if result is not None and result.status == "waiting_for_approval" else None


def forget_old(database: sqlite3.Connection, keep: int = 3) -> None:
    """Delete all but the newest checkpoints: a run goes on from its last one only, and states grow with the run."""
    with database:
        newest = "SELECT checkpoint_id FROM checkpoints ORDER BY checkpoint_id DESC LIMIT ?"
        for table in ("checkpoints", "writes"):
            database.execute(f"DELETE FROM {table} WHERE checkpoint_id NOT IN ({newest})", (keep,))


def _heard(decision: Decision | None, state: State, *, waits: bool, ended: bool) -> None:
    """Whether the run can follow the decision; one that it has heard already, before a kill, is fine."""
    if decision is None:
        return
    if waits:
        decision.check({c["id"] for c in state["candidates"]})
        return
    last = decisions_of(state)[-1:]
    nothing_asked = decision.empty and (ended or decision.action == "continue")
    if nothing_asked or (last and last[0].same_as(decision)):
        return
    raise SettingsError(
        "decision",
        "the run does not wait for one",
        value=decision.model_dump(exclude={"round"}, exclude_defaults=True),
        remedy="Resume it without; it asks after the next round where its brief says `approval: true`",
    )


def _waiting(folder: RunFolder, settings: RunSettings, state: State, context: LoopContext) -> OptimizationResult:
    limit = spent(state, settings.brief.budget, state["seconds"])
    soft = f"; {state['stop_reason']}" if state["stop_reason"] else ""
    reason = f"round {state['round']} waits for approval{f'; then the run ends: {limit}' if limit else soft}"
    return _save(folder, result_so_far(settings, state, context, "waiting_for_approval", reason))


def _entry(saved: Any, state: State, decision: Decision | None) -> Any:
    """What LangGraph is called with: a fresh state, a person's decision, or nothing (go on)."""
    from langgraph.types import Command

    if not saved.values and not saved.next:
        return state
    if saved.interrupts and decision is not None:
        # As text: LangGraph would read a mapping as answers to several questions.
        return Command(resume=decision.model_dump_json())
    return None


def _save(folder: RunFolder, result: OptimizationResult) -> OptimizationResult:
    part = folder.result.with_suffix(".part")
    part.write_text(result.model_dump_json(indent=1), encoding="utf-8")
    part.replace(folder.result)
    return result
