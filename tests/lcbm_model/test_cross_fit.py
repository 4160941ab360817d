"""Out-of-fold scores: no row is scored by a probe that saw its group, and calibration is fitted on them too."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from lcbm_model.training.calibrate import calibrate_run  # noqa: E402
from lcbm_model.training.corpus_rows import prepare_recipe  # noqa: E402
from lcbm_model.training.cross_fit import folds_of, out_of_fold  # noqa: E402
from lcbm_model.training.run import train_recipe  # noqa: E402
from tests.lcbm_model.tiny_model import write_tiny_model  # noqa: E402
from tests.lcbm_model.training_rows import tiny_recipe, write_upworthy  # noqa: E402


@given(groups=st.lists(st.integers(0, 30), min_size=1, max_size=200), count=st.integers(2, 7), seed=st.integers(0, 9))
def test_folds_cut_no_group_and_are_even(groups: list[int], count: int, seed: int) -> None:
    folds = folds_of(np.asarray(groups), count=count, seed=seed)
    assert {len(set(folds[np.asarray(groups) == g])) for g in groups} == {1}
    sizes = [len({g for g, f in zip(groups, folds, strict=True) if f == k}) for k in range(count)]
    assert max(sizes) - min(sizes) <= 1


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_a_fold_never_learns_from_its_own_outcomes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    states = torch.from_numpy(rng.normal(size=(40, 6))).float()
    folds = np.arange(40) // 2 % 5  # pairs of neighbours share a fold
    i, j = np.arange(0, 40, 2), np.arange(1, 40, 2)
    z = rng.normal(size=20) * 3
    turned = np.where(folds[i] == 0, -z, z)
    one, other = (out_of_fold(states, folds, (i, j, x), l2=0.1, least_z=0.5) for x in (z, turned))
    assert one[folds == 0] == pytest.approx(other[folds == 0], abs=1e-6)
    assert one[folds != 0] != pytest.approx(other[folds != 0], abs=1e-6)


def test_calibration_is_fitted_on_training_rows_out_of_fold_too(tmp_path: Path) -> None:
    base = write_tiny_model(tmp_path / "base", layers=4)
    data = write_upworthy(tmp_path / "data", tests=60)
    recipe = tiny_recipe(
        base, data, lora={"rank": 0}, optim={"steps": 0}, readout={"probe_l2": [0.3, 1.0]}, data={"text_examples": 0}
    )
    found = train_recipe(recipe, tmp_path / "run")
    prepared = prepare_recipe(recipe)
    rows = {split: len(prepared.select(split=split)) for split in ("train", "validation")}
    (key,) = found["calibration"]
    assert found["calibration"][key]["n"] == sum(rows.values())
    with np.load(tmp_path / "run" / "predictions.npz") as arrays:
        kept = dict(arrays)
    assert len(kept["unseen_row"]) == rows["train"]
    assert not set(kept["unseen_row"].tolist()) & set(kept["row"].tolist())
    assert kept["unseen_bins"].sum(1) == pytest.approx(1, abs=1e-5)
    # Without them validation stands alone, and the interval is another one.
    for name in ("row", "joint"):
        kept[f"unseen_{name}"] = kept[f"unseen_{name}"][:0]
    kept["unseen_bins"] = kept["unseen_bins"][:0]
    np.savez(tmp_path / "run" / "predictions.npz", **kept)
    alone = calibrate_run(prepared, tmp_path / "run")[key]
    assert alone["n"] == rows["validation"]
    stored = json.loads((tmp_path / "run" / "adapter" / "calibration.json").read_text())
    assert stored["entries"][key]["n"] == rows["validation"]
    assert alone["widen"] != found["calibration"][key]["widen"]


def test_tuned_states_are_judged_on_validation_alone(tmp_path: Path) -> None:
    base = write_tiny_model(tmp_path / "base", layers=4)
    data = write_upworthy(tmp_path / "data", tests=60)
    found = train_recipe(
        tiny_recipe(base, data, data={"text_examples": 0}, run={"mix": {"upworthy": 1.0}}), tmp_path / "run"
    )
    with np.load(tmp_path / "run" / "predictions.npz") as arrays:
        assert not len(arrays["unseen_row"])
    (entry,) = found["calibration"].values()
    assert entry["n"] == 36
