"""The metrics receivers' behaviour is measured in. A new one is one entry in `BUILTIN`."""

from __future__ import annotations

import difflib
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lcbm_model.errors import MetricError


class Metric(BaseModel):
    """One kind of behaviour: how it is named, asked for and measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(description="For people: 'click rate'.")
    kind: Literal["rate", "count", "rating"]
    unit: str = Field(description="Of the raw value: 'clicks per impression', 'shares', 'mean rating 1..3'.")
    verb: str = Field(description="What the receivers do, after 'they': 'click on it', 'share it'.")
    count_column: str | None = Field(default=None, description="Column of counts, where a rate is made of two columns.")
    exposure_column: str | None = Field(default=None, description="Column of exposures: impressions, views, votes.")
    higher_is_better: bool = True
    signed: bool = Field(default=False, description="Whether values below zero are possible.")
    also_called: tuple[str, ...] = Field(default=(), description="What others call it: errors point from there here.")


BUILTIN: tuple[Metric, ...] = (
    Metric(
        name="click_rate",
        title="click rate",
        kind="rate",
        unit="clicks per impression",
        verb="click on it",
        count_column="clicks",
        exposure_column="impressions",
        also_called=("ctr", "clicks", "click through rate"),
    ),
    Metric(
        name="open_rate",
        title="open rate",
        kind="rate",
        unit="opens per email sent",
        verb="open it",
        count_column="opens",
        exposure_column="sends",
        also_called=("opens",),
    ),
    Metric(
        name="like_rate",
        title="like rate",
        kind="rate",
        unit="likes per view",
        verb="like it",
        count_column="likes",
        exposure_column="views",
    ),
    Metric(
        name="conversion_rate",
        title="conversion rate",
        kind="rate",
        unit="conversions per click",
        verb="buy or sign up after it",
        count_column="conversions",
        exposure_column="clicks",
        also_called=("cvr", "conversions"),
    ),
    Metric(name="likes", title="likes", kind="count", unit="likes", verb="like it", exposure_column="views"),
    Metric(
        name="shares",
        title="shares",
        kind="count",
        unit="shares",
        verb="share it",
        exposure_column="views",
        also_called=("reposts", "retweets"),
    ),
    Metric(
        name="comments",
        title="comments",
        kind="count",
        unit="comments",
        verb="comment on it",
        exposure_column="views",
        also_called=("replies",),
    ),
    Metric(
        name="reactions",
        title="reactions",
        kind="count",
        unit="reactions of any kind",
        verb="react to it",
        exposure_column="views",
    ),
    Metric(
        name="score",
        title="score",
        kind="count",
        unit="up-votes less down-votes",
        verb="vote it up",
        signed=True,
        also_called=("upvotes", "points"),
    ),
    Metric(
        name="views", title="views", kind="count", unit="views", verb="watch it", also_called=("plays", "impressions")
    ),
    Metric(
        name="funniness",
        title="funniness",
        kind="rating",
        unit="mean rating 1..3",
        verb="find it funny",
        exposure_column="votes",
    ),
    Metric(name="valence", title="valence", kind="rating", unit="mean rating 1..7", verb="find it pleasant"),
    Metric(name="arousal", title="arousal", kind="rating", unit="mean rating 1..7", verb="find it exciting"),
    Metric(
        name="memorability",
        title="memorability",
        kind="rating",
        unit="long-term recall 0..99",
        verb="remember it days later",
    ),
    Metric(name="replay", title="replay", kind="rating", unit="percent of the most replayed moment", verb="replay it"),
)

_REGISTRY: dict[str, Metric] = {m.name: m for m in BUILTIN}


def register_metric(metric: Metric) -> Metric:
    """Make a team's own metric known by its name for this process.

    Raises:
        MetricError: Another metric of that name is known and differs.
    """
    known = _REGISTRY.setdefault(metric.name, metric)
    if known != metric:
        raise MetricError("metric", "another definition of that name is registered", value=metric.name)
    return metric


def metric_names() -> list[str]:
    """Names of every known metric."""
    return list(_REGISTRY)


def get_metric(metric: str | Metric, *, where: str = "metric") -> Metric:
    """Look a metric up by name; a `Metric` is handed through.

    Raises:
        MetricError: Nobody defined it; the message names the nearest known ones.
    """
    if isinstance(metric, Metric):
        return metric
    if metric in _REGISTRY:
        return _REGISTRY[metric]
    called = {name: known.name for known in _REGISTRY.values() for name in (known.name, *known.also_called)}
    near = difflib.get_close_matches(metric.casefold().replace("-", " "), called, n=1, cutoff=0.7)
    hint = f"Did you mean {called[near[0]]!r}? " if near else ""
    raise MetricError(where, "unknown metric", value=metric, remedy=f"{hint}Use one of: {', '.join(_REGISTRY)}")
