"""Runs on disk as a team sees them: listed by name, opened, set side by side."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from lcbm_model.errors import InputError, SettingsError
from lcbm_model.simulator.calibration import LEAST_WORTH, compare_predictions
from optimizer.loop.folder import RunFolder, RunSettings, store_folder
from optimizer.result import Candidate, OptimizationResult

UNFINISHED = "unfinished"
"""Status of a run that has no result yet: under way, or its process died."""


@dataclass(frozen=True)
class Campaign:
    """One run in a list. Figures are percentile points; None where the run has no result yet."""

    run_id: str
    name: str
    started: datetime
    metric: str
    channel: str
    status: str
    simulator: str
    candidates: int = 0
    best_id: str | None = None
    best_text: str | None = None
    best_expected: float | None = None
    gain: float | None = None
    judge_gain: float | None = None
    reliable: bool | None = None

    @property
    def resumable(self) -> bool:
        """Whether `resume` has anything left to do."""
        return self.status != "finished"


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side.

    Attributes:
        chance: That the first run's best does better than the second's, 0..1; None where they cannot be compared.
        why_not: Why not, in words; empty where `chance` is given.
    """

    first: OptimizationResult
    second: OptimizationResult
    chance: float | None
    why_not: str = ""


def list_campaigns(
    store: str | Path | None = None, *, name: str | None = None, limit: int = 200
) -> tuple[list[Campaign], list[str]]:
    """Runs of a folder, the latest first, and what was wrong with those that cannot be read.

    Args:
        store: Folder of runs (default `LCBM_RUNS`, else ./runs).
        name: Only runs whose name or id holds this, case ignored.
        limit: At most so many.

    Raises:
        SettingsError: The store is a file. One that is not there yet holds no runs.
    """
    folder = store_folder(store)
    if folder.exists() and not folder.is_dir():
        raise SettingsError(str(folder), "is no folder of runs", remedy="Give the folder with --store or LCBM_RUNS")
    found: list[Campaign] = []
    problems: list[str] = []
    for file in folder.glob("*/run.json"):
        try:
            run = RunFolder(folder, file.parent.name)
            found.append(_campaign(run.read_settings(), _result(run)))
        except InputError as error:
            problems.append(str(error))
    wanted = (name or "").strip().casefold()
    chosen = [c for c in found if wanted in c.name.casefold() or wanted in c.run_id.casefold()]
    return sorted(chosen, key=lambda c: c.started, reverse=True)[:limit], problems


def read_run(run_id: str, store: str | Path | None = None) -> tuple[RunSettings, OptimizationResult | None]:
    """A run's settings and, where it has come so far, its result.

    Raises:
        SettingsError: No such run, or a damaged file.
    """
    run = RunFolder(store, run_id)
    return run.read_settings(), _result(run)


def open_run(run_id: str, store: str | Path | None = None) -> OptimizationResult:
    """A run's result.

    Raises:
        SettingsError: No such run, a damaged file, or no result yet.
    """
    _, result = read_run(run_id, store)
    if result is None:
        remedy = f"Go on with it: lcbm campaign resume {run_id}"
        raise SettingsError("run_id", "has no result yet", value=run_id, remedy=remedy)
    return result


def compare_runs(first: OptimizationResult, second: OptimizationResult) -> Comparison:
    """Which of two runs found the better text, where one model predicted both in the same terms.

    The chance is the one that model would state: from the utilities by its own calibration, else from the bins.
    """
    why_not = _incomparable(first, second)
    if why_not:
        return Comparison(first, second, None, why_not)
    pair = [_best(run).prediction for run in (first, second)]
    worth = first.utility_worth
    if worth is None:  # begun before results kept it, or there are no utilities
        pair = [p.model_copy(update={"utility": None}) if p else None for p in pair]
    chances = compare_predictions([p for p in pair if p], temperature=1 / max(worth or 1.0, LEAST_WORTH))
    return Comparison(first, second, chances[0])


def find_candidate(result: OptimizationResult, candidate_id: str) -> Candidate:
    """A candidate of a run by its id.

    Raises:
        InputError: There is none of that id.
    """
    found = next((c for c in result.candidates if c.id == candidate_id), None)
    if found is None:
        some = ", ".join(c.id for c in result.ranked[:8])
        remedy = f"Known: {some}" if some else "The run has no scored candidate"
        raise InputError("candidate", f"run {result.run_id} has none of that id", value=candidate_id, remedy=remedy)
    return found


def _best(run: OptimizationResult) -> Candidate:
    assert run.best is not None
    return run.best


def _incomparable(first: OptimizationResult, second: OptimizationResult) -> str:
    for run in (first, second):
        if run.best is None or run.best.prediction is None or not run.best.prediction.ok:
            return f"run {run.run_id} has no scored best text"
    if first.brief.metric != second.brief.metric:
        return f"they pursue different goals: {first.brief.metric} and {second.brief.metric}"
    if first.brief.channel != second.brief.channel:
        return f"they are for different channels: {first.brief.channel} and {second.brief.channel}"
    if first.simulator != second.simulator:
        return "different models predicted them, whose percentiles need not agree"
    return ""


def _campaign(settings: RunSettings, result: OptimizationResult | None) -> Campaign:
    brief = settings.brief
    told = Campaign(
        run_id=settings.run_id,
        name=brief.name,
        started=settings.started,
        metric=brief.metric,
        channel=brief.channel,
        status=UNFINISHED,
        simulator=settings.identity.label,
    )
    if result is None:
        return told
    best, judge = result.best, result.judge
    return Campaign(
        **{
            **told.__dict__,
            "status": result.status,
            "candidates": len(result.candidates),
            "best_id": result.best_id,
            "best_text": best.text if best else None,
            "best_expected": best.score if best else None,
            "gain": result.gain,
            "judge_gain": judge.judge_gain if judge else None,
            "reliable": judge.reliable if judge else None,
        }
    )


def _result(run: RunFolder) -> OptimizationResult | None:
    try:
        return OptimizationResult.load(run.result)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        problem = f"cannot be read: {str(error).splitlines()[0]}"
        raise SettingsError(str(run.result), problem, remedy="Resume the run: it is written anew") from error
