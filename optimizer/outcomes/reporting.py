"""What the outcomes say of the predictions: how far off, how often inside the interval, with counts and ranges."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from lcbm_model.behavior import PercentileScale
from lcbm_model.metrics import get_metric
from optimizer.outcomes.calibration import LEAST, largest_group
from optimizer.outcomes.record import Outcome, ranked

FEW = 10
"""Results below which no figure is given: it would be noise."""
OWN_SCALE = 20
"""Results of one metric and channel that may serve as a scale of their own, where no library is at hand."""
_BAND = 5
"""Least results in a band of the calibration plot."""
_BANDS = 5

ScaleOf = Callable[[str, str], PercentileScale | None]
"""Metric and channel to the scale of the team's own past posts there."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Point(_Frozen):
    """One published text: predicted and observed percentile, each with its range."""

    key: str
    text: str
    metric: str
    channel: str
    run_id: str | None
    candidate_id: str | None
    predicted: float
    low: float | None
    high: float | None
    observed: float
    observed_low: float | None
    observed_high: float | None
    value: float
    held: bool | None = Field(description="Whether the interval holds the result; None without an interval.")


class Share(_Frozen):
    """A share of `n` with Wilson's 95 % interval."""

    share: float
    n: int
    low: float
    high: float


class Coverage(_Frozen):
    """Intervals meant to hold `level` of the results, and the share that they held."""

    level: float
    held: Share


class Band(_Frozen):
    """Results whose predictions lie close together: the mean of both, the observed one with its 95 % interval."""

    n: int
    predicted: float
    observed: float
    low: float
    high: float


class OutcomeReport(_Frozen):
    """Everything the Campaigns tab and `lcbm outcomes report` show. Figures are None below ten results."""

    metric: str | None
    total: int = Field(description="Outcomes noted.")
    n: int = Field(description="Of them, with a prediction and a place on the team's scale.")
    points: tuple[Point, ...]
    coverage: tuple[Coverage, ...] = ()
    bands: tuple[Band, ...] = ()
    bias: float | None = Field(default=None, description="Mean of observed less predicted, percentile points.")
    bias_low: float | None = None
    bias_high: float | None = None
    error: float | None = Field(default=None, description="Mean absolute miss, percentile points.")
    error_of_middle: float | None = Field(default=None, description="The same for always saying 50.")
    rank_correlation: float | None = Field(default=None, description="Spearman, -1..1.")
    correlation_low: float | None = None
    correlation_high: float | None = None
    missing_to_calibrate: int = Field(description="Results still missing for a calibration of the team's own.")
    notes: tuple[str, ...] = ()
    finding: str = Field(description="In one sentence for people.")


def report(outcomes: Sequence[Outcome], *, metric: str | None = None, scale_of: ScaleOf | None = None) -> OutcomeReport:
    """Set predictions beside what happened.

    Args:
        outcomes: From `OutcomeStore.list`.
        metric: Only this one.
        scale_of: A newer scale than that of the time of noting, for instance of the library as it stands today.

    Raises:
        MetricError: Nobody defined `metric`.
    """
    if metric is not None:
        metric = get_metric(metric).name
        outcomes = [o for o in outcomes if o.metric == metric]
    placed, notes = _placed(outcomes, scale_of)
    points = tuple(_point(o) for o in placed if o.comparable)
    # Ranks among themselves show how predictions went; ranges are fitted to places on a scale of past posts.
    largest = largest_group(on_scale(outcomes, scale_of))
    without = sum(o.predicted is None or not o.predicted.ok for o in outcomes)
    if without:
        notes.append(f"{without} results have no prediction beside them: they teach the library, not this report")
    if unplaced := sum(o.percentile is None for o in placed):
        notes.append(f"{unplaced} results have no place on a scale: name a library of past posts in their channel")
    figures = _figures(points)
    return OutcomeReport(
        metric=metric,
        total=len(outcomes),
        n=len(points),
        points=points,
        coverage=_coverage(placed, points),
        bands=_bands(points),
        **figures,
        missing_to_calibrate=max(LEAST - largest, 0),
        notes=tuple(notes),
        finding=_finding(points, figures, _coverage(placed, points)),
    )


def on_scale(outcomes: Sequence[Outcome], scale_of: ScaleOf | None) -> list[Outcome]:
    """Outcomes with their place on a newer scale, where one is given."""
    return [ranked(o, scale_of(o.metric, o.channel)) if scale_of else o for o in outcomes]


def _placed(outcomes: Sequence[Outcome], scale_of: ScaleOf | None) -> tuple[list[Outcome], list[str]]:
    """Outcomes with their place: on the given scale, else that of the time of noting, else among themselves."""
    placed = on_scale(outcomes, scale_of)
    groups = Counter((o.metric, o.channel) for o in placed if o.percentile is None)
    notes = []
    for (metric, channel), n in groups.items():
        own = [o.value for o in placed if (o.metric, o.channel) == (metric, channel)]
        if len(own) < OWN_SCALE:
            continue
        scale = PercentileScale.fit(own, higher_is_better=get_metric(metric).higher_is_better)
        placed = [
            ranked(o, scale) if o.percentile is None and (o.metric, o.channel) == (metric, channel) else o
            for o in placed
        ]
        notes.append(f"{n} results ({metric}, {channel}) are ranked among themselves, for want of a library")
    return placed, notes


