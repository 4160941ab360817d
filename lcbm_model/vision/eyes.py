"""From picture files to tokens in the language model's width. Two kinds: ours, and a LLaVA checkpoint's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch

from lcbm_model.vision.images import open_picture, to_pixels

if TYPE_CHECKING:
    from torch import nn


class Eyes(Protocol):
    """Looks at pictures for a language model."""

    @property
    def tokens_per_picture(self) -> int: ...

    def look(self, paths: Sequence[Path]) -> torch.Tensor:
        """Picture tokens (N, T, D) for N picture files.

        Raises:
            PictureError: One of them cannot be used.
        """
        ...


@dataclass
class TowerEyes:
    """EfficientNet-Lite0 and our connector."""

    tower: nn.Module
    connector: nn.Module

    @property
    def tokens_per_picture(self) -> int:
        return int(self.tower.config.tokens)

    def look(self, paths: Sequence[Path]) -> torch.Tensor:
        """Picture tokens (N, 64, D) in the connector's number type."""
        weight = next(self.connector.parameters())
        pixels = torch.stack([torch.from_numpy(to_pixels(open_picture(path))) for path in paths])  # (N, 3, 256, 256)
        with torch.inference_mode():
            features = self.tower(pixels.to(weight.device)).last_hidden_state  # (N, 64, 1280) float32
            return self.connector(features.to(weight.dtype))


@dataclass
class LlavaEyes:
    """The vision tower, connector and image processor of a Hugging Face LLaVA checkpoint."""

    model: Any
    image_processor: Any

    @property
    def tokens_per_picture(self) -> int:
        config = self.model.config
        if tokens := getattr(config, "image_seq_length", None):
            return int(tokens)
        vision = config.vision_config
        return int((vision.image_size // vision.patch_size) ** 2)

    def look(self, paths: Sequence[Path]) -> torch.Tensor:
        """Picture tokens (N, T, D)."""
        pictures = [open_picture(path) for path in paths]
        pixels = self.image_processor(images=pictures, return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            out = self.model.get_image_features(pixel_values=pixels.to(self.model.device, self.model.dtype))
        features = getattr(out, "pooler_output", out)
        return features if isinstance(features, torch.Tensor) else torch.stack(list(features))
