"""The text encoder out of fold: one tuned on either half of the groups scores what the other one was tuned on.

A read-out is joined and calibrated on what its parts say of texts they did not see. Of validation alone that is ten
contests; so it is all training contests behind the probe.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from lcbm_model.errors import SettingsError
from lcbm_model.training.collate import Ints
from lcbm_model.training.data import Prepared
from lcbm_model.training.settings import Recipe
from lcbm_model.training.text_tower import Report, TextTower, fit_text_tower

HALVES: tuple[Literal["a", "b"], ...] = ("a", "b")


class CrossText:
    """Two encoders, each tuned on one half of the groups with half of the steps.

    Args:
        towers: By the half they were tuned on.
    """

    def __init__(self, data: Prepared, towers: dict[str, TextTower]) -> None:
        self._data, self.towers = data, towers

    def utility(self, rows: Ints, metric: int, *, held: Ints, like: Tensor) -> Tensor:
        """Utilities (n,) of training rows of one metric by the encoder that did not see their half.

        Args:
            held: (m,) rows that no encoder saw.
            like: (m,) what the encoder tuned on both halves says of them: the scale of the answer. Without two of
                them all answers are 0.
        """
        found = torch.zeros(len(rows))
        if len(held) < 2:  # no scale
            return found
        for half, tower in self.towers.items():
            other = np.flatnonzero(np.isin(rows, self._data.select(split="train", half=half), invert=True))
            weight = tower.head.detach().cpu()[metric]
            own = tower.states(held) @ weight
            scale = float(like.std() / own.std()) if float(own.std()) > 1e-9 else 0.0
            found[torch.from_numpy(other)] = (tower.states(rows[other]) @ weight - own.mean()) * scale + like.mean()
        return found


def fit_cross_text(data: Prepared, recipe: Recipe, out: Path, **how: Any) -> CrossText:
    """Tune an encoder on either half.

    Args:
        out: Keeps the state of an unfinished run, of each half in a folder of its name.
        how: As `fit_text_tower` takes it.

    Raises:
        SettingsError: The run has one half of the groups itself.
    """
    if recipe.run.half != "all":
        remedy = "Switch text_encoder.cross_fit off for a twin"
        raise SettingsError("text_encoder.cross_fit", "needs both halves", value=recipe.run.half, remedy=remedy)
    sources = [data.sources.index(name) for name in recipe.text_encoder.mix or recipe.run.mix if name in data.sources]
    for half in HALVES:
        if not np.isin(data.rows.source[data.select(split="train", half=half)], sources).any():
            remedy = "Switch it off: there are too few groups"
            raise SettingsError("text_encoder.cross_fit", "a half of the groups has no rows", value=half, remedy=remedy)
    settings = dataclasses.replace(recipe.text_encoder, steps=max(1, recipe.text_encoder.steps // 2))
    report = how.pop("report", lambda event: None)
    towers: dict[str, TextTower] = {}
    for half in HALVES:
        own = dataclasses.replace(recipe, run=dataclasses.replace(recipe.run, half=half), text_encoder=settings)
        towers[half], _ = fit_text_tower(data, own, out / half, report=partial(_of_half, report, half), **how)
    return CrossText(data, towers)


def _of_half(report: Report, half: str, event: dict[str, Any]) -> None:
    report({**event, "tower": f"{event['tower']}, half {half}"})
