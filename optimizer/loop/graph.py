"""The order of the steps, as LangGraph sees it.

    retrieve -> screen -> simulate -> critique -> select --(stop)--> judge -> finish
                  ^                                 |                      ^
                  |                                 +--(approval wanted)--> approve --(go on, or own wordings)--> draft
                  +----------- draft <--------------+

The brief's own draft takes the same road as every other: it is round 0. Where all writers or the simulator are down,
`draft` or `simulate` leads to its own `retry`; the run stops in front of that, and goes on from there.
"""

from __future__ import annotations

import os
import sqlite3
from functools import partial
from typing import Any

# Checkpoints are read back as plain values only; set before LangGraph reads it.
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from optimizer.loop.context import LoopContext
from optimizer.loop.human import own_wordings
from optimizer.loop.nodes.approve import approve
from optimizer.loop.nodes.critique import critique
from optimizer.loop.nodes.draft import draft
from optimizer.loop.nodes.finish import finish
from optimizer.loop.nodes.judge import judge
from optimizer.loop.nodes.retrieve import retrieve
from optimizer.loop.nodes.retry import retry
from optimizer.loop.nodes.screen import screen
from optimizer.loop.nodes.select import select
from optimizer.loop.nodes.simulate import simulate
from optimizer.loop.state import State, decisions_of


def build(connection: sqlite3.Connection) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The compiled loop, checkpointing into an open SQLite database."""
    graph = StateGraph(State, context_schema=LoopContext)
    for node in (retrieve, draft, screen, simulate, critique, select, approve, judge, finish):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "retrieve")
    graph.add_edge("retrieve", "screen")
    graph.add_edge("screen", "simulate")
    for node_name, next_name in (("draft", "screen"), ("simulate", "critique")):
        again = f"retry_{node_name}"
        graph.add_node(again, retry)
        graph.add_edge(again, node_name)
        graph.add_conditional_edges(node_name, partial(unless_failed, again, next_name), [again, next_name])
    graph.add_edge("critique", "select")
    graph.add_conditional_edges("select", after_select, ["draft", "approve", "judge"])
    graph.add_conditional_edges("approve", after_approve, ["draft", "judge"])
    graph.add_edge("judge", "finish")
    graph.add_edge("finish", END)
    # None: no type beyond the built-in safe ones is ever revived from a checkpoint.
    saver = SqliteSaver(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
    return graph.compile(checkpointer=saver, interrupt_before=["retry_draft", "retry_simulate"])


def unless_failed(again: str, next_name: str, state: State) -> str:
    """The next step, or the wait for a better day."""
    return again if state["failure"] else next_name


def after_select(state: State, runtime: Runtime[LoopContext]) -> str:
    """Another round, a person's word first, or the end. The last round too is shown to a person."""
    if state.get("closing", False):
        return "judge"
    if runtime.context.brief.approval and state["round"] > 0:
        return "approve"
    return "judge" if state["stop_reason"] else "draft"


def after_approve(state: State) -> str:
    """Another round; at the end only where the person's own wordings have yet to be scored."""
    if not state.get("closing", False):
        return "draft"
    return "draft" if own_wordings(decisions_of(state), state["round"]) else "judge"
