"""What many rows begin with, encoded once: keys and values of the shared part stand in front of every row's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lcbm_model.training.data import Rows

LEAST_SHARED = 8
"""Tokens. A shorter common beginning is not worth a pass of its own."""
FREQUENT = 8
"""Rows. Fewer that begin exactly alike share a pass with others of their kind, behind what those have in common."""


class SharedKeys:
    """Stands in for a key-value cache during one block: keeps the first pass, prepends it to the second.

    Differentiable, unlike a cache that is filled in place.
    """

    def __init__(self) -> None:
        self._kept: tuple[Tensor, Tensor] | None = None

    def update(self, keys: Tensor, values: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Keys and values (B, H, T, d) to attend to."""
        if self._kept is None:
            self._kept = keys, values  # (1, H, P, d)
            return keys, values
        before = (kept.expand(len(keys), -1, -1, -1) for kept in self._kept)
        first, second = (torch.cat(pair, dim=2) for pair in zip(before, (keys, values), strict=True))
        return first, second


def mask_behind(shared: int, own: int, device: torch.device) -> Tensor:
    """(1, 1, own, shared + own) True where a token may look: the whole shared part, and what came before it."""
    row = torch.arange(own, device=device)[:, None]
    column = torch.arange(shared + own, device=device)[None]
    return (column <= row + shared)[None, None]


def beginnings(rows: Rows, chosen: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which of the chosen rows (n,) should stand in one forward pass, and what each then costs.

    Returns:
        numbers (n,): rows of one number begin exactly alike where that beginning is frequent, else are of one kind.
        tokens (n,): what is left of each row behind its beginning.
    """
    keys, index, counts = np.unique(rows.prefix_keys[chosen], return_inverse=True, return_counts=True)
    del keys
    often = counts[index] >= FREQUENT
    numbers = np.where(often, index, -1 - rows.prompt_kinds[chosen])
    return numbers, np.where(often, rows.lengths[chosen] - rows.own_start[chosen], rows.lengths[chosen])


def shared_length(rows: Rows, chosen: npt.NDArray[np.int64]) -> int:
    """Tokens that all chosen rows begin with, none of them a candidate's own and no picture but one they share."""
    if len(chosen) < 2:
        return 0
    most = int(rows.own_start[chosen].min())
    shown = rows.picture[chosen]
    if (shown >= 0).any() and len(np.unique(shown)) > 1:
        most = min(most, int(rows.picture_at[chosen][shown >= 0].min()))
    table = rows.tokens[rows.offsets[chosen][:, None] + np.arange(most)]  # (n, most)
    differs = (table != table[:1]).any(axis=0)
    length = int(differs.argmax()) if differs.any() else most
    return length if length >= LEAST_SHARED else 0
