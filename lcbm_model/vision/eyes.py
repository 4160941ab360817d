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

    from lcbm_model.vision.efficientnet import EfficientNetLiteTower


@dataclass(frozen=True)
class Sight:
    """What was seen on N pictures: tokens (N, T, D) for the language model, summary (N, C) float32 for value heads.

    The summary is the mean of the vision tower's own features, before the connector.
    """

    tokens: torch.Tensor
    summary: torch.Tensor


class Eyes(Protocol):
    """Looks at pictures for a language model."""

    @property
    def tokens_per_picture(self) -> int: ...

    def look(self, paths: Sequence[Path]) -> Sight:
        """What is on N picture files.

        Raises:
            PictureError: One of them cannot be used.
        """
        ...


@dataclass
class TowerEyes:
    """EfficientNet-Lite0 and our connector."""

    tower: EfficientNetLiteTower
    connector: nn.Module

    @property
    def tokens_per_picture(self) -> int:
        return int(self.tower.config.tokens)

    def look(self, paths: Sequence[Path]) -> Sight:
        """Tokens (N, 64, D) in the connector's number type, summary (N, 1280)."""
        weight = next(self.connector.parameters())
        pixels = torch.stack([torch.from_numpy(to_pixels(open_picture(path))) for path in paths])  # (N, 3, 256, 256)
        with torch.inference_mode():
            features = self.tower(pixels.to(weight.device)).last_hidden_state  # (N, 64, 1280) float32
            return Sight(self.connector(features.to(weight.dtype)), features.mean(dim=1))


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

    def look(self, paths: Sequence[Path]) -> Sight:
        """Tokens (N, T, D); the summary (N, D) is their mean, these towers are not read on their own."""
        pictures = [open_picture(path) for path in paths]
        pixels = self.image_processor(images=pictures, return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            out = self.model.get_image_features(pixel_values=pixels.to(self.model.device, self.model.dtype))
        found = getattr(out, "pooler_output", out)
        tokens = found if isinstance(found, torch.Tensor) else torch.stack(list(found))
        return Sight(tokens, tokens.float().mean(dim=1))
