"""What each writer brought: the bandit's memory, and the table in the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agents.bandit import Gains
from optimizer.brief import Brief
from optimizer.result import Candidate, WriterYield

Spent = dict[str, float]
"""Of one writer: asked, drafts, passed_over, tokens, cost, gain, squares, best."""


def gains_of(per_writer: Mapping[str, Spent], names: Sequence[str]) -> dict[str, Gains]:
    """The bandit's view of the hired writers, in their order."""
    return {
        name: Gains(int(s.get("asked", 0)), s.get("gain", 0.0), s.get("squares", 0.0))
        for name in names
        for s in [per_writer.get(name, {})]
    }


def after_round(
    per_writer: Mapping[str, Spent],
    fresh: Sequence[Candidate],
    before: Candidate | None,
    asked: Mapping[str, int],
    brief: Brief,
) -> dict[str, Spent]:
    """`per_writer` with the gains of one round, in percentile points over the best before it.

    Without a best before it (the first round of a brief without a draft) gains are over the round's own mean.

    Args:
        fresh: The round's candidates.
        asked: Drafts asked of each writer in the round.
    """
    weights = {objective.label: objective.weight for objective in brief.objectives}
    values = {c.id: bounds[0] for c in fresh if c.eligible and (bounds := c.bounds(weights)) is not None}
    base = before.bounds(weights) if before is not None else None
    floor = base[0] if base is not None else (sum(values.values()) / len(values) if values else 0.0)
    found = {name: dict(spent) for name, spent in per_writer.items()}
    for name, n in asked.items():
        offs = [values[c.id] - floor for c in fresh if c.writer == name and c.id in values]
        spent = found.setdefault(name, {})
        old = Gains(int(spent.get("asked", 0)), spent.get("gain", 0.0), spent.get("squares", 0.0))
        gains = old.add([off for off in offs if off > 0], max(n, len(offs)))
        spent |= {"asked": float(gains.n), "gain": gains.total, "squares": gains.squares}
        if offs:
            spent["best"] = max(offs + ([spent["best"]] if "best" in spent else []))
    return found


def passing_over(per_writer: Mapping[str, Spent], left: Sequence[Candidate]) -> dict[str, Spent]:
    """`per_writer` with the drafts that leave the run because a first look found them not worth a call."""
    found = {name: dict(spent) for name, spent in per_writer.items()}
    for candidate in left:
        spent = found.setdefault(candidate.writer, {})
        spent["passed_over"] = spent.get("passed_over", 0.0) + 1
    return found


def yields(per_writer: Mapping[str, Spent], candidates: Sequence[Candidate]) -> tuple[WriterYield, ...]:
    """One line for each writer, the most gainful first."""
    total = sum(spent.get("asked", 0.0) for spent in per_writer.values())
    lines = []
    for name, spent in per_writer.items():
        mine = [c for c in candidates if c.writer == name and c.round > 0]
        asked, passed_over = spent.get("asked", 0.0), int(spent.get("passed_over", 0.0))
        lines.append(
            WriterYield(
                writer=name,
                asked=int(asked),
                drafts=len(mine) + passed_over,
                rejected=sum(bool(c.rejected) for c in mine),
                passed_over=passed_over,
                scored=sum(c.score is not None for c in mine),
                best_gain=spent.get("best"),
                mean_gain=spent.get("gain", 0.0) / asked if asked else 0.0,
                share=asked / total if total else 0.0,
            )
        )
    return tuple(sorted(lines, key=lambda line: (-line.mean_gain, line.writer)))
