"""Scoring models that number a picture's tokens in two dimensions (Qwen-VL): as `padded`, with positions stated."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import DynamicCache

from lcbm_model.backbone.vl_load import VisionBackbone
from lcbm_model.backbone.watch import watching
from lcbm_model.simulator.items import Pictures, Row
from lcbm_model.simulator.padded import PaddedEngine, _tokens


class PositionedEngine(PaddedEngine):
    """Rows with one shared part run behind its key-value cache, the others whole. See `Engine`."""

    backbone: VisionBackbone

    def _shared(self, name: object, row: Row, pictures: Pictures) -> DynamicCache:
        if self._cache is None or self._cache[0] != name:
            cache = DynamicCache(config=self.backbone.language_model.config.get_text_config())
            embeddings = self.backbone.embed(row.item.shared, _tokens(row, pictures))  # (1, P, D)
            positions = self.backbone.positions(row.item.shared, row.item.paths)[:, None].to(embeddings.device)
            self.backbone.decoder(
                inputs_embeds=embeddings, position_ids=positions, past_key_values=cache, use_cache=True
            )  # fmt: skip
            self._cache = name, cache
        return self._cache[1]

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
        parts, places = [], []
        for i, item, sequence in zip(members, items, sequences, strict=True):
            missing = longest - len(sequence)
            padded = sequence + (sequence[-1],) * missing
            parts.append(self.backbone.embed(padded, None if cache is not None else _tokens(rows[i], pictures)))
            whole = self.backbone.positions(item.shared + item.own, item.paths)[:, -len(sequence) :]  # (3, l)
            places.append(torch.cat([whole, whole[:, -1:].expand(-1, missing)], dim=1))
        past = copy.deepcopy(cache)
        if past is not None:
            past.batch_repeat_interleave(len(items))
        closing: Tensor | None = None
        positions = torch.stack(places, dim=1).to(self.backbone.device)  # (3, B, L)
        with watching(self.backbone.layers, blocks, stop=stop) as caught:
            closing = self.backbone.decoder(
                inputs_embeds=torch.cat(parts), position_ids=positions, past_key_values=past, use_cache=past is not None
            ).last_hidden_state  # (B, L, D)
        for place, (i, item, sequence) in enumerate(zip(members, items, sequences, strict=True)):
            if closing is not None:
                last[i] = closing[place, len(sequence) - 1]
            begin = len(sequence) - len(item.own)
            own[i] = {number: found[place, begin : len(sequence)] for number, found in caught.items()}
