"""Read scores and pooled states off a model for many rows, longest batches last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from lcbm_model.training.collate import Collator, Ints
from lcbm_model.training.model import BehaviorModel, half_precision

AT_ONCE = 4000
"""Rows whose frozen states are read before they are kept."""


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
    """Score rows without gradients; every process of the collator does its share, and all get all of it.

    Args:
        rows: (n,) row numbers.
        budget: Padded tokens of one forward pass.
        pooled: Also hand back the pooled states, on the model's device.
        bins: False stops at the last pooled block and leaves `bins` empty.
        bf16: Frozen weights and autocast in bfloat16.
        cached: Start from the collator's cached states (float16) where there are some.
    """
    if collator.frozen is not None and pooled and not bins:
        return _from_frozen(model, collator, rows, budget=budget, bf16=bf16)
    passes = cut_rows(collator, rows, budget)
    was_training = model.training
    model.eval()
    parts: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]] = []
    with torch.no_grad(), half_precision(model, collator.device.type, enabled=bf16):
        for places in collator.processes.share(passes):
            out = model(collator.batch(rows[places], cached=cached), bins=bins)
            parts.append((out.bins.float().softmax(-1), out.utility.float(), out.pooled.float() if pooled else None))
    model.train(was_training)
    sizes = [len(places) for places in passes]

    def gathered(own: list[torch.Tensor]) -> torch.Tensor:
        found, order = collator.processes.gather(torch.cat(own), sizes)
        back = np.argsort(np.concatenate([passes[number] for number in order]))
        return found[torch.from_numpy(back).to(found.device)]

    return Scores(
        bins=gathered([p[0] for p in parts]).cpu().numpy() if bins else np.zeros((0, 10), np.float32),
        utility=gathered([p[1] for p in parts]).cpu().numpy(),
        pooled=gathered([p[2] for p in parts if p[2] is not None]) if pooled else None,
    )


def _from_frozen(model: BehaviorModel, collator: Collator, rows: Ints, *, budget: int, bf16: bool) -> Scores:
    """Scores from states that were kept, after reading those that are missing. `AT_ONCE` rows are lost by a kill."""
    kept = collator.frozen
    assert kept is not None
    collator.frozen = None
    try:
        missing = np.unique(rows[collator.processes.any_of(np.isin(rows, kept.missing(rows)))])
        for start in range(0, len(missing), AT_ONCE):
            part = missing[start : start + AT_ONCE]
            found = score_rows(model, collator, part, budget=budget, pooled=True, bins=False, bf16=bf16)
            assert found.pooled is not None
            kept.put(part, found.pooled)
    finally:
        collator.frozen = kept
    states = kept.take(rows, collator.device)
    with torch.no_grad():
        utility = model.head(states, collator.metric_of(rows)).float().cpu().numpy()
    return Scores(bins=np.zeros((0, 10), np.float32), utility=utility, pooled=states)


def cut_rows(collator: Collator, rows: Ints, budget: int) -> list[Ints]:
    """Positions in `rows` for each forward pass of at most `budget` padded tokens, whose rows begin alike."""
    kinds, lengths = collator.beginnings(rows)
    order = np.lexsort((lengths, kinds))
    cuts, start = [], 0
    for stop in range(len(order)):
        at, first = order[stop], order[start]
        full = (stop - start + 1) * int(lengths[at]) > budget or kinds[at] != kinds[first]
        if full and stop > start:
            cuts.append(stop)
            start = stop
    return np.split(order, cuts) if len(order) else []
