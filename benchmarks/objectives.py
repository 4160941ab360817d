"""What a read-out is fitted to: pairs, soft bins with and without pairs and a value term, ranks, raw numbers.

    lcbm train train_recipes/embedded/smol_probe.yaml --out run
    python benchmarks/objectives.py run/prepared run/frozen
    lcbm results tables                          docs/ablations.md from what was written

Linear read-outs on the states of the frozen language model, the same for all objectives, so that nothing else differs.
Training groups are cut into five folds: on one each objective's ridge penalty is chosen, on the other four every group
is scored by a read-out that was fitted without it. Differences come with 95 % intervals over resampled groups.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from comparing import Ints, compared
from measuring import machine, run, versions
from torch import Tensor
from torch.nn import functional as F

from lcbm_model.errors import CheckpointError
from lcbm_model.evaluation.benchmark_pages import RECORDED
from lcbm_model.evaluation.benchmark_record import BenchmarkRecord, Table
from lcbm_model.evaluation.bootstrap import Floats
from lcbm_model.training import losses
from lcbm_model.training.closing_probe import training_rows
from lcbm_model.training.cross_fit import folds_of
from lcbm_model.training.data import N_BINS, Prepared
from lcbm_model.training.evaluate import group_figures, headline_figure
from lcbm_model.training.frozen_states import FrozenStates
from lcbm_model.training.probe import probe_pairs, standardise
from lcbm_model.training.recipes import recipe_from
from lcbm_model.training.settings import Recipe

CHOOSING = 0
"""Fold on which penalties are chosen."""
PENALTIES = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


@dataclass(frozen=True)
class Examples:
    """n rows of one metric: standardised states (n, F), what they were measured at, and pairs as positions."""

    states: Tensor
    percentile: Tensor
    reliability: Tensor
    value: Tensor  # standardised
    left: Tensor
    right: Tensor
    z: Tensor

    @classmethod
    def of(cls, data: Prepared, recipe: Recipe, rows: Ints, states: Tensor) -> Examples:
        i, j, z = probe_pairs(data.rows, rows, size=recipe.readout.probe_group, seed=recipe.run.seed)
        keep = np.abs(z) >= recipe.readout.probe_least_z
        columns = (data.rows.percentile, data.rows.reliability, data.rows.value)
        percentile, reliability, value = (torch.from_numpy(column[rows].astype(np.float32)) for column in columns)
        reliability = reliability.clamp(max=recipe.loss.most_reliable)
        value = (value - value.mean()) / value.std().clamp_min(1e-6)
        left, right, apart = (torch.from_numpy(side[keep]) for side in (i, j, z.astype(np.float32)))
        return cls(states, percentile, reliability, value, left, right, apart)

    def take(self, places: Ints) -> Examples:
        """Some of the rows, and the pairs both sides of which are among them."""
        at = torch.full((len(self.states),), -1)
        index = torch.from_numpy(places)
        at[index] = torch.arange(len(places))
        left, right = at[self.left], at[self.right]
        both = (left >= 0) & (right >= 0)
        states, percentile, reliability, value = (
            column[index] for column in (self.states, self.percentile, self.reliability, self.value)
        )
        return Examples(states, percentile, reliability, value, left[both], right[both], self.z[both])


Loss = Callable[[Tensor, Examples], Tensor]


def pairs(utility: Tensor, rows: Examples) -> Tensor:
    """Bradley-Terry, as `fit_probe` has it."""
    gap, weight = utility[rows.left] - utility[rows.right], rows.z.abs().clamp(max=4)
    each = F.binary_cross_entropy_with_logits(gap, torch.special.ndtr(rows.z), reduction="none")
    return (each * weight).sum() / weight.sum().clamp_min(1e-6)


def bins(logits: Tensor, rows: Examples) -> Tensor:
    return losses.bins_loss(logits, rows.percentile, rows.reliability, torch.ones_like(rows.percentile))


def bin_pairs(logits: Tensor, rows: Examples) -> Tensor:
    return pairs(losses.expected_percentile(logits) / 10, rows)


def value(logits: Tensor, rows: Examples) -> Tensor:
    return losses.value_loss(logits, rows.percentile, torch.ones_like(rows.percentile))


@dataclass(frozen=True)
class Objective:
    """A loss of a linear read-out with `outputs` numbers a row."""

    name: str
    outputs: int
    loss: Loss

    def utility(self, outputs: Tensor) -> Floats:
        """(n,) what rows are ranked by."""
        ranked = losses.expected_percentile(outputs) if self.outputs == N_BINS else outputs[:, 0]
        return np.asarray(ranked.double().numpy())

    def fit(self, rows: Examples, *, l2: float) -> tuple[Tensor, Tensor]:
        """Weights (F, outputs) and biases (outputs,)."""
        weight = torch.zeros(rows.states.shape[1], self.outputs, requires_grad=True)
        bias = torch.zeros(self.outputs, requires_grad=True)
        solver = torch.optim.LBFGS([weight, bias], max_iter=60, history_size=10, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            solver.zero_grad()
            loss = self.loss(rows.states @ weight + bias, rows) + l2 * (weight**2).sum()
            loss.backward()
            return loss

        solver.step(closure)
        return weight.detach(), bias.detach()


OBJECTIVES = (
    Objective("pairs", 1, lambda out, rows: pairs(out[:, 0], rows)),
    Objective("bins", N_BINS, bins),
    Objective("bins + pairs", N_BINS, lambda out, rows: bins(out, rows) + bin_pairs(out, rows)),
    Objective(
        "bins + pairs + value", N_BINS,
        lambda out, rows: bins(out, rows) + bin_pairs(out, rows) + 10 * value(out, rows),
    ),
    Objective("ranks, squared error", 1, lambda out, rows: F.mse_loss(out[:, 0], rows.percentile / 50 - 1)),
    Objective("raw numbers, squared error", 1, lambda out, rows: F.mse_loss(out[:, 0], rows.value)),
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    asked = _arguments(arguments)
    torch.set_num_threads(asked.threads)
    data = Prepared.load(asked.prepared)
    recipe = recipe_from(data.manifest["recipe"])
    known = FrozenStates.kept_in(data, recipe.readout, asked.frozen)
    unknown = [name for name in asked.metrics if name not in data.metrics]
    if unknown:
        raise CheckpointError(str(asked.prepared), "has no such metric", value=", ".join(unknown))
    tables = [
        table for name in asked.metrics or data.metrics if (table := _compared(data, recipe, known, name)) is not None
    ]
    if not tables:
        raise CheckpointError(str(asked.frozen), "holds no states of training rows", remedy="Fit the recipe first")
    named = ["--metrics", *asked.metrics] if asked.metrics else []
    BenchmarkRecord(
        page="ablations",
        title="What a read-out is fitted to",
        command=" ".join(["python benchmarks/objectives.py PREPARED FROZEN", *named]),
        machine=machine(torch.device("cpu")),
        versions=versions(),
        told=(
            "Linear read-outs on the same frozen states; training groups out of fold (five folds; each penalty was "
            "chosen on the first, whose groups are not shown). `pairs`: Bradley-Terry on one utility. `bins`: "
            "cross-entropy on ten soft bins, ranked by the expected one; `+ pairs`: with Bradley-Terry on it; "
            "`+ value`: with its squared error. "
            "`ranks` and `raw numbers`: squared error of the percentile, and of the outcome as it was measured (the "
            "click rate; elsewhere its normal score in the group). Intervals: 95 %, over resampled groups.",
        ),
        tables=tuple(tables),
    ).save(asked.out)
    print(f"written: {asked.out}")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("frozen", type=Path, help="states that a finished run on it keeps")
    parser.add_argument("--metrics", nargs="*", default=[], help="all by default")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=RECORDED / "ablations_objectives.json")
    return parser.parse_args(arguments)


def _compared(data: Prepared, recipe: Recipe, known: FrozenStates, metric: str) -> Table | None:
    """One metric: every objective out of fold."""
    rows = known.read(training_rows(data, recipe, data.metrics.index(metric)))
    folds = folds_of(data.rows.half_hash[rows], seed=recipe.run.seed)
    if folds.max(initial=0) < 2:
        return None
    states = known.take(rows, torch.device("cpu"))
    mean, scale = standardise(states)
    whole = Examples.of(data, recipe, rows, (states - mean) / scale)
    judged = np.flatnonzero(folds != CHOOSING)
    found: dict[str, Mapping[int, float]] = {}
    for objective in OBJECTIVES:
        l2 = _penalty(data, rows, objective, whole, folds)
        scores = np.zeros(len(rows))
        for fold in np.unique(folds[judged]).tolist():
            own = np.flatnonzero(folds == fold)
            scores[own] = _apart(objective, whole, own, l2)
        found[objective.name] = dict(zip(rows[judged].tolist(), scores[judged].tolist(), strict=True))
        print(f"{metric}, {objective.name}: penalty {l2:g}", flush=True)
    source = data.sources[int(data.rows.source[rows[0]])]
    return compared(data, source, metric, rows[judged], found)


def _penalty(data: Prepared, rows: Ints, objective: Objective, whole: Examples, folds: Ints) -> float:
    """The penalty that ranks the groups of one fold best, which takes no part in the figures."""
    own = np.flatnonzero(folds == CHOOSING)
    figure = {
        l2: headline_figure(group_figures(data.rows, rows[own], _apart(objective, whole, own, l2))) or 0.0
        for l2 in PENALTIES
    }
    return max(figure, key=figure.__getitem__)


def _apart(objective: Objective, whole: Examples, own: Ints, l2: float) -> Floats:
    """Utilities of some rows by a read-out that was fitted on all others."""
    others = np.setdiff1d(np.arange(len(whole.states)), own)
    weight, bias = objective.fit(whole.take(others), l2=l2)
    return objective.utility(whole.states[torch.from_numpy(own)] @ weight + bias)


if __name__ == "__main__":
    run(main)
