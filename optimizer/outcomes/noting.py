"""From what a person knows ("this one got 3.4 % of 12,000") to an outcome with its prediction and its place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from datetime import date as Date
from pathlib import Path

from lcbm_model.behavior import PercentileScale
from lcbm_model.errors import InputError, SettingsError
from lcbm_model.metrics import Metric, get_metric
from lcbm_model.prediction import Prediction
from optimizer.campaigns import find_candidate, read_run
from optimizer.outcomes.record import Outcome, checked, outcome_of, ranked, rate_of

_ROUNDING, _ROUNDED_RATE = 0.01, 0.00051
"""By how much a value may differ from what its own counts make: of it, and for rates half a tenth of a percent, since
platforms round them so."""


def note_candidate(
    run_id: str,
    candidate_id: str | None = None,
    *,
    value: float | None = None,
    count: float | None = None,
    exposure: float | None = None,
    published: Date | None = None,
    noted_by: str | None = None,
    store: str | Path | None = None,
    scale: PercentileScale | None = None,
) -> Outcome:
    """What a run's candidate reached. Nothing is kept yet: hand it to `OutcomeStore.add`.

    Args:
        candidate_id: The run's best by default.
        value: On the metric's own scale; or `count` with `exposure` for a rate, `count` alone for a count. Given
            both, they must agree.
        exposure: Impressions, views, sends.
        store: Folder of runs.
        scale: The team's past posts; that of the run by default.

    Raises:
        SettingsError: No such run, or it has no result.
        InputError: No such candidate, figures that the metric cannot take, or a day still to come.
    """
    settings, result = read_run(run_id, store)
    if result is None:
        raise SettingsError("run_id", "has no result yet", value=run_id, remedy="Resume the run first")
    candidate = find_candidate(result, candidate_id) if candidate_id else result.best
    if candidate is None:
        raise InputError("candidate", f"run {run_id} found no best text", remedy="Name the candidate you published")
    brief = settings.brief
    outcome = outcome_of(
        text=candidate.text,
        metric=brief.metric,
        value=measured(brief.metric, value=value, count=count, exposure=exposure),
        exposure=_exposure(exposure),
        channel=brief.channel,
        run_id=run_id,
        candidate_id=candidate.id,
        predicted=candidate.prediction,
        published=_past(published),
        noted_by=noted_by,
    )
    return checked(ranked(outcome, scale or settings.scale), where=f"run {run_id}")


def note_text(
    text: str,
    metric: str,
    *,
    value: float | None = None,
    count: float | None = None,
    exposure: float | None = None,
    channel: str = "post",
    published: Date | None = None,
    noted_by: str | None = None,
    predicted: Prediction | None = None,
    scale: PercentileScale | None = None,
) -> Outcome:
    """What a text reached that no run is known for.

    Raises:
        MetricError, InputError: As `note_candidate`.
    """
    if not text.strip():
        raise InputError("text", "is empty", value=text, remedy="Give the words as published")
    outcome = outcome_of(
        text=text.strip(),
        metric=get_metric(metric).name,
        value=measured(metric, value=value, count=count, exposure=exposure),
        exposure=_exposure(exposure),
        channel=channel,
        predicted=predicted,
        published=_past(published),
        noted_by=noted_by,
    )
    return checked(ranked(outcome, scale))


def measured(
    metric: str, *, value: float | None = None, count: float | None = None, exposure: float | None = None
) -> float:
    """The metric's value from what was given.

    Raises:
        InputError: Nothing, or not enough, was given, or a value that its own count contradicts.
    """
    known = get_metric(metric)
    counted = _counted(known, count, exposure)
    if value is None:
        if counted is None:
            why = "votes make no rating" if known.kind == "rating" else "a count without its exposure makes no rate"
            problem = "is missing" if count is None else f"is missing: {why}"
            raise InputError("value", problem, remedy=_ways(known))
        return counted
    if counted is None:
        return value
    rounded = _ROUNDED_RATE if known.kind == "rate" else 0.0
    if abs(value - counted) > max(rounded, _ROUNDING * max(abs(value), abs(counted))):
        told = f"{count:g} / {exposure:g} = {counted:.4g}" if known.kind == "rate" else f"the count is {counted:g}"
        remedy = "Mend the wrong one, or leave one out"
        raise InputError("value", f"differs from what was counted: {told}", value=value, remedy=remedy)
    return counted  # the more exact of the two


def _counted(metric: Metric, count: float | None, exposure: float | None) -> float | None:
    """The value that the counts make; None where they make none."""
    if metric.kind == "rating":  # what is counted are its votes
        return None
    if metric.kind != "rate" or count is None:
        return count
    if exposure is None:
        return None
    return rate_of(count, exposure, where=f"count and exposure{_columns(metric)}")


def _ways(metric: Metric) -> str:
    """How the value can be given; said alike of options and of columns."""
    if metric.kind == "rate":
        return f"Give count and exposure{_columns(metric)}, or the rate as value"
    return f"Give it as value: {metric.unit}"


def _columns(metric: Metric) -> str:
    names = [name for name in (metric.count_column, metric.exposure_column) if name]
    return f" ({', '.join(names)})" if names else ""


def _exposure(exposure: float | None) -> float | None:
    if exposure is None:
        return None
    if not 0 < exposure < float("inf"):
        remedy = "Give how many were reached, or leave it out"
        raise InputError("exposure", "must be above 0", value=exposure, remedy=remedy)
    return exposure


def _past(published: Date | None) -> Date | None:
    # A day's grace, as `parse_dates` gives a file: east of here it may be tomorrow already.
    if published is not None and published > datetime.now(UTC).date() + timedelta(days=1):
        remedy = "Give the day it was published"
        raise InputError("date", "lies in the future", value=published.isoformat(), remedy=remedy)
    return published
