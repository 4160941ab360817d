"""The layout of a pass: prompts written one behind the other, each without what it shares with the one before.

That is the preorder of their prefix tree. In it a token sees an earlier one exactly if it lies in that one's subtree:

    visible(key, query) = key <= query < end[key]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lcbm_model.simulator.items import Row, common

MIN_TRUNK = 32
"""Tokens. A shorter common beginning is attended to with the rest."""


@dataclass(eq=False)
class Kept:
    """The path (P tokens) that the next pass begins with: keys and values (P, K, d) by layer, states (P, D)."""

    trail: tuple[int, ...] = ()
    keys: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    states: dict[int, Tensor] = field(default_factory=dict)

    @property
    def length(self) -> int:
        return len(self.trail)

    def first(self, length: int) -> Kept:
        """Its beginning, by views."""
        return Kept(
            self.trail[:length],
            {layer: (keys[:length], values[:length]) for layer, (keys, values) in self.keys.items()},
            {number: states[:length] for number, states in self.states.items()},
        )

    def copied(self) -> Kept:
        """The same in memory of its own."""
        return Kept(
            self.trail,
            {layer: (keys.clone(), values.clone()) for layer, (keys, values) in self.keys.items()},
            {number: states.clone() for number, states in self.states.items()},
        )

    def bytes(self) -> int:
        """Of all its tensors."""
        tensors = [*(part for pair in self.keys.values() for part in pair), *self.states.values()]
        return sum(tensor.nbytes for tensor in tensors)


@dataclass(frozen=True)
class Span:
    """Queries that attend in one call, by their places among the new tokens.

    keys: Which they may see, by index.
    bias: (n * G, keys), what is added to their scores: -inf hides a key.
    """

    start: int
    stop: int
    keys: slice | Tensor
    bias: Tensor


@dataclass
class Tree:
    """Layout of one pass. Indices count the kept path first, then the new tokens in preorder.

    tokens, positions: Of the T new tokens.
    paths: For each row the indices of all its tokens.
    ends: For each index the end of its subtree.
    trunk: So many indices from 0 on are the beginning of every row.
    """

    known: Kept
    tokens: list[int]
    positions: list[int]
    paths: list[list[int]]
    ends: list[int]
    trunk: int
    keep: Tensor | None = None
    next: Kept = field(default_factory=Kept)

    @classmethod
    def of(cls, rows: Sequence[Row], known: Kept) -> Tree:
        """Layout of rows in trail order, behind the kept path as far as they begin with it."""
        tokens: list[int] = []
        positions: list[int] = []
        ends = [0] * known.length
        paths: list[list[int]] = []
        path = list(range(known.length))
        before = known.trail
        for row in rows:
            shared = common(before, row.trail)
            for place in path[shared:]:
                ends[place] = len(ends)
            path = [*path[:shared], *range(len(ends), len(ends) + len(row.trail) - shared)]
            tokens += row.trail[shared:]
            positions += range(shared, len(row.trail))
            ends += [0] * (len(row.trail) - shared)
            paths.append(path)
            before = row.trail
        for place in path:
            ends[place] = len(ends)
        # In order, the first and the last row differ no later than any other two.
        together = common(rows[0].trail, rows[-1].trail)
        trunk = next((i for i, place in enumerate(paths[0][:together]) if place != i), together)
        return cls(known, tokens, positions, paths, ends, trunk if trunk >= MIN_TRUNK else 0)

    @property
    def branches(self) -> int:
        """Place of the first new token behind the trunk."""
        return max(0, self.trunk - self.known.length)

    def cut(self, start: int, stop: int, chunk: int, *, behind: int, groups: int, like: Tensor) -> list[Span]:
        """Queries from place `start` to `stop` in spans of `chunk`, with the keys they see from index `behind` on.

        Args:
            groups: G query heads share one key head.
        """
        ends = torch.tensor(self.ends)
        first, spans = self.known.length, []
        for begin in range(start + first, stop + first, chunk):
            end = min(stop + first, begin + chunk)
            seen = torch.nonzero(ends[behind:end] > begin)[:, 0] + behind  # (keys,)
            query = torch.arange(begin, end)[:, None]
            hidden = (seen[None] > query) | (query >= ends[seen][None])
            bias = torch.zeros(hidden.shape, dtype=like.dtype).masked_fill_(hidden, float("-inf"))
            whole = len(seen) == int(seen[-1]) + 1 - int(seen[0])
            keys = slice(int(seen[0]), int(seen[-1]) + 1) if whole else seen.to(like.device)
            bias = bias.repeat_interleave(groups, dim=0).to(like.device)
            spans.append(Span(begin - first, end - first, keys, bias))
        return spans

    def join(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of the kept path and the new tokens; those that the next pass needs are put aside."""
        if self.known.length:
            before = self.known.keys[layer]
            keys, values = (torch.cat(pair) for pair in zip(before, (keys, values), strict=True))
        if self.keep is not None:
            self.next.keys[layer] = keys[self.keep], values[self.keep]
        return keys, values
