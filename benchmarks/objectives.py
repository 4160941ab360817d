"""What a read-out is fitted to: pairs, soft bins (with pairs, with a value term), ranks, raw numbers, their digits.

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

TITLE = "What a read-out is fitted to"
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
    digits: Tensor  # (n, D) of the number as one would write it
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
        rates = bool((data.rows.exposure[rows] > 0).all())
        digits = written(value if rates else percentile, rates=rates)
        value = (value - value.mean()) / value.std().clamp_min(1e-6)
        left, right, apart = (torch.from_numpy(side[keep]) for side in (i, j, z.astype(np.float32)))
        return cls(states, percentile, reliability, value, digits, left, right, apart)

    def take(self, places: Ints) -> Examples:
        """Some of the rows, and the pairs both sides of which are among them."""
        at = torch.full((len(self.states),), -1)
        index = torch.from_numpy(places)
        at[index] = torch.arange(len(places))
        left, right = at[self.left], at[self.right]
        both = (left >= 0) & (right >= 0)
        states, percentile, reliability, value, digits = (
            column[index] for column in (self.states, self.percentile, self.reliability, self.value, self.digits)
        )
        return Examples(states, percentile, reliability, value, digits, left[both], right[both], self.z[both])


def written(numbers: Tensor, *, rates: bool) -> Tensor:
    """Digits (n, D) of rates (0..1: per cent to two places, D = 4) or percentiles (0..100: whole, D = 2)."""
    whole = (numbers * 10_000 if rates else numbers).round().long().clamp(0, 9_999 if rates else 99)
    places = [1000, 100, 10, 1] if rates else [10, 1]
    return torch.stack([whole // place % 10 for place in places], dim=1)


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


def next_digits(outputs: Tensor) -> list[Tensor]:
    """Log-probabilities of each digit given the one before it: (n, 1, 10) of the first, (n, 10, 10) of every other."""
    first, rest = outputs[:, :10], outputs[:, 10:]
    return [part.log_softmax(-1) for part in (first[:, None], *rest.reshape(len(outputs), -1, 10, 10).unbind(1))]


def digits(outputs: Tensor, rows: Examples) -> Tensor:
    """Cross-entropy of the number written out, digit after digit, as a language model learns it."""
    before, total = torch.zeros(len(outputs), dtype=torch.long), outputs.new_zeros(())
    every = torch.arange(len(outputs))
    for place, said in enumerate(next_digits(outputs)):
        own = rows.digits[:, place]
        total = total - said[every, before, own].mean()
        before = own
    return total


def expected_number(outputs: Tensor) -> Tensor:
    """(n,) the mean of the number over all ways to write it, in units of its first digit."""
    place, mean = 1.0, outputs.new_zeros(len(outputs))
    chance = outputs.new_ones((len(outputs), 1))
    for said in next_digits(outputs):
        chance = (chance[:, :, None] * said.exp()).sum(1)  # (n, 10)
        mean = mean + place * (chance @ torch.arange(10.0))
        place /= 10
    return mean


def only(outputs: Tensor) -> Tensor:
    return outputs[:, 0]


@dataclass(frozen=True)
class Objective:
    """A loss of a linear read-out: how many numbers a row it yields for rows, and what these are ranked by, (n,)."""

    name: str
    outputs: Callable[[Examples], int]
    loss: Loss
    ranked: Callable[[Tensor], Tensor]

    def utility(self, outputs: Tensor) -> Floats:
        """(n,) what rows are ranked by."""
        return np.asarray(self.ranked(outputs).double().numpy())

    def fit(self, rows: Examples, *, l2: float) -> tuple[Tensor, Tensor]:
        """Weights (F, outputs) and biases (outputs,)."""
        outputs = self.outputs(rows)
        weight = torch.zeros(rows.states.shape[1], outputs, requires_grad=True)
        bias = torch.zeros(outputs, requires_grad=True)
        solver = torch.optim.LBFGS([weight, bias], max_iter=60, history_size=10, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            solver.zero_grad()
            loss = self.loss(rows.states @ weight + bias, rows) + l2 * (weight**2).sum()
            loss.backward()
            return loss

        solver.step(closure)
        return weight.detach(), bias.detach()


def one(rows: Examples) -> int:
    return 1


def ten(rows: Examples) -> int:
    return N_BINS


def for_digits(rows: Examples) -> int:
    return 10 + 100 * (rows.digits.shape[1] - 1)


OBJECTIVES = (
    Objective("pairs", one, lambda out, rows: pairs(only(out), rows), only),
    Objective("bins", ten, bins, losses.expected_percentile),
    Objective(
        "bins + pairs", ten,
        lambda out, rows: bins(out, rows) + bin_pairs(out, rows), losses.expected_percentile,
    ),
    Objective(
        "bins + pairs + value", ten,
        lambda out, rows: bins(out, rows) + bin_pairs(out, rows) + 10 * value(out, rows), losses.expected_percentile,
    ),
    Objective("ranks, squared error", one, lambda out, rows: F.mse_loss(only(out), rows.percentile / 50 - 1), only),
    Objective("raw numbers, squared error", one, lambda out, rows: F.mse_loss(only(out), rows.value), only),
    Objective("numbers as text", for_digits, digits, expected_number),
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
    named += ["--title", f'"{asked.title}"'] if asked.title != TITLE else []
    BenchmarkRecord(
        page="ablations",
        title=asked.title,
        command=" ".join(["python benchmarks/objectives.py PREPARED FROZEN", *named]),
        machine=machine(torch.device("cpu")),
        versions=versions(),
        told=(
            "Linear read-outs on the same frozen states; training groups out of fold (five folds; each penalty was "
            "chosen on the first, whose groups are not shown). `pairs`: Bradley-Terry on one utility. `bins`: "
            "cross-entropy on ten soft bins, ranked by the expected one; `+ pairs`: with Bradley-Terry on it; "
            "`+ value`: with its squared error. "
            "`ranks` and `raw numbers`: squared error of the percentile, and of the outcome as it was measured (the "
            "click rate; elsewhere its normal score in the group). `numbers as text`: cross-entropy of the click rate "
            "in per cent to two places (elsewhere of the percentile), digit after digit, each from the states and the "
            "digit before it; ranked by the number expected. Intervals: 95 %, over resampled groups.",
        ),
        tables=tuple(tables),
    ).save(asked.out)
    print(f"written: {asked.out}")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("frozen", type=Path, help="states that a finished run on it keeps")
    parser.add_argument("--metrics", nargs="*", default=[], help="all by default")
    parser.add_argument("--title", default=TITLE, help="of the section of docs/ablations.md")
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
