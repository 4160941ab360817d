"""The text encoders of a recipe: one for all comparisons, or one for some sources each.

What makes a caption funny is not what makes a headline clicked: tuned together, each kept the other from its best step
(train_recipes/LOG.md). A score belongs to one metric, so that it takes one encoder, however many there are.
Legend: M metrics, E width of the encoders.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lcbm_model.errors import SettingsError
from lcbm_model.training.checkpoint import TrainState
from lcbm_model.training.collate import Ints
from lcbm_model.training.data import TEXT, Prepared
from lcbm_model.training.settings import Recipe
from lcbm_model.training.text_tower import Report, TextTower, fit_text_tower


class TextTowers:
    """Tuned encoders by name, and which of them reads for each metric.

    Attributes:
        head: (M, E) each metric's weights on its encoder's vectors; zeros where none reads for it.
        metrics: The metrics of each encoder by its name; empty for one that stands for all.
    """

    def __init__(self, data: Prepared, towers: dict[str, TextTower], sources: dict[str, list[str]]) -> None:
        """Put them together.

        Args:
            sources: Of each encoder by its name: what it learned from.

        Raises:
            SettingsError: Two encoders learned one metric.
        """
        self.towers, self._rows = towers, data.rows
        first = next(iter(towers.values()))
        self.base_hash, self.width = first.base_hash, first.encoder.width
        self.head = torch.zeros(len(data.metrics), self.width)
        self.metrics: dict[str, tuple[str, ...]] = {}
        self._of: dict[int, TextTower] = {}
        for name, tower in towers.items():
            learned = _metrics_of(data, sources[name])
            if twice := sorted(learned & set(self._of)):
                remedy = "Let one encoder learn all sources that measure it"
                value = data.metrics[twice[0]]
                raise SettingsError("text_encoder.towers", "two encoders learn one metric", value=value, remedy=remedy)
            for metric in learned:
                self._of[metric] = tower
                self.head[metric] = tower.head.detach().cpu()[metric]
            if name:
                self.metrics[name] = tuple(data.metrics[metric] for metric in sorted(learned))

    def states(self, rows: Ints) -> Tensor:
        """Vectors (n, E) of rows, each by its metric's encoder, on the CPU; zeros where none reads for it."""
        found = torch.zeros(len(rows), self.width)
        for metric in np.unique(self._rows.metric[rows]).tolist():
            if metric in self._of:
                own = np.flatnonzero(self._rows.metric[rows] == metric)
                found[torch.from_numpy(own)] = self._of[metric].states(rows[own])
        return found

    def updates(self) -> dict[str, Tensor]:
        """Low-rank updates by the names that checkpoints use."""
        return {
            f"{name}.{key}" if name else key: value
            for name, tower in self.towers.items()
            for key, value in tower.updates().items()
        }


def fit_text_towers(
    data: Prepared,
    recipe: Recipe,
    out: Path,
    *,
    device: torch.device,
    folder: Path | None = None,
    resume: bool = False,
    save: bool = True,
    report: Report = lambda event: None,
) -> tuple[TextTowers, dict[str, TrainState]]:
    """Tune every encoder of a recipe, one after the other, and say where each of them ended.

    Args:
        out: Keeps the states of an unfinished run, of each encoder in a folder of its name.
        folder: Of the encoder's own weights; None: the packaged one.

    Raises:
        SettingsError: The data was not prepared for it, or two encoders learn one metric.
        BackendError: A loss became NaN; the state before that step is kept.
    """
    towers: dict[str, TextTower] = {}
    states: dict[str, TrainState] = {}
    sources: dict[str, list[str]] = {}
    for name, settings in recipe.text_encoder.each().items():
        own = dataclasses.replace(recipe, text_encoder=settings)
        towers[name], states[name] = fit_text_tower(
            data, own, out / name,
            device=device, folder=folder, resume=resume, save=save,
            report=partial(_named, report, name),
        )  # fmt: skip
        sources[name] = [s for s, share in (settings.mix or recipe.run.mix).items() if share > 0]
    return TextTowers(data, towers, sources), states


def _named(report: Report, name: str, event: dict[str, Any]) -> None:
    report({**event, "encoder": name} if name else event)


def _metrics_of(data: Prepared, sources: list[str]) -> set[int]:
    """Numbers of the metrics that sources measure."""
    numbers = [data.sources.index(name) for name in sources if name in data.sources]
    found = np.unique(data.rows.metric[np.isin(data.rows.source, numbers)])
    return {int(metric) for metric in found if metric != TEXT}
