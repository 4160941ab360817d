"""The way for architectures whose attention we do not reproduce: right-padded batches on a repeated cache.

Under a causal mask nothing real ever looks at padding on its right, so no padding mask is needed.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import DynamicCache

from lcbm_model.backbone.model import Backbone
from lcbm_model.backbone.watch import watching
from lcbm_model.simulator.items import Item, Pictures, Row, States

MIN_SHARED = 8
"""Tokens. A shorter shared beginning is not worth a pass of its own."""


class PaddedEngine:
    """Rows with one shared part run behind its key-value cache, the others whole. See `Engine`."""

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone
        self._cache: tuple[object, DynamicCache] | None = None

    def cost(self, before: Row | None, row: Row) -> int:
        """All tokens: behind a repeated cache each row holds keys for all of them."""
        return len(row.trail)

    def forget(self) -> None:
        """Drop the shared part's cache."""
        self._cache = None

    def run(
        self, rows: Sequence[Row], following: Row | None, pictures: Pictures, blocks: Sequence[int], stop: bool
    ) -> States:
        """One pass over rows, as one batch for each shared part that repeats and one for all others."""
        groups: dict[object, list[int]] = defaultdict(list)
        for number, row in enumerate(rows):
            groups[row.item.shared, row.item.pictures].append(number)
        last: dict[int, Tensor] = {}
        own: dict[int, dict[int, Tensor]] = {}
        alone: list[int] = []
        for shared, members in groups.items():
            first = rows[members[0]]
            again = self._cache is not None and self._cache[0] == shared
            if (len(members) > 1 or again) and len(first.item.shared) >= MIN_SHARED:
                cache = self._shared(shared, first, pictures)
                self._batch(members, rows, pictures, cache, blocks, stop, last, own)
            else:
                alone += members
        if alone:
            self._batch(alone, rows, pictures, None, blocks, stop, last, own)
        closing = torch.stack([last[i] for i in range(len(rows))]) if last else None
        return States(closing, [own[i] for i in range(len(rows))])

    def _shared(self, name: object, row: Row, pictures: Pictures) -> DynamicCache:
        """Keys and values of a shared part, computed unless they are those of the last pass."""
        if self._cache is None or self._cache[0] != name:
            cache = DynamicCache(config=self.backbone.language_model.config.get_text_config())
            embeddings = self.backbone.embed(row.item.shared, _tokens(row, pictures))  # (1, P, D)
            placed = self._positions([row.item], [0], len(row.item.shared))
            self.backbone.decoder(inputs_embeds=embeddings, past_key_values=cache, use_cache=True, **placed)
            self._cache = name, cache
        return self._cache[1]

    def _positions(self, items: Sequence[Item], starts: Sequence[int], longest: int) -> dict[str, Tensor]:
        """The decoder's argument for the positions of `longest` tokens of each item from its start on, where needed."""
        return {}

    def _batch(
        self,
        members: Sequence[int],
        rows: Sequence[Row],
        pictures: Pictures,
        cache: DynamicCache | None,
        blocks: Sequence[int],
        stop: bool,
        last: dict[int, Tensor],
        own: dict[int, dict[int, Tensor]],
    ) -> None:
        """One forward pass for B rows, L being the longest: whole prompts, or own parts on a repeated cache."""
        items = [rows[i].item for i in members]
        sequences = [item.own if cache is not None else item.shared + item.own for item in items]
        longest = max(map(len, sequences))
        parts = []
        for i, sequence in zip(members, sequences, strict=True):
            padded = sequence + (sequence[-1],) * (longest - len(sequence))
            parts.append(self.backbone.embed(padded, None if cache is not None else _tokens(rows[i], pictures)))
        past = copy.deepcopy(cache)
        if past is not None:
            past.batch_repeat_interleave(len(items))
        placed = self._positions(items, [len(item.shared) if cache is not None else 0 for item in items], longest)
        closing: Tensor | None = None
        with watching(self.backbone.layers, blocks, stop=stop) as caught:
            closing = self.backbone.decoder(
                inputs_embeds=torch.cat(parts), past_key_values=past, use_cache=past is not None, **placed
            ).last_hidden_state  # (B, L, D)
        for place, (i, item, sequence) in enumerate(zip(members, items, sequences, strict=True)):
            if closing is not None:
                last[i] = closing[place, len(sequence) - 1]
            begin = len(sequence) - len(item.own)
            own[i] = {number: found[place, begin : len(sequence)] for number, found in caught.items()}


def _tokens(row: Row, pictures: Pictures) -> Tensor | None:
    """Picture tokens (N * T, D) of a row, in order."""
    keys = row.item.pictures
    return torch.cat([pictures[key].tokens for key in keys]) if keys else None
