"""A pairwise logistic probe on pooled states: where the value heads start, and what they are joined with at the end."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lcbm_model.training.collate import Ints
from lcbm_model.training.data import Rows
from lcbm_model.training.evaluate import groups_of, pair_z


def probe_pairs(rows: Rows, chosen: Ints, *, size: int, seed: int) -> tuple[Ints, Ints, np.ndarray]:
    """Pairs inside comparison groups, as positions in `chosen`, and their z. Groups are cut into parts of `size`."""
    rng = np.random.default_rng(seed)
    left, right = [], []
    for members in groups_of(rows.pair_group[chosen]):
        shuffled = rng.permutation(members)
        for start in range(0, len(shuffled) - 1, size):
            part = shuffled[start : start + size]
            a, b = np.triu_indices(len(part), k=1)
            left.append(part[a])
            right.append(part[b])
    if not left:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    i, j = np.concatenate(left), np.concatenate(right)
    different = rows.row_keys[chosen[i]] != rows.row_keys[chosen[j]]  # equal words differ by luck alone
    i, j = i[different], j[different]
    return i, j, pair_z(rows, chosen[i], chosen[j])


def fit_probe(states: Tensor, i: Ints, j: Ints, z: np.ndarray, *, l2: float, least_z: float) -> Tensor:
    """Weights (F,) on standardised states that minimise the weighted Bradley-Terry loss plus a ridge.

    Args:
        states: (n, F) standardised.
        i, j, z: pairs and their significance; those with |z| below `least_z` are left out.
        l2: Ridge penalty on the weights, relative to the mean loss.
    """
    keep = np.abs(z) >= least_z
    if not keep.any():
        return states.new_zeros(states.shape[1])
    device = states.device
    left, right = torch.from_numpy(i[keep]).to(device), torch.from_numpy(j[keep]).to(device)
    zs = torch.from_numpy(z[keep]).float().to(device)
    target, weight = torch.special.ndtr(zs), zs.abs().clamp(max=4) / 2
    weight = weight / weight.sum()
    w = torch.zeros(states.shape[1], device=device, requires_grad=True)
    solver = torch.optim.LBFGS([w], max_iter=60, history_size=10, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        solver.zero_grad()
        scores = states @ w
        gap = scores[left] - scores[right]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(gap, target, reduction="none")
        total = (loss * weight).sum() + l2 * (w**2).sum()
        total.backward()
        return total

    solver.step(closure)
    return w.detach()


def standardise(states: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and scale (F,) of pooled states (n, F); a constant column keeps scale 1."""
    mean, scale = states.mean(0), states.std(0)
    return mean, torch.where(scale > 1e-6, scale, torch.ones_like(scale))