def _point(o: Outcome) -> Point:
    p = o.predicted
    assert p is not None
    assert p.expected is not None
    assert o.percentile is not None
    held = None if p.low is None or p.high is None else p.low <= o.percentile <= p.high
    return Point(
        key=o.key,
        text=o.text,
        metric=o.metric,
        channel=o.channel,
        run_id=o.run_id,
        candidate_id=o.candidate_id,
        predicted=p.expected,
        low=p.low,
        high=p.high,
        observed=o.percentile,
        observed_low=o.low,
        observed_high=o.high,
        value=o.value,
        held=held,
    )


def _coverage(placed: Sequence[Outcome], points: Sequence[Point]) -> tuple[Coverage, ...]:
    by_level: dict[float, list[bool]] = {}
    level_of = {o.key: o.predicted.level for o in placed if o.predicted is not None}
    for point in points:
        if point.held is not None:
            by_level.setdefault(level_of[point.key], []).append(point.held)
    return tuple(Coverage(level=level, held=share(held)) for level, held in sorted(by_level.items()))


def share(held: Sequence[bool]) -> Share:
    """How many of them are true, with Wilson's 95 % interval."""
    from scipy.stats import binomtest

    ends = binomtest(sum(held), len(held)).proportion_ci(method="wilson")
    return Share(share=sum(held) / len(held), n=len(held), low=float(ends.low), high=float(ends.high))


def _bands(points: Sequence[Point]) -> tuple[Band, ...]:
    """Up to five bands of equal size along the prediction, each of at least five results."""
    count = min(_BANDS, len(points) // _BAND)
    if len(points) < FEW or count < 1:
        return ()
    ordered = sorted(points, key=lambda p: p.predicted)
    bands = []
    for part in np.array_split(np.arange(len(ordered)), count):
        predicted = [ordered[i].predicted for i in part]
        observed = np.array([ordered[i].observed for i in part])
        mean, low, high = _mean_range(observed)
        bands.append(Band(n=len(part), predicted=float(np.mean(predicted)), observed=mean, low=max(low, 0.0),
                          high=min(high, 100.0)))  # fmt: skip
    return tuple(bands)


def _mean_range(values: np.ndarray) -> tuple[float, float, float]:
    """(n,) values -> mean with Student's 95 % interval."""
    from scipy.stats import t

    mean = float(values.mean())
    if len(values) < 2:
        return mean, mean, mean
    reach = float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))
    return mean, mean - reach, mean + reach


def _figures(points: Sequence[Point]) -> dict[str, float | None]:
    if len(points) < FEW:
        return {}
    from scipy.stats import spearmanr

    predicted, observed = (np.array([getattr(p, name) for p in points]) for name in ("predicted", "observed"))
    bias, low, high = _mean_range(observed - predicted)
    found: dict[str, float | None] = {
        "bias": bias,
        "bias_low": low,
        "bias_high": high,
        "error": float(np.abs(observed - predicted).mean()),
        "error_of_middle": float(np.abs(observed - 50).mean()),
    }
    if np.ptp(predicted) > 0 and np.ptp(observed) > 0:
        rho = float(spearmanr(predicted, observed).statistic)
        # Fisher's z with the wider error of ranks (Bonett and Wright 2000).
        reach = 1.96 * math.sqrt((1 + rho**2 / 2) / (len(points) - 3))
        z = math.atanh(min(max(rho, -0.999999), 0.999999))
        found |= {
            "rank_correlation": rho,
            "correlation_low": math.tanh(z - reach),
            "correlation_high": math.tanh(z + reach),
        }
    return found


def _finding(points: Sequence[Point], figures: dict[str, float | None], coverage: Sequence[Coverage]) -> str:
    n = len(points)
    if n < FEW:
        return f"{n} comparable results are too few to say how good the predictions are; {FEW} are the least."
    parts = []
    if coverage:
        main = max(coverage, key=lambda c: c.held.n)
        held, low, high = (f"{100 * figure:.0f} %" for figure in (main.held.share, main.held.low, main.held.high))
        told = f"{held} of {main.held.n} results (likely {low} to {high})"
        kept = main.held.low <= main.level <= main.held.high
        word = (
            "as promised" if kept else "fewer than promised" if main.held.share < main.level else "more than promised"
        )
        parts.append(f"the {100 * main.level:.0f} % ranges held {told}, {word}")
    bias, bias_low, bias_high = figures["bias"], figures["bias_low"], figures["bias_high"]
    assert bias is not None
    if bias_low is not None and bias_high is not None and bias_low <= 0 <= bias_high:
        parts.append("on average the predictions are neither too high nor too low")
    else:
        way = "above" if bias > 0 else "below"
        parts.append(f"results land {abs(bias):.0f} points {way} the prediction on average")
    rho, rho_low = figures.get("rank_correlation"), figures.get("correlation_low")
    if rho is not None and rho_low is not None:
        word = (
            "what was predicted to do better did better" if rho_low > 0 else "the order is not yet better than chance"
        )
        parts.append(f"{word} (rank correlation {rho:.2f})")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."
