"""A probe that bends: the pairwise fit on a Gaussian kernel's features, beside the linear probe.

Landmarks are training rows, placed among the states' principal directions (Nystroem's features: Williams and Seeger
2001). Directions and landmarks know no outcomes, so that folds may share them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lcbm_model.backbone.kernel import KernelPart
from lcbm_model.training.cross_fit import out_of_fold
from lcbm_model.training.probe import fit_probe

_SAMPLE = 4000
"""Rows that the principal directions are found on."""
_LEAST_EIGENVALUE = 1e-4
"""Beside the largest: weaker directions of the landmarks' kernel are noise."""


class KernelView(NamedTuple):
    """A kernel without weights, and the training rows (n, R) as its whitened features see them."""

    part: KernelPart
    whiten: Tensor  # (M, R)
    mean: Tensor  # (R,)
    rows: Tensor  # (n, R)


def kernel_view(
    states: Tensor, mean: Tensor, scale: Tensor, columns: slice, *, landmarks: int, rank: int, width: float, seed: int
) -> KernelView:
    """The kernel of a metric's training states.

    Args:
        states: (n, F) raw.
        mean, scale: (F,) as `standardise` finds them.
        columns: Of F, that the linear probe reads.
        landmarks: Rows that stand for all; at most all of them.
        rank: Principal directions.
        width: Of the kernel, beside the rows' mean squared length of 1.
    """
    draw = torch.Generator().manual_seed(seed)
    standard = ((states - mean) / scale)[:, columns]
    rank, landmarks = min(rank, *standard.shape), min(landmarks, len(standard))
    sample = standard[torch.randperm(len(standard), generator=draw)[:_SAMPLE].to(standard.device)]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        *_, directions = torch.pca_lowrank(sample, q=rank, center=False, niter=3)  # (f, K)
    length = (standard @ directions).pow(2).sum(1).mean().sqrt().clamp_min(1e-6) * width**0.5
    project = torch.zeros(states.shape[1], rank)
    project[columns] = (directions / scale[columns, None] / length).cpu()
    project = project.to(torch.bfloat16)  # as it is stored: figures are those of the files
    offset = mean.cpu().float() @ project.float()
    part = KernelPart(project, offset, torch.zeros(0, rank), torch.zeros(0))
    placed = states.cpu().float() @ project.float() - offset
    chosen = placed[torch.randperm(len(placed), generator=draw)[:landmarks]].to(torch.bfloat16)
    part = replace(part, landmarks=chosen, weight=torch.zeros(landmarks))
    among = torch.exp(-(torch.cdist(chosen.float(), chosen.float()) ** 2) / 2).double()
    values, vectors = torch.linalg.eigh(among)
    kept = values > _LEAST_EIGENVALUE * values.max()
    whiten = (vectors[:, kept] * values[kept].rsqrt()).float()  # (M, R)
    rows = part.features(states.cpu()) @ whiten
    centre = rows.mean(0)
    # As long as standardised states are, so that penalties mean the same.
    factor = standard.shape[1] ** 0.5 / (rows - centre).pow(2).sum(1).mean().sqrt().clamp_min(1e-6)
    return KernelView(part, whiten * factor, centre * factor, (rows - centre) * factor)


def fit_kernel(
    view: KernelView,
    pairs: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]],
    folds: npt.NDArray[np.int64],
    *,
    l2: float,
    least_z: float,
) -> tuple[KernelPart, npt.NDArray[np.float64]]:
    """The fitted kernel, and utilities (n,) of the training rows by fits that did not see their group."""
    weights = fit_probe(view.rows, *pairs, l2=l2, least_z=least_z)
    unseen = out_of_fold(view.rows, folds, pairs, l2=l2, least_z=least_z)
    return replace(view.part, weight=view.whiten @ weights), unseen + float(view.mean @ weights)
