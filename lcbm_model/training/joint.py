"""The closing read-out: trained head, a probe on the closing states, a kernel beside it, the digits' expectation and
the text encoder's head, joined on validation.

But for the kernel all are linear in the pooled states, in the text encoder's vector or in the expected bin, so the
joint utility is one linear map per metric, plus a weight for the expected bin, plus the kernel where there is one; its
differences are log-odds of winning. Where the digits were not trained they take no part, and the bins are cut from the
utility instead. On frozen states the probe's penalty is chosen, and where all parts are known out of fold they are
joined and their bins cut, on training rows out of fold beside validation (`cross_fit`, `cross_text`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from lcbm_model.backbone.kernel import KernelPart
from lcbm_model.training.closing_probe import ClosingProbe, Unseen, fit_closing_probe
from lcbm_model.training.data import N_BINS
from lcbm_model.training.probe import fit_probe, probe_pairs
from lcbm_model.training.scoring import Scores, score_rows

if TYPE_CHECKING:
    from lcbm_model.training.collate import Collator, Ints
    from lcbm_model.training.cross_text import CrossText
    from lcbm_model.training.data import Prepared
    from lcbm_model.training.model import BehaviorModel
    from lcbm_model.training.settings import Recipe
    from lcbm_model.training.text_tower import TextTower

CENTRES = np.arange(N_BINS) + 0.5
"""Middles of the bins, in bins."""
LEAST_HELD = 20
"""Validation rows of a metric below which nothing is chosen on them."""


@dataclass
class JointHead:
    """utility = weight . pooled + bias + bins * expected bin (0.5 .. 9.5) + text . vector + kernel, one row a metric.

    weight (M, F); bias, bins, slope (M,); text (M, E) or None: no text encoder takes part; cuts (M, 9) or None:
    P(bin <= k) = sigmoid(cuts[k] - slope * utility).
    """

    weight: Tensor
    bias: Tensor
    bins: Tensor
    slope: Tensor
    cuts: Tensor | None = None
    text: Tensor | None = None
    kernels: dict[int, KernelPart] = field(default_factory=dict)
    """By metric, where a kernel joins the probe."""
    notes: dict[str, Any] = field(default_factory=dict)
    unseen: dict[int, Unseen] = field(default_factory=dict)
    """By metric, where the closing probe stands alone: training rows and their utilities out of fold."""

    def utility(
        self, scores: Scores, metric: npt.NDArray[Any], vectors: Tensor | None = None
    ) -> npt.NDArray[np.float64]:
        """(n,) joint utilities of scored rows; vectors (n, E) are the text encoder's."""
        assert scores.pooled is not None
        index = torch.from_numpy(np.maximum(metric, 0).astype(np.int64))
        pooled = scores.pooled.double().cpu()
        linear = (pooled * self.weight.double().cpu()[index]).sum(-1) + self.bias.double().cpu()[index]
        for number, kernel in self.kernels.items():
            own = torch.from_numpy(np.flatnonzero(metric == number))
            linear[own] += kernel.utility(scores.pooled.cpu()[own])
        if self.text is not None and vectors is not None:
            linear = linear + (vectors.double() * self.text.double().cpu()[index]).sum(-1)
        if not len(scores.bins):
            return np.asarray(linear.numpy())
        return np.asarray(linear.numpy() + self.bins.double().cpu()[index].numpy() * (scores.bins @ CENTRES))

    def bin_probabilities(self, utility: npt.NDArray[np.float64], metric: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """(n, 10) what the checkpoint will state where it cuts bins from the utility (n,)."""
        assert self.cuts is not None
        index = torch.from_numpy(np.maximum(metric, 0).astype(np.int64))
        below = torch.sigmoid(
            self.cuts.double().cpu()[index] - (self.slope.double().cpu()[index] * torch.from_numpy(utility))[:, None]
        )  # (n, 9)
        whole = torch.cat([torch.zeros_like(below[:, :1]), below, torch.ones_like(below[:, :1])], dim=1)
        return np.asarray(whole.diff(dim=1).numpy(), dtype=np.float32)


def fit_joint(
    model: BehaviorModel,
    data: Prepared,
    collator: Collator,
    recipe: Recipe,
    *,
    digits: bool = True,
    tower: TextTower | None = None,
    crossed: CrossText | None = None,
) -> JointHead:
    """Fit the joint read-out of every metric that has training rows; the weights are chosen on validation.

    Args:
        digits: Whether the digits were trained and may take part.
        tower: The tuned text encoder, where there is one.
        crossed: The encoder out of fold, where there is one: then training rows choose too.
    """
    folded, bias = (t.detach().cpu() for t in model.head.fold())
    count = len(data.metrics)
    head = JointHead(folded.clone(), bias.clone(), torch.zeros(count), torch.ones(count))
    if not digits:
        head.cuts = torch.logit(torch.arange(1, N_BINS) / N_BINS).repeat(count, 1)
    if tower is not None:
        head.text = tower.head.detach().cpu().clone()
    for metric, name in enumerate(data.metrics):
        _fit_metric(head, metric, name, model, data, collator, recipe, tower, crossed)
    return head


def _fit_metric(
    head: JointHead,
    metric: int,
    name: str,
    model: BehaviorModel,
    data: Prepared,
    collator: Collator,
    recipe: Recipe,
    tower: TextTower | None,
    crossed: CrossText | None,
) -> None:
    held = data.select(split="validation")
    held = _thin(held[data.rows.metric[held] == metric], recipe.run.final_rows)
    digits = head.cuts is None
    seen = score_rows(
        model, collator, held,
        budget=recipe.optim.micro_tokens, pooled=True, bins=digits, bf16=recipe.run.final_precision == "bf16",
    )  # fmt: skip
    assert seen.pooled is not None
    seen.pooled = seen.pooled.cpu()
    probe = fit_closing_probe(model, data, collator, recipe, metric, seen, held)
    parts: dict[str, Tensor] = {"head": seen.pooled @ head.weight[metric] + head.bias[metric]}
    if digits:
        parts["bins"] = torch.from_numpy(seen.bins @ CENTRES)
    if tower is not None and head.text is not None:
        parts["text"] = tower.states(held) @ head.text[metric]
    if probe is not None:
        if probe.kernel is not None:
            parts["kernel"] = probe.kernel.utility(seen.pooled).float()
        parts["probe"] = seen.pooled @ probe.weights  # the last: where nothing can be chosen it stands alone
    apart = _apart(parts, metric, probe, crossed, held, digits=digits)
    if apart:
        assert probe is not None
        both = {part: torch.cat([parts[part], scores.to(parts[part])]) for part, scores in apart.items()}
        weights = _join(both, data, np.concatenate([held, probe.unseen.rows]), recipe)
    else:
        weights = _join(parts, data, held, recipe)
    head.weight[metric] *= weights.get("head", 0.0)
    head.bias[metric] *= weights.get("head", 0.0)
    head.bins[metric] = weights.get("bins", 0.0)
    if head.text is not None:
        head.text[metric] *= weights.get("text", 0.0)
    if probe is not None:
        head.weight[metric] += weights.get("probe", 0.0) * probe.weights
        if probe.kernel is not None and weights.get("kernel"):
            head.kernels[metric] = replace(probe.kernel, weight=probe.kernel.weight * weights["kernel"])
    head.notes[name] = (probe.notes if probe else {}) | {"weights": {k: round(w, 4) for k, w in weights.items()}}
    if head.cuts is None:
        return
    utility = seen.pooled @ head.weight[metric] + head.bias[metric]
    for part in ("text", "kernel"):
        if part in parts:
            utility = utility + weights.get(part, 0.0) * parts[part]
    alone = {part for part, weight in weights.items() if weight} == {"probe"}
    if probe is not None and (alone or apart) and len(probe.unseen.rows):
        # Of parts that are not out of fold the training rows would only show how well they were learned by heart.
        unseen = apart or {"probe": torch.from_numpy(probe.unseen.utility)}
        scores = torch.stack([weights.get(part, 0.0) * found.double() for part, found in unseen.items()]).sum(0)
        head.unseen[metric] = Unseen(probe.unseen.rows, scores.numpy() + float(head.bias[metric]))
        held = np.concatenate([held, head.unseen[metric].rows])
        utility = torch.cat([utility, torch.from_numpy(head.unseen[metric].utility).to(utility)])
    if len(held) >= LEAST_HELD:
        percentile = torch.from_numpy(data.rows.percentile[held].astype(np.float32))
        head.slope[metric], head.cuts[metric] = fit_cuts(utility, percentile)


def _apart(
    parts: dict[str, Tensor],
    metric: int,
    probe: ClosingProbe | None,
    crossed: CrossText | None,
    held: Ints,
    *,
    digits: bool,
) -> dict[str, Tensor]:
    """What every part says of training rows that it did not see; empty where that is not known of each, or there is
    the probe alone."""
    if probe is None or digits or not len(probe.unseen.rows):
        return {}
    found: dict[str, Tensor] = {}
    if "text" in parts:
        if crossed is None:
            return {}
        found["text"] = crossed.utility(probe.unseen.rows, metric, held=held, like=parts["text"])
    if "kernel" in parts:
        found["kernel"] = torch.from_numpy(probe.unseen_kernel)
    return found | {"probe": torch.from_numpy(probe.unseen.utility)} if found else {}


def _join(parts: dict[str, Tensor], data: Prepared, held: Ints, recipe: Recipe) -> dict[str, float]:
    """Weight of each part in log-odds, fitted on validation; without enough of it the last part stands alone."""
    moving = {name: part.double() for name, part in parts.items() if len(part) > 1 and float(part.std()) > 1e-9}
    i, j, z = probe_pairs(data.rows, held, size=recipe.readout.probe_group, seed=0)
    if len(held) < LEAST_HELD or not len(i) or not moving:
        return {list(parts)[-1]: 1.0}
    design = torch.stack(list(moving.values()), dim=1)
    scale = design.std(0)
    weights = fit_probe(((design - design.mean(0)) / scale).float(), i, j, z, l2=1e-3, least_z=0.0).double() / scale
    # A part that validation wants turned round is noise: it is left out.
    weights = weights.clamp_min(0)
    if float(weights.sum()) == 0:
        # Nothing holds up on validation: a small weight keeps the order and says that little is known.
        weights[-1] = 0.01 / scale[-1]
    return dict(zip(moving, weights.tolist(), strict=True))


def fit_cuts(utility: Tensor, percentile: Tensor) -> tuple[float, Tensor]:
    """Slope and cuts (9,) of an ordered logit of the observed bins (from percentiles 0..100) on the utility (n,)."""
    bins = (percentile / N_BINS).long().clamp(0, N_BINS - 1)
    spread = utility.std().clamp_min(1e-6)
    standard = ((utility - utility.mean()) / spread).double()
    raw = torch.logit(torch.arange(1, N_BINS, dtype=torch.float64) / N_BINS)
    parameters = torch.cat([torch.zeros(1).double(), raw[:1], raw.diff().expm1().log()]).requires_grad_(True)
    solver = torch.optim.LBFGS([parameters], max_iter=200, line_search_fn="strong_wolfe")

    def ordered() -> tuple[Tensor, Tensor]:
        gaps = F.softplus(parameters[2:]) + 1e-4
        return parameters[0], torch.cat([parameters[1:2], parameters[1] + gaps.cumsum(0)])

    def closure() -> Tensor:
        solver.zero_grad()
        slope, cuts = ordered()
        below = torch.sigmoid(cuts[None] - slope * standard[:, None])  # (n, 9)
        whole = torch.cat([torch.zeros_like(below[:, :1]), below, torch.ones_like(below[:, :1])], dim=1)
        loss = -whole.diff(dim=1).clamp_min(1e-9).log()[torch.arange(len(bins)), bins].mean()
        loss.backward()
        return loss

    solver.step(closure)
    with torch.no_grad():
        slope, cuts = ordered()
        # A higher utility must never mean a lower place.
        slope = slope.clamp_min(0.0)
        return float(slope / spread), (cuts + slope * utility.mean() / spread).float()


def _thin(rows: Ints, most: int) -> Ints:
    return rows if len(rows) <= most else np.sort(np.random.default_rng(0).permutation(rows)[:most])
