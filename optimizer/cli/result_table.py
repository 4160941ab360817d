"""A result on a terminal: the ranking, what the gain is worth, who brought it, and what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from optimizer.cli.output import out, plain

if TYPE_CHECKING:
    from optimizer.result import OptimizationResult


def print_result(result: OptimizationResult, files: dict[str, Path], *, resume_with: str) -> None:
    """Everything a person needs before the report.

    Args:
        resume_with: The command that goes on with this run.
    """
    console = out()
    console.print(_ranking(result))
    best = result.best
    console.print(f"Best ({best.id}): {plain(best.text)}" if best else "No draft passed the screen.", soft_wrap=True)
    if best and len(result.slate) > 1:
        others = ", ".join(c.id for c in result.by_ids(result.slate) if c.id != best.id)
        console.print(f"Good and different: {others}", soft_wrap=True)
    if result.front:
        console.print(f"Best trade-offs of all objectives: {', '.join(result.front)}", soft_wrap=True)
    if result.why:
        parts = ", ".join(f"{plain(part.text)!r} {part.effect:+.1f}" for part in result.why[:3])
        console.print(f"What carries it, in percentile points: {parts}", soft_wrap=True)
    console.print(_gains(result))
    if len(result.writers) > 1 or any(line.rejected for line in result.writers):
        console.print(_writers(result))
    console.print(f"Finding: {plain(result.finding)}", soft_wrap=True)
    for warning in result.warnings:
        console.print(f"Note: {plain(warning)}", soft_wrap=True)
    if result.brief.note:
        console.print(f"Note: {plain(result.brief.note)}", soft_wrap=True)
    console.print(f"{result.status}: {plain(result.stop_reason)}", soft_wrap=True)
    if result.status == "waiting_for_approval":
        console.print(f"Go on with: {resume_with} --decision continue|finish", soft_wrap=True)
        console.print("  also: --edit ID=TEXT  --veto ID  --comment [ID=]TEXT", soft_wrap=True)
    console.print(f"Report: {files['report.html']}", soft_wrap=True)


def _ranking(result: OptimizationResult) -> Any:
    from rich.table import Table
    from rich.text import Text

    by = "lower end of the interval" if result.calibrated else "expected percentile"
    caption = f"* best. Ranked by the {by}; expected and interval are predicted percentiles, 0 to 100"
    table = Table("", "id", title=plain(result.brief.name), caption=caption)
    for heading in ("expected", "interval", "vs original"):
        table.add_column(heading, justify="right", no_wrap=True)
    labels = [objective.label for objective in result.brief.objectives]
    for label in labels:
        table.add_column(plain(label), justify="right")
    table.add_column("writer", no_wrap=True)
    table.add_column("text", ratio=1)
    for rank, candidate in enumerate(result.ranked, start=1):
        prediction = candidate.prediction
        assert prediction is not None  # only scored candidates are ranked
        interval = "" if prediction.low is None else f"{prediction.low:.0f} to {prediction.high:.0f}"
        win = "" if candidate.win_over_original is None else f"{candidate.win_over_original:.0%}"
        others = [candidate.predictions.get(label) for label in labels]
        mark = "*" if candidate.id == result.best_id else str(rank)
        table.add_row(
            mark,
            candidate.id,
            f"{candidate.score:.1f}",
            interval,
            win,
            *("" if p is None or p.expected is None else f"{p.expected:.1f}" for p in others),
            plain(candidate.writer),
            Text(plain(candidate.text) + _mark(candidate)),
        )
    return table


def _mark(candidate: Any) -> str:
    if candidate.vetoed:
        return "  [vetoed]"
    if candidate.doubt:
        return "  [in doubt: not chosen]"
    return "  [breaks the brief]" if candidate.rejected else ""


def _gains(result: OptimizationResult) -> Any:
    """Proxy gain and judge gain, side by side."""
    from rich.table import Table

    table = Table("gain over the original", "by", title=None)
    table.add_column("percentile points", justify="right")
    table.add_column("chance to beat it", justify="right")
    best, judge = result.best, result.judge

    def row(name: str, who: str, gain: float | None, win: float | None) -> None:
        table.add_row(name, who, "-" if gain is None else f"{gain:+.1f}", "-" if win is None else f"{win:.0%}")

    row("proxy gain", plain(result.simulator.checkpoint), result.gain, best.win_over_original if best else None)
    if judge is not None:
        row("judge gain", plain(judge.simulator.checkpoint), judge.judge_gain, judge.win_probability)
    else:
        waits = result.status == "waiting_for_approval"
        row("judge gain", "asked at the end" if waits else "nobody", None, None)
    return table


def _writers(result: OptimizationResult) -> Any:
    from rich.table import Table

    table = Table("writer", title="What each writer brought")
    for heading in ("asked", "new drafts", "rejected", "passed over", "scored", "best gain", "share of drafts"):
        table.add_column(heading, justify="right")
    for line in result.writers:
        best = "-" if line.best_gain is None else f"{line.best_gain:+.1f}"
        counts = (line.asked, line.drafts, line.rejected, line.passed_over, line.scored)
        table.add_row(plain(line.writer), *map(str, counts), best, f"{line.share:.0%}")
    return table
