"""Cross-fitting: training rows scored by probes that did not see them, so that they can choose and calibrate too.

Validation alone is small: fifty photographs, ten contests. Scored out of fold, every training group is held out once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lcbm_model.training.probe import fit_probe

if TYPE_CHECKING:
    from lcbm_model.training.collate import Ints

FOLDS = 5


def folds_of(groups: npt.NDArray[Any], *, count: int = FOLDS, seed: int = 0) -> Ints:
    """(n,) fold 0..count-1 of each row; a group (what no split may cut: a story, a page, a contest) lies in one."""
    distinct, place = np.unique(groups, return_inverse=True)
    fold = np.arange(len(distinct), dtype=np.int64) % count
    return np.random.default_rng(seed).permutation(fold)[place]


def out_of_fold(
    states: Tensor,
    folds: Ints,
    pairs: tuple[Ints, Ints, np.ndarray],
    *,
    l2: float,
    least_z: float,
) -> npt.NDArray[np.float64]:
    """Scores (n,) of rows by probes that were fitted on the pairs of the other folds.

    Args:
        states: (n, F) standardised.
        folds: (n,) fold of each row.
        pairs: i, j (positions in `states`) and z of all pairs, as `probe_pairs` gives them.
        l2, least_z: As `fit_probe` takes them.
    """
    i, j, z = pairs
    scores = np.zeros(len(folds))
    for fold in np.unique(folds).tolist():
        others = (folds[i] != fold) & (folds[j] != fold)
        weights = fit_probe(states, i[others], j[others], z[others], l2=l2, least_z=least_z)
        own = np.flatnonzero(folds == fold)
        scores[own] = (states[torch.from_numpy(own).to(states.device)] @ weights).double().cpu().numpy()
    return scores
