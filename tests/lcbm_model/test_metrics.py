"""Metrics by name: those that are known, a team's own, and what an unknown one is answered."""

from __future__ import annotations

import pytest

from lcbm_model.errors import MetricError
from lcbm_model.metrics import Metric, get_metric, metric_names, register_metric


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("clik_rate", "click_rate"), ("CTR", "click_rate"), ("clicks", "click_rate"), ("click-through-rate", "click_rate"),
     ("share", "shares"), ("retweets", "shares"), ("upvotes", "score")],
)  # fmt: skip
def test_an_unknown_metric_is_answered_with_what_may_be_meant(asked: str, meant: str) -> None:
    with pytest.raises(MetricError, match=f"unknown metric .*Did you mean '{meant}'"):
        get_metric(asked)


def test_where_nothing_is_near_all_are_named() -> None:
    with pytest.raises(MetricError, match="Use one of: click_rate") as told:
        get_metric("applause")
    assert "Did you mean" not in str(told.value)


def test_no_metric_is_called_by_another_ones_name() -> None:
    called = [name for metric in map(get_metric, metric_names()) for name in (metric.name, *metric.also_called)]
    assert len(called) == len(set(called))


def test_another_definition_of_a_known_name_is_refused() -> None:
    known = get_metric("shares")
    assert register_metric(known) is known
    with pytest.raises(MetricError, match="another definition"):
        register_metric(Metric(name="shares", title="shares", kind="rate", unit="a view", verb="share it"))
