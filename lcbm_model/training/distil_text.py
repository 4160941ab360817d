"""Several text encoders as one: an encoder that learns the mean of what they say, so that a call runs one.

Encoders tuned on other groups err on other texts, and their mean errs less, but costs a pass each. It is no new
function to learn: started from the mean of their weights, an encoder says nearly the same after some dozen steps, on
texts whose outcomes it need not know. Where groups are few (pages), that is worth more than more steps; on many small
experiments (headlines, captions) the mean itself gained nothing.
Legend: B rows, M metrics, E width of the encoder.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lcbm_model.training.checkpoint import TrainState
from lcbm_model.training.collate import Ints
from lcbm_model.training.data import Prepared
from lcbm_model.training.learned import copy_of, restore
from lcbm_model.training.settings import Recipe
from lcbm_model.training.text_tower import TextTower, TowerRun, fit_text_tower

SAMPLE = 1500
"""Training rows that fix every teacher's scale and where the heads start."""
RIDGE = 0.1
"""Penalty on what the starting heads add to the teachers' mean, beside vectors of length 1."""


def distil_text_towers(
    teachers: Sequence[TextTower], data: Prepared, recipe: Recipe, out: Path, **how: Any
) -> tuple[TextTower, TrainState]:
    """One encoder that says the mean of what its teachers say; the best step on validation is what comes back.

    Args:
        teachers: Of one recipe, and so of one shape. Each counts alike on every metric, whatever its scale.
        out: Keeps the state of an unfinished run.
        how: As `fit_text_tower` takes it.

    Raises:
        SettingsError: The data was not prepared for it.
        BackendError: The loss became NaN; the state before that step is kept.
    """
    settings = recipe.text_encoder
    settings = dataclasses.replace(settings, steps=settings.distil_steps, lr=settings.lr / 2)
    own = dataclasses.replace(recipe, text_encoder=settings)
    return fit_text_tower(data, own, out, run=partial(DistilRun, teachers), **how)


class DistilRun(TowerRun):
    """Learns what teachers say of the rows of a step, up to a constant: only differences of utilities mean anything."""

    title = "text encoder, mean of several"
    term = "distance"

    def __init__(self, teachers: Sequence[TextTower], *args: Any) -> None:
        super().__init__(*args)
        self.teachers = teachers
        rows = self.data.rows
        self.measured = np.zeros((len(self.data.sources), len(self.data.metrics)), dtype=bool)
        self.measured[rows.source[rows.metric >= 0], rows.metric[rows.metric >= 0]] = True
        self.scales: list[Tensor] = []

    def start(self) -> None:
        """Begin at the mean of the teachers' weights, with heads (M, E) that fit what they say of a sample.

        The mean of their heads, in their spreads, would do for encoders that are alike; a ridge mends what it misses.
        """
        found = [copy_of(teacher.trainable()) for teacher in self.teachers]
        restore(self.tower.trainable(), {n: torch.stack([f[n] for f in found]).mean(0) for n in found[0]})
        rows = np.random.default_rng(self.recipe.run.seed).permutation(self.rows)[:SAMPLE]
        said = [self._say(teacher, rows) for teacher in self.teachers]
        self.scales = [utility.std(0).clamp_min(1e-6) for utility in said]
        target = self._mean(said)  # (B, M)
        vectors = self.tower.states(rows)
        vectors = (vectors - vectors.mean(0)).double()
        heads = torch.stack([t.head.detach() / s[:, None] for t, s in zip(self.teachers, self.scales, strict=True)])
        heads = heads.mean(0).double().cpu().T  # (E, M)
        missed = (target - target.mean(0)).double().cpu() - vectors @ heads
        square = vectors.T @ vectors + RIDGE * torch.eye(vectors.shape[1], dtype=torch.float64)
        with torch.no_grad():
            self.tower.head.copy_((heads + torch.linalg.solve(square, vectors.T @ missed)).T)

    def loss(self, number: int) -> Tensor:
        """Squared distance to the teachers' mean over the rows of step `number` (0-based), in their spreads."""
        rows = np.concatenate(self.sampler.step(number))
        target = self._mean([self._say(teacher, rows) for teacher in self.teachers]).to(self.device)
        with self.half():
            vectors = self.tower.vectors(rows)
        gap = vectors.float() @ self.tower.head.T - target  # (B, M)
        # Of metrics that a source does not measure no teacher knows anything.
        known = torch.from_numpy(self.measured[self.data.rows.source[rows]]).to(gap)
        count = known.sum(0).clamp_min(1)
        gap = (gap - (gap * known).sum(0) / count) * known
        return gap.square().sum() / known.sum().clamp_min(1)

    def _say(self, teacher: TextTower, rows: Ints) -> Tensor:
        """Utilities (B, M) of a teacher."""
        with torch.no_grad(), self.half():
            return teacher.vectors(rows).float() @ teacher.head.detach().T

    def _mean(self, said: Sequence[Tensor]) -> Tensor:
        """Mean (B, M) of what the teachers say, each in its own spread."""
        return torch.stack([utility / scale for utility, scale in zip(said, self.scales, strict=True)]).mean(0)
