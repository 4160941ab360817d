"""What goes into a forward pass and what is read from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch


@dataclass(frozen=True)
class Item:
    """One prompt to be scored. Items are equal when everything that decides their score is."""

    shared: tuple[int, ...]
    own: tuple[int, ...]
    words: tuple[int, int]
    pictures: tuple[str, ...] = ()
    """Keys of the pictures, in order."""
    paths: tuple[Path, ...] = field(default=(), compare=False)
    """Where the pictures lie."""
    card: str = ""
    """As a text encoder may read the content (`verbalize.card`)."""

    def __len__(self) -> int:
        return len(self.shared) + len(self.own)


@dataclass(frozen=True)
class Reading:
    """What the model says about one prompt."""

    logits: tuple[float, ...]
    """(N_BINS,) of the digits 0..9."""
    utility: float | None = None


@dataclass(frozen=True)
class Unread:
    """Why one prompt could not be scored, in words for people."""

    reason: str


@dataclass(frozen=True)
class Picture:
    """One picture as the model takes it: tokens (T, D), and the tower's mean features (C,) float32."""

    tokens: torch.Tensor
    summary: torch.Tensor


Pictures = Mapping[str, Picture]
"""What was seen, by key."""


@dataclass(frozen=True)
class Row:
    """An item in line: `trail` names each of its tokens.

    Where two trails begin alike, the model sees the same: a picture's tokens stand as negative numbers of their own.
    """

    trail: tuple[int, ...]
    item: Item


@dataclass(frozen=True)
class States:
    """Hidden states of B items.

    last: (B, D) behind the closing norm at each item's last token; None where the pass stopped early.
    own: For each item the watched blocks' outputs (len(own), D), by the block's number.
    """

    last: torch.Tensor | None
    own: list[dict[int, torch.Tensor]]


class Engine(Protocol):
    """Runs items through the model; made anew for every call, so that it may remember the last pass."""

    def cost(self, before: Row | None, row: Row) -> int:
        """Tokens that a row adds to a pass behind another row (None: the pass before was lost)."""
        ...

    def run(
        self, rows: Sequence[Row], following: Row | None, pictures: Pictures, blocks: Sequence[int], stop: bool
    ) -> States:
        """One pass over rows in trail order.

        Args:
            following: First row of the next pass: what it begins with in common is worth keeping.
            blocks: Numbers of the blocks to watch.
            stop: Whether to end behind the highest of them.
        """
        ...

    def forget(self) -> None:
        """Drop what was kept of the last pass."""
        ...


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two trails share from the beginning."""
    for length, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return length
    return min(len(one), len(other))
