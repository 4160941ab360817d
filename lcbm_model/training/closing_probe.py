"""The closing probe: fitted on the states as they are at the end, its penalty chosen on rows it did not see.

Those are validation and, where the states are frozen, the training rows out of fold (`cross_fit`). They also choose
whether it reads everything or, where pictures differ, the picture alone: the states of a prompt around a photograph
without words only add noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lcbm_model.backbone.kernel import KernelPart
from lcbm_model.training.cross_fit import folds_of, out_of_fold
from lcbm_model.training.evaluate import group_figures, headline_figure
from lcbm_model.training.kernel_probe import fit_kernel, kernel_view
from lcbm_model.training.probe import fit_probe, probe_pairs, standardise
from lcbm_model.training.scoring import Scores, score_rows

if TYPE_CHECKING:
    from lcbm_model.training.collate import Collator, Ints
    from lcbm_model.training.data import Prepared
    from lcbm_model.training.model import BehaviorModel
    from lcbm_model.training.settings import Recipe


class Unseen(NamedTuple):
    """Rows (n,) and the utilities (n,) that probes gave them which were fitted without their groups."""

    rows: Ints
    utility: npt.NDArray[np.float64]


class ClosingProbe(NamedTuple):
    """Weights (F,) on raw states, what each penalty gave, and the training rows as probes without them score them; the
    same of a kernel beside it, where there is one."""

    weights: Tensor
    notes: dict[str, Any]
    unseen: Unseen
    kernel: KernelPart | None = None
    unseen_kernel: npt.NDArray[np.float64] = np.zeros(0)


def fit_closing_probe(
    model: BehaviorModel,
    data: Prepared,
    collator: Collator,
    recipe: Recipe,
    metric: int,
    seen: Scores,
    held: Ints,
) -> ClosingProbe | None:
    """The probe of a metric whose penalty ranks best what it did not see; None without training rows.

    Args:
        metric: Its number in `data.metrics`.
        seen: Pooled states of the metric's validation rows.
        held: (n,) those rows.
    """
    rows = training_rows(data, recipe, metric)
    if not len(rows) or not recipe.readout.probe_l2:
        return None
    assert seen.pooled is not None
    bf16 = recipe.run.precision == "bf16"
    states = score_rows(
        model, collator, rows, budget=recipe.optim.micro_tokens, pooled=True, bins=False, bf16=bf16
    ).pooled
    assert states is not None
    mean, scale = standardise(states)
    pairs = probe_pairs(data.rows, rows, size=recipe.readout.probe_group, seed=recipe.run.seed)
    standard = (states - mean) / scale
    least_z = recipe.readout.probe_least_z
    folds = folds_of(data.rows.half_hash[rows], seed=recipe.run.seed)
    # States that were tuned on these rows know their outcomes, whatever the probe was fitted on.
    apart = rows if recipe.reads_frozen and folds.any() else rows[:0]
    judged = np.concatenate([held, apart])
    best: tuple[float, ClosingProbe, slice] | None = None
    notes: dict[str, Any] = {}
    for view, part in _views(standard, model.picture_width).items():
        for l2 in recipe.readout.probe_l2:
            weights = torch.zeros(len(scale))
            weights[part] = (fit_probe(standard[:, part], *pairs, l2=l2, least_z=least_z) / scale[part]).cpu()
            unseen = np.zeros(0)
            if len(apart):
                unseen = out_of_fold(standard[:, part], folds, pairs, l2=l2, least_z=least_z)
                unseen += float(mean.cpu() @ weights)  # from standardised to raw states
            scored = np.concatenate([(seen.pooled @ weights).double().numpy(), unseen])
            # Scores that are all the same rank nothing, whatever figure is left of them.
            figure = headline_figure(group_figures(data.rows, judged, scored)) or 0.0 if np.ptp(scored) > 0 else 0.0
            notes[f"{view}l2={l2}"] = round(figure, 4)
            if best is None or figure > best[0]:
                best = figure, ClosingProbe(weights, notes, Unseen(apart, unseen)), part
    if best is None:
        return None
    _, probe, part = best
    if not (recipe.readout.kernel and len(apart)):
        return probe
    readout = recipe.readout
    bent = kernel_view(
        states, mean, scale, part,
        landmarks=readout.kernel, rank=readout.kernel_rank, width=readout.kernel_width, seed=recipe.run.seed,
    )  # fmt: skip
    fits = {l2: fit_kernel(bent, pairs, folds, l2=l2, least_z=least_z) for l2 in readout.probe_l2}
    return _with_kernel(probe, fits, seen.pooled, partial(group_figures, data.rows, judged))


def _with_kernel(
    probe: ClosingProbe,
    fits: Mapping[float, tuple[KernelPart, npt.NDArray[np.float64]]],
    seen: Tensor,
    figures: Callable[[npt.NDArray[np.float64]], dict[str, float]],
) -> ClosingProbe:
    """The probe with the kernel that ranks best beside it what neither saw.

    Args:
        fits: Kernels by their penalty, and what they say of training rows out of fold.
        seen: (n, F) states of the validation rows.
    """
    linear = np.concatenate([(seen @ probe.weights).double().numpy(), probe.unseen.utility])
    best: tuple[float, ClosingProbe] | None = None
    for l2, (kernel, unseen) in fits.items():
        bent = np.concatenate([kernel.utility(seen).numpy(), unseen])
        if np.ptp(bent) == 0 or np.ptp(linear) == 0:
            continue
        # Both stand beside each other in the end: what counts is what they say together.
        figure = headline_figure(figures(linear / linear.std() + bent / bent.std())) or 0.0
        probe.notes[f"kernel, l2={l2}"] = round(figure, 4)
        if best is None or figure > best[0]:
            best = figure, probe._replace(kernel=kernel, unseen_kernel=unseen)
    return best[1] if best else probe


def _views(states: Tensor, picture_width: int) -> dict[str, slice]:
    """Columns a probe may read, by a prefix for its notes: all, and those of the picture where pictures differ."""
    whole, picture = slice(0, states.shape[1]), slice(states.shape[1] - picture_width, states.shape[1])
    if not picture_width:
        return {"": whole}
    _, counts = torch.unique(states[:, picture], dim=0, return_counts=True)
    return {"": whole, "picture, ": picture} if int(counts.max()) * 2 <= len(states) else {"": whole}


def training_rows(data: Prepared, recipe: Recipe, metric: int) -> Ints:
    """Rows of a metric behind a probe: whole comparison groups, at most about as many as the recipe states.

    A half run takes its half of what the whole run would take, so that twins share its frozen states.
    """
    run = recipe.run
    rows = data.select(split="train", fraction=run.fraction)
    rows = rows[data.rows.metric[rows] == metric]
    most = recipe.probe_rows(data.metrics[metric])
    if len(rows) > most:
        groups = data.rows.pair_group[rows]
        names = np.random.default_rng(run.seed).permutation(np.unique(groups))
        per_group = len(rows) / len(names)
        if per_group < 20:
            rows = rows[np.isin(groups, names[: int(most / per_group)])]
        else:
            rows = np.sort(np.random.default_rng(run.seed).permutation(rows)[:most])
    return rows[np.isin(rows, data.select(split="train", half=run.half, fraction=run.fraction))]
