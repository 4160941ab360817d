"""Scoring models that number a picture's tokens in two dimensions (Qwen-VL): as `padded`, with positions stated."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lcbm_model.backbone.vl_load import VisionBackbone
from lcbm_model.simulator.items import Item
from lcbm_model.simulator.padded import PaddedEngine


class PositionedEngine(PaddedEngine):
    """Rows with one shared part run behind its key-value cache, the others whole. See `Engine`."""

    backbone: VisionBackbone

    def _positions(self, items: Sequence[Item], starts: Sequence[int], longest: int) -> dict[str, Tensor]:
        """`position_ids` (3, B, longest); padding stays where the last token is."""
        places = []
        for item, start in zip(items, starts, strict=True):
            own = self.backbone.positions(item.shared + item.own, item.paths)[:, start : start + longest]  # (3, l)
            places.append(torch.cat([own, own[:, -1:].expand(-1, longest - own.shape[1])], dim=1))
        return {"position_ids": torch.stack(places, dim=1).to(self.backbone.device)}
