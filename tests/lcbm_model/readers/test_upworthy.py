"""Upworthy: arms of A/B tests, ranked by their lift."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lcbm_model import corpus_rows as rows
from tests.lcbm_model.readers.reading import read, save


def test_upworthy_ranks_lift_over_the_same_picture(tmp_path: Path) -> None:
    reader, records = read("upworthy", save(rows.upworthy(), tmp_path))
    assert len(records) == 24
    assert not reader.problems
    weak, strong = records[0], records[3]
    assert weak.arms == strong.arms == "test0/pic0"
    assert weak.group == "upworthy:100"
    assert (weak.split, records[16].split) == ("train", "test")
    seen = weak.observation("click_rate")
    assert seen is not None
    assert (seen.count, seen.exposure) == (20, 2000)
    assert seen.value == pytest.approx(0.01)
    ranks = [r.observations[0].percentile for r in records[:4]]
    assert ranks == sorted(ranks)
    # A test with six times the clicks but the same lifts stands no higher.
    assert records[20].observations[0].percentile == pytest.approx(ranks[0], abs=20)
    assert weak.content.date is not None
    assert weak.content.date.isoformat() == "2014-08-18"
    assert weak.labels["lede"] == "What the kettle saw & heard"
    assert 0 < weak.weight < 1


def test_upworthy_arms_at_risk_are_no_truth(tmp_path: Path) -> None:
    _, records = read("upworthy", save(rows.upworthy(), tmp_path))
    risky = [r for r in records if r.labels["randomization_imbalance_risk"] == "yes"]
    assert len(risky) == 4
    assert all(r.arms is None and r.observations[0].percentile is None for r in risky)
    assert all(r.observations[0].count is not None for r in risky)
