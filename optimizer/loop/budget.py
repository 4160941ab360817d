"""When a run has to stop: every limit of a brief's budget, checked in one place."""

from __future__ import annotations

from collections.abc import Mapping

from agents.writers.base import WriterUsage
from optimizer.brief import Budget
from optimizer.loop.state import State, usage_of


def stop_reason(state: State, budget: Budget, seconds: float) -> str | None:
    """Why no further round may begin, in words; None where one may.

    Args:
        seconds: Wall time the run has taken so far.
    """
    usage = usage_of(state)
    if state["round"] >= budget.rounds:
        return f"round budget reached ({budget.rounds})"
    if state["simulator_calls"] >= budget.simulator_calls:
        return f"simulator budget reached ({budget.simulator_calls} contents scored)"
    if usage.tokens >= budget.writer_tokens:
        return f"writer token budget reached ({usage.tokens} of {budget.writer_tokens})"
    if money_spent(usage, budget):
        return f"spend cap reached ({usage.cost:.4g} of {budget.money:.4g})"
    if budget.seconds is not None and seconds >= budget.seconds:
        return f"time budget reached ({seconds:.0f} s of {budget.seconds:.0f} s)"
    if state["stale"] >= budget.patience:
        return _idle(state)
    return None


def spent(state: State, budget: Budget, seconds: float) -> str | None:
    """Why no further round may begin even where a person wants one: a limit was reached."""
    return stop_reason(State(**{**state, "stale": 0}), budget, seconds)  # type: ignore[typeddict-item]


def _idle(state: State) -> str:
    """What the rounds without reliable gain had in common."""
    n, last = state["stale"], state["rounds"][-state["stale"] :]
    rounds = f"{n} round{'s' if n > 1 else ''}"
    if not any(row["drafted"] for row in last):
        return f"no reliable gain for {rounds}: the writers had nothing new"
    if all(row.get("passed_over") == row["drafted"] for row in last):
        return f"no reliable gain for {rounds}: no draft promised enough at a first look"
    if all(row["rejected"] == row["drafted"] for row in last):
        return f"no reliable gain for {rounds}: every draft was rejected"
    return f"no reliable gain for {rounds}"


def money_spent(usage: WriterUsage, budget: Budget) -> bool:
    """Whether the spend cap leaves nothing. A cap of zero still allows writers that cost nothing."""
    return budget.money is not None and usage.cost > 0 and usage.cost >= budget.money


def affordable(wanted: int, usage: WriterUsage, budget: Budget, before: Mapping[str, float]) -> int:
    """How many of `wanted` drafts the rest of the budget pays for, by what this writer's drafts cost before.

    Args:
        before: `drafts`, `tokens` and `cost` of this writer so far; empty ahead of its first call.
    """
    if usage.tokens >= budget.writer_tokens or money_spent(usage, budget):
        return 0
    n, drafts = wanted, max(before.get("drafts", 0.0), 1.0)
    if tokens := before.get("tokens", 0.0) / drafts:
        n = min(n, int((budget.writer_tokens - usage.tokens) / tokens))
    if budget.money is not None and (cost := before.get("cost", 0.0) / drafts):
        n = int(min(n, (budget.money - usage.cost) / cost))
    return max(n, 0)
