"""A kernel beside a value head: learns what no line tells apart, and is read back as it was fitted."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402

from lcbm_model.backbone.kernel import KernelPart  # noqa: E402
from lcbm_model.training.cross_fit import folds_of, out_of_fold  # noqa: E402
from lcbm_model.training.kernel_probe import fit_kernel, kernel_view  # noqa: E402
from lcbm_model.training.probe import fit_probe, standardise  # noqa: E402

N, WIDTH, PICTURE = 240, 5, 3


def _ring() -> tuple[torch.Tensor, np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
    """States, whose outcome is how far from the middle they lie, on raw scales of their own; pairs inside groups."""
    draw = np.random.default_rng(0)
    middle = draw.normal(size=(N, 2))
    outcome = np.linalg.norm(middle, axis=1)
    rest = 0.1 * draw.normal(size=(N, WIDTH - 2 + PICTURE))
    states = torch.from_numpy(np.hstack([middle * [50, 0.02] + [300, 0], rest])).float()
    groups = np.repeat(np.arange(N // 8), 8)
    i, j = np.array([pair for g in groups[::8] for pair in combinations(range(8 * g, 8 * g + 8), 2)]).T
    return states, outcome, (i, j, 6 * (outcome[i] - outcome[j])), folds_of(groups)


def _right(scores: np.ndarray, pairs: tuple[np.ndarray, np.ndarray, np.ndarray]) -> float:
    i, j, z = pairs
    return float(((scores[i] > scores[j]) == (z > 0)).mean())


def _fitted(columns: slice = slice(0, WIDTH + PICTURE)) -> tuple[KernelPart, np.ndarray]:
    states, _, pairs, folds = _ring()
    view = kernel_view(states, *standardise(states), columns, landmarks=128, rank=8, width=0.7, seed=0)
    return fit_kernel(view, pairs, folds, l2=0.01, least_z=0.0)


def test_it_learns_out_of_fold_what_no_line_tells_apart() -> None:
    states, _, pairs, folds = _ring()
    mean, scale = standardise(states)
    line = out_of_fold((states - mean) / scale, folds, pairs, l2=0.01, least_z=0.0)
    kernel, unseen = _fitted()
    assert _right(line, pairs) < 0.65
    assert _right(unseen, pairs) > 0.75
    assert _right(kernel.utility(states).numpy(), pairs) > _right(unseen, pairs) - 0.05


def test_what_it_says_of_raw_states_is_what_was_fitted() -> None:
    states, _, pairs, folds = _ring()
    view = kernel_view(states, *standardise(states), slice(0, None), landmarks=128, rank=8, width=0.7, seed=0)
    kernel, _ = fit_kernel(view, pairs, folds, l2=0.01, least_z=0.0)
    weights = fit_probe(view.rows, *pairs, l2=0.01, least_z=0.0)
    expected = view.rows @ weights + view.mean @ weights
    assert torch.allclose(kernel.utility(states).float(), expected, atol=1e-3)


def test_same_seed_same_kernel_and_columns_that_are_not_read_do_not_matter() -> None:
    states, *_ = _ring()
    one, other = _fitted(slice(0, WIDTH))[0], _fitted(slice(0, WIDTH))[0]
    assert all(torch.equal(a, b) for a, b in zip(one.tensors("m").values(), other.tensors("m").values(), strict=True))
    changed = states.clone()
    changed[:, WIDTH:] += 1000
    assert torch.equal(one.utility(states), one.utility(changed))


def test_fewer_rows_than_landmarks_or_directions_are_enough() -> None:
    states, _, _, _ = _ring()
    few = states[:6]
    view = kernel_view(few, *standardise(few), slice(0, None), landmarks=64, rank=128, width=0.7, seed=0)
    assert len(view.part.landmarks) == 6
    assert bool(torch.isfinite(view.rows).all())


def test_it_is_read_back_as_it_was(tmp_path: Path) -> None:
    states, *_ = _ring()
    kernel, _ = _fitted()
    save_file(kernel.tensors("click_rate"), tmp_path / "k.safetensors")
    again = KernelPart.of(load_file(tmp_path / "k.safetensors"), "click_rate")
    assert again is not None
    assert torch.equal(again.utility(states), kernel.utility(states))
    assert KernelPart.of(load_file(tmp_path / "k.safetensors"), "shares") is None


def test_a_damaged_kernel_is_named() -> None:
    kernel, _ = _fitted()
    with pytest.raises(ValueError, match="m: landmarks missing"):
        KernelPart.of({k: v for k, v in kernel.tensors("m").items() if "landmarks" not in k}, "m")
    with pytest.raises(ValueError, match="shapes do not fit"):
        KernelPart.of(replace(kernel, weight=kernel.weight[:-1]).tensors("m"), "m")
