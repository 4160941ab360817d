"""Qwen2-VL and Qwen2.5-VL: pictures of any resolution, positions in three dimensions, the merger as connector."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lcbm_model.training.architectures.base import BaseFiles, Pictures, Seen, Told
from lcbm_model.training.architectures.pixels import STEP, PixelArchitecture, distinct, trainable

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lcbm_model.backbone.chat import PromptEncoder


class QwenVLArchitecture(PixelArchitecture):
    """Pictures are packed as (P, 1 + patches, 3 * patch * patch): a first line with rows and columns, then patches."""

    name: ClassVar[str] = "qwen_vl"
    model_types: ClassVar[tuple[str, ...]] = ("qwen2_vl", "qwen2_5_vl")

    def largest(self, folder: Path) -> int:
        """Pictures are scaled down to `LARGEST` tokens."""
        from lcbm_model.backbone.vl import LARGEST, image_processor

        processor = image_processor(folder, largest=LARGEST)
        return int(processor.size["longest_edge"] // (processor.patch_size * processor.merge_size) ** 2)

    def encoder(self, base: BaseFiles, tokenizer: Any) -> PromptEncoder:
        """Picture tokens between the marks that begin and end vision, in the model's chat template."""
        from transformers import AutoConfig

        from lcbm_model.backbone.vl import (
            LARGEST,
            PicturePromptEncoder,
            adopt_template,
            grid_of,
            image_processor,
        )
        from lcbm_model.vision.images import open_picture

        config: Any = AutoConfig.from_pretrained(base.folder)
        processor = image_processor(base.folder, largest=LARGEST)

        @cache
        def count(path: Path) -> int:
            high, wide = grid_of(processor, open_picture(path))
            return int(high * wide // processor.merge_size**2)

        return PicturePromptEncoder(
            adopt_template(tokenizer, base.folder),
            image_token=int(config.image_token_id),
            tokens_per_picture=base.tokens_per_picture,
            count=count,
            around=((int(config.vision_start_token_id),), (int(config.vision_end_token_id),)),
        )

    def pictures(self, base: BaseFiles, paths: Sequence[str], told: Told) -> Pictures:
        """Patches as the model's own processor cuts them, padded with zeros to the largest picture."""
        from lcbm_model.backbone.vl import LARGEST, image_processor
        from lcbm_model.vision.images import open_picture

        if not paths:
            return Pictures(np.zeros((0, 1, 1), np.uint8), STEP, ())
        told(f"looking at {len(paths)} pictures")
        processor = image_processor(base.folder, largest=LARGEST)
        found, grids = [], []
        for path in paths:
            out = processor(images=open_picture(path), do_rescale=False, do_normalize=False, return_tensors="np")
            patches = out["pixel_values"].reshape(-1, 3, processor.temporal_patch_size, processor.patch_size**2)
            # A still picture is a film of equal frames: one of them is kept.
            found.append(np.clip(np.rint(patches[:, :, 0].reshape(len(patches), -1)), 0, 255).astype(np.uint8))
            grids.append(out["image_grid_thw"][0, 1:])
        packed = np.zeros((len(paths), 1 + max(map(len, found)), found[0].shape[1]), np.uint8)
        for row, patches, grid in zip(packed, found, grids, strict=True):
            row[0, :2] = grid
            row[1 : 1 + len(patches)] = patches
        return Pictures(packed, STEP, tuple(len(patches) // processor.merge_size**2 for patches in found))

    def take_connector(self, model: Any, channels: int) -> nn.Module:
        """`visual.merger`; in its place patches are only laid side by side, four to a token."""
        from torch import nn

        visual = model.model.visual
        connector = visual.merger
        visual.merger = nn.Sequential(nn.Unflatten(0, (-1, visual.spatial_merge_size**2)), nn.Flatten(1))
        return trainable(connector)

    def look(self, model: Any, connector: nn.Module, pictures: Tensor) -> Seen:
        """The tower's patches, frozen, through the merger."""
        import torch

        shown, number = distinct(pictures)
        visual: Any = model.model.visual
        sides = (shown[:, 0, :2] / STEP).round().long()  # (M, 2) rows and columns of patches
        grid = torch.cat([torch.ones_like(sides[:, :1]), sides], dim=1)
        sizes = sides.prod(1).tolist()
        patches = torch.cat([picture[1 : 1 + size] for picture, size in zip(shown, sizes, strict=True)])
        frames = int(visual.config.temporal_patch_size)
        scaled = model.pixel_scale.apply(patches.view(len(patches), 3, -1))  # (S, 3, patch * patch)
        film = scaled[:, :, None].expand(-1, -1, frames, -1).reshape(len(patches), -1)
        with torch.no_grad():
            out = visual(film.to(model.dtype), grid_thw=grid)
        found = getattr(out, "pooler_output", out)  # (S / 4, 4 * C)
        kind = next(connector.parameters()).dtype
        tokens = connector(found.reshape(len(patches), -1).to(kind))  # (S / 4, D)
        merge = int(visual.spatial_merge_size)
        counts = sides.prod(1) // merge**2
        parts = tokens.split(counts.tolist())
        whole = torch.nn.utils.rnn.pad_sequence(list(parts), batch_first=True)  # (M, K, D)
        summary = torch.stack([part.float().mean(0) for part in parts])
        return Seen(whole[number], counts[number], summary[number], (sides // merge)[number])

    def positions(self, rows: int, length: int, at: Tensor, shown: Tensor, seen: Seen | None) -> Tensor:
        """(3, B, L): time, height, width. A picture's tokens share one time; text goes on behind its longer side."""
        import torch

        place = torch.arange(length, device=at.device)[None]  # (1, L)
        if seen is None or seen.grid is None:
            return place.expand(3, rows, -1)
        start, high, wide = (torch.zeros(rows, dtype=torch.long, device=at.device) for _ in range(3))
        start[shown], high[shown], wide[shown] = at, seen.grid[:, 0], seen.grid[:, 1]
        return picture_positions(place, start[:, None], high[:, None], wide[:, None])


def picture_positions(place: Tensor, start: Tensor, high: Tensor, wide: Tensor) -> Tensor:
    """Positions (3, B, L) of rows with one picture each.

    Args:
        place: (1, L) numbers of the tokens.
        start, high, wide: (B, 1) first token, rows and columns of the picture; 0 rows: there is none.
    """
    import torch

    inside = place - start
    size = high * wide
    text = torch.where(inside >= size, place - size + torch.maximum(high, wide), place)
    shown = (inside >= 0) & (inside < size)
    column = wide.clamp_min(1)
    return torch.stack(
        [
            torch.where(shown, start.expand_as(inside), text),
            torch.where(shown, start + inside.div(column, rounding_mode="floor"), text),
            torch.where(shown, start + inside % column, text),
        ]
    )
