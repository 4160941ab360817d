"""Comparisons across experiments: only rates of one week, never inside a group, and words are learned from them."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from lcbm_model.training.across import SPREAD, across_pairs, comparable, log_rates, weeks  # noqa: E402
from lcbm_model.training.corpus_rows import prepare_recipe  # noqa: E402
from lcbm_model.training.data import TEXT, UNDATED  # noqa: E402
from lcbm_model.training.prepare import EPOCH  # noqa: E402
from lcbm_model.training.text_tower import fit_text_tower  # noqa: E402
from tests.lcbm_model.tiny_model import write_tiny_model  # noqa: E402
from tests.lcbm_model.training_rows import tiny_recipe, write_upworthy  # noqa: E402

ROW = st.tuples(
    st.integers(0, 6),  # group
    st.sampled_from([UNDATED, 16_000, 16_003, 16_004, 16_100]),
    st.sampled_from([0.0, 50.0, 3000.0]),  # exposure
    st.sampled_from([0.0, 0.01, 0.2]),
    st.sampled_from([TEXT, 0, 1]),
)


def rows_of(found: list[tuple[int, int, float, float, int]]) -> Any:
    group, day, exposure, value, metric = (np.array(column) for column in zip(*found, strict=True))
    return SimpleNamespace(half_hash=group, day=day, exposure=exposure, value=value, metric=metric)


@given(st.integers(0, 40_000))
def test_a_week_begins_on_monday(day: int) -> None:
    rows = rows_of([(0, day, 1.0, 0.1, 0), (0, day + 1, 1.0, 0.1, 0)])
    one, other = weeks(rows, np.arange(2))
    monday = (EPOCH + timedelta(days=day + 1)).weekday() == 0
    assert (one != other) == monday


@given(found=st.lists(ROW, min_size=2, max_size=60), per_row=st.integers(0, 5), seed=st.integers(0, 5))
def test_pairs_are_rates_of_one_week_and_of_two_groups(
    found: list[tuple[int, int, float, float, int]], per_row: int, seed: int
) -> None:
    rows = rows_of(found)
    chosen = np.arange(len(found))[::-1]
    i, j, z = across_pairs(rows, chosen, per_row=per_row, seed=seed)
    assert len(i) == len(j) == len(z) <= per_row * len(comparable(rows, chosen))
    a, b = chosen[i], chosen[j]
    assert (rows.half_hash[a] != rows.half_hash[b]).all()
    for side in (a, b):
        assert ((rows.exposure[side] > 0) & (rows.day[side] != UNDATED) & (rows.metric[side] != TEXT)).all()
    assert (weeks(rows, a) == weeks(rows, b)).all()
    assert np.isfinite(z).all()
    if len(i):
        value, noise = log_rates(rows, comparable(rows, chosen))
        assert (noise > SPREAD).all()
        assert np.isfinite(value).all()


def test_a_higher_rate_stands_higher_and_few_impressions_say_less() -> None:
    rows = rows_of([(0, 16_000, 3000.0, 0.1, 0), (1, 16_000, 3000.0, 0.01, 0), (2, 16_000, 30.0, 0.1, 0)])
    value, noise = log_rates(rows, np.arange(3))
    assert value[0] > value[2] > value[1]
    assert noise[2] > noise[1] > noise[0]
    i, j, z = across_pairs(rows, np.arange(3), per_row=20, seed=0)
    assert {(a, b) for a, b, s in zip(i.tolist(), j.tolist(), z.tolist(), strict=True) if s > 0} == {
        (0, 1),
        (0, 2),
        (2, 1),
    }


@pytest.mark.parametrize(("across", "learns"), [(1.0, True), (0.0, False)])
def test_words_are_learned_from_arms_without_a_rival(tmp_path: Path, across: float, learns: bool) -> None:
    """Every training arm has a picture of its own: inside tests there is nothing to compare."""
    base = write_tiny_model(tmp_path / "base", layers=4)
    folder = write_upworthy(tmp_path / "data", tests=60)
    frame = pl.read_parquet(folder / "upworthy.parquet").with_row_index("n")
    alone = pl.when(pl.col("split") == "train").then(pl.format("e{}", "n")).otherwise("eyecatcher_id")
    frame.with_columns(eyecatcher_id=alone).drop("n").write_parquet(folder / "upworthy.parquet")
    encoder = {
        "rank": 2, "steps": 40, "tokens_per_step": 600, "eval_every": 40, "lr": 1e-3, "head_lr": 0.02,
        "max_tokens": 24, "across": across,
    }  # fmt: skip
    recipe = tiny_recipe(
        base, folder,
        lora={"rank": 0}, optim={"steps": 0, "ema": 0.5}, data={"text_examples": 0},
        run={"mix": {"upworthy": 1.0}}, text_encoder=encoder,
    )  # fmt: skip
    prepared = prepare_recipe(recipe)
    assert set(prepared.rows.day.tolist()) == {(date(2014, 3, 3) - EPOCH).days}
    _, state = fit_text_tower(prepared, recipe, tmp_path / "run", device=torch.device("cpu"))
    assert (state.best_score > 0.9) == learns
