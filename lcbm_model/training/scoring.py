"""Read scores and pooled states off a model for many rows, longest batches last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from lcbm_model.training.collate import Collator, Ints
from lcbm_model.training.model import BehaviorModel


@dataclass
class Scores:
    """For n rows, in the order asked for: bins (n, 10) probabilities, utility (n,), pooled (n, F) or None."""

    bins: npt.NDArray[np.float32]
    utility: npt.NDArray[np.float32]
    pooled: torch.Tensor | None


def score_rows(
    model: BehaviorModel,
    collator: Collator,
    rows: Ints,
    *,
    budget: int,
    pooled: bool = False,
    bins: bool = True,
    bf16: bool = False,
    cached: bool = False,
) -> Scores:
    """Score rows without gradients.

    Args:
        rows: (n,) row numbers.
        budget: Padded tokens of one forward pass.
        pooled: Also hand back the pooled states, on the model's device.
        bins: False stops at the last pooled block and leaves `bins` empty.
        bf16: Autocast to bfloat16.
        cached: Start from the collator's cached states (float16) where there are some.
    """
    kinds = np.zeros(len(rows), np.int64) if collator.kinds is None else collator.kinds[rows]
    order = np.lexsort((collator.lengths[rows], kinds))
    was_training = model.training
    model.eval()
    parts: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]] = []
    with torch.no_grad(), torch.autocast(collator.device.type, torch.bfloat16, enabled=bf16):
        for batch_rows in cut_rows(rows[order], collator.lengths, kinds[order], budget):
            out = model(collator.batch(batch_rows, cached=cached), bins=bins)
            parts.append((out.bins.float().softmax(-1), out.utility.float(), out.pooled.float() if pooled else None))
    model.train(was_training)
    back = np.argsort(order)
    states = torch.cat([p[2] for p in parts if p[2] is not None])[torch.from_numpy(back)] if pooled else None
    return Scores(
        bins=torch.cat([p[0] for p in parts]).cpu().numpy()[back] if bins else np.zeros((0, 10), np.float32),
        utility=torch.cat([p[1] for p in parts]).cpu().numpy()[back],
        pooled=states,
    )


def cut_rows(rows: Ints, lengths: Ints, kinds: Ints, budget: int) -> list[Ints]:
    """Cut rows, sorted by kind and length, where a batch would exceed `budget` padded tokens or mix kinds."""
    cuts, start = [], 0
    for stop in range(len(rows)):
        full = (stop - start + 1) * int(lengths[rows[stop]]) > budget or kinds[stop] != kinds[start]
        if full and stop > start:
            cuts.append(stop)
            start = stop
    return np.split(rows, cuts)
