"""The closing read-out: trained head, a probe on the tuned states and the digits' expectation, joined on validation.

All three are linear in the pooled states or in the expected bin, so the joint utility is again one linear map per
metric plus a weight for the expected bin; its differences are log-odds of winning.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lcbm_model.training.evaluate import group_figures, headline_figure
from lcbm_model.training.probe import fit_probe, probe_pairs, standardise
from lcbm_model.training.scoring import Scores, score_rows

if TYPE_CHECKING:
    from lcbm_model.training.collate import Collator, Ints
    from lcbm_model.training.data import Prepared
    from lcbm_model.training.model import BehaviorModel
    from lcbm_model.training.settings import Recipe

CENTRES = np.arange(10) + 0.5
"""Middles of the bins, in bins."""


@dataclass
class JointHead:
    """weight (M, F), bias (M,), bins (M,): utility = weight . pooled + bias + bins * expected bin (0.5 .. 9.5)."""

    weight: Tensor
    bias: Tensor
    bins: Tensor
    notes: dict[str, Any] = field(default_factory=dict)

    def utility(self, scores: Scores, metric: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """(n,) joint utilities of scored rows."""
        assert scores.pooled is not None
        index = torch.from_numpy(np.maximum(metric, 0).astype(np.int64))
        pooled = scores.pooled.double().cpu()
        linear = (pooled * self.weight.double().cpu()[index]).sum(-1) + self.bias.double().cpu()[index]
        return np.asarray(linear.numpy() + self.bins.double().cpu()[index].numpy() * (scores.bins @ CENTRES))


def fit_joint(model: BehaviorModel, data: Prepared, collator: Collator, recipe: Recipe) -> JointHead:
    """Fit the joint read-out of every metric that has training rows; the weights are chosen on validation."""
    folded, bias = (t.detach() for t in model.head.fold())
    head = JointHead(folded.clone(), bias.clone(), torch.zeros(len(data.metrics)))
    for metric, name in enumerate(data.metrics):
        _fit_metric(head, metric, name, model, data, collator, recipe)
    return head


def _fit_metric(
    head: JointHead,
    metric: int,
    name: str,
    model: BehaviorModel,
    data: Prepared,
    collator: Collator,
    recipe: Recipe,
) -> None:
    from lcbm_model.training.fit import training_rows

    held = data.select(split="validation")
    held = held[data.rows.metric[held] == metric]
    if len(held) < 20:
        return
    budget = recipe.optim.micro_tokens
    held = _thin(held, recipe.run.final_rows)
    seen = score_rows(model, collator, held, budget=budget, pooled=True)
    assert seen.pooled is not None
    i, j, z = probe_pairs(data.rows, held, size=recipe.optim.group_size, seed=0)
    if not len(i):
        return
    trained = (seen.pooled @ head.weight[metric].to(seen.pooled.device) + head.bias[metric]).cpu().double()
    probe, notes = _closing_probe(model, data, collator, recipe, training_rows(data, recipe, metric), seen, held)
    columns = [trained, torch.from_numpy(seen.bins @ CENTRES).double()]
    if probe is not None:
        columns.append((seen.pooled @ probe).cpu().double())
    design = torch.stack(columns, dim=1)
    scale = design.std(0).clamp_min(1e-9)
    weights = fit_probe(((design - design.mean(0)) / scale).float(), i, j, z, l2=1e-3, least_z=0.0).double() / scale
    # A part that validation wants turned round is noise: it is left out.
    weights = weights.clamp_min(0)
    if float(weights.sum()) == 0:
        weights[0] = 1.0
    head.weight[metric] *= float(weights[0])
    head.bias[metric] *= float(weights[0])
    head.bins[metric] = float(weights[1])
    if probe is not None:
        head.weight[metric] += float(weights[2]) * probe.to(head.weight.device)
    head.notes[name] = notes | {"weights": [round(float(w), 4) for w in weights]}


def _closing_probe(
    model: BehaviorModel,
    data: Prepared,
    collator: Collator,
    recipe: Recipe,
    rows: Ints,
    seen: Scores,
    held: Ints,
) -> tuple[Tensor | None, dict[str, Any]]:
    """Weights on raw states of the probe that does best on validation, and what each penalty gave."""
    if not len(rows) or not recipe.readout.probe_l2:
        return None, {}
    assert seen.pooled is not None
    bf16 = recipe.run.precision == "bf16"
    states = score_rows(
        model, collator, rows, budget=recipe.optim.micro_tokens, pooled=True, bins=False, bf16=bf16
    ).pooled
    assert states is not None
    mean, scale = standardise(states)
    i, j, z = probe_pairs(data.rows, rows, size=recipe.optim.group_size, seed=recipe.run.seed)
    standard = (states - mean) / scale
    best: tuple[float, Tensor] | None = None
    notes = {}
    for l2 in recipe.readout.probe_l2:
        weights = fit_probe(standard, i, j, z, l2=l2) / scale
        figure = headline_figure(group_figures(data.rows, held, (seen.pooled @ weights).cpu().double().numpy()))
        notes[f"l2={l2}"] = round(figure or 0.0, 4)
        if best is None or (figure or 0.0) > best[0]:
            best = (figure or 0.0, weights)
    return (best[1] if best else None), notes


def _thin(rows: Ints, most: int) -> Ints:
    return rows if len(rows) <= most else np.sort(np.random.default_rng(0).permutation(rows)[:most])
