"""LLaVA 1.5: CLIP tower, a two-layer connector, a Llama decoder; every picture takes the same number of tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lcbm_model.training.architectures.base import BaseFiles, Pictures, Seen, Told
from lcbm_model.training.architectures.pixels import STEP, PixelArchitecture, distinct, trainable

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lcbm_model.backbone.chat import PromptEncoder


class LlavaArchitecture(PixelArchitecture):
    """Pictures are packed as (P, 3, side * side) pixels."""

    name: ClassVar[str] = "llava"
    model_types: ClassVar[tuple[str, ...]] = ("llava",)

    def largest(self, folder: Path) -> int:
        """All pictures take as many: 576 at 336 pixels with patches of 14."""
        from transformers import LlavaConfig

        config = LlavaConfig.from_pretrained(folder)
        vision: Any = config.vision_config
        if not hasattr(vision, "patch_size"):
            return int(config.image_seq_length)
        return int((vision.image_size // vision.patch_size) ** 2 + (config.vision_feature_select_strategy == "full"))

    def encoder(self, base: BaseFiles, tokenizer: Any) -> PromptEncoder:
        """`<image>` as often as the picture has tokens, in the model's chat template."""
        from transformers import LlavaConfig

        from lcbm_model.backbone.vl import PicturePromptEncoder, adopt_template

        config: Any = LlavaConfig.from_pretrained(base.folder)
        return PicturePromptEncoder(
            adopt_template(tokenizer, base.folder),
            image_token=int(config.image_token_index),
            tokens_per_picture=base.tokens_per_picture,
            count=lambda path: base.tokens_per_picture,
        )

    def pictures(self, base: BaseFiles, paths: Sequence[str], told: Told) -> Pictures:
        """Pixels as the model's own processor resizes and crops them."""
        from lcbm_model.backbone.vl import image_processor
        from lcbm_model.vision.images import open_picture

        if not paths:
            return Pictures(np.zeros((0, 1, 1), np.uint8), STEP, ())
        told(f"looking at {len(paths)} pictures")
        processor = image_processor(base.folder)
        options = {"do_rescale": False, "do_normalize": False, "return_tensors": "np"}
        found = [processor(images=open_picture(path), **options)["pixel_values"][0] for path in paths]
        values = np.clip(np.rint(np.stack(found)), 0, 255).astype(np.uint8)  # (P, 3, side, side)
        return Pictures(values.reshape(len(paths), 3, -1), STEP, (base.tokens_per_picture,) * len(paths))

    def take_connector(self, model: Any, channels: int) -> nn.Module:
        """`multi_modal_projector`."""
        from torch import nn

        connector = model.model.multi_modal_projector
        model.model.multi_modal_projector = nn.Identity()
        return trainable(connector)

    def look(self, model: Any, connector: nn.Module, pictures: Tensor) -> Seen:
        """The tower's patches, frozen, through the connector."""
        import torch

        shown, number = distinct(pictures)
        side = math.isqrt(shown.shape[2])
        pixels = model.pixel_scale.apply(shown).view(-1, 3, side, side)
        with torch.no_grad():
            out = model.model.get_image_features(pixel_values=pixels.to(model.dtype))
        found = getattr(out, "pooler_output", out)
        features = found if isinstance(found, torch.Tensor) else torch.stack(list(found))  # (M, K, C)
        tokens = connector(features.to(next(connector.parameters()).dtype))  # (M, K, D)
        counts = torch.full((len(number),), tokens.shape[1], device=tokens.device)
        return Seen(tokens[number], counts, tokens.float().mean(1)[number])

    def positions(self, rows: int, length: int, at: Tensor, shown: Tensor, seen: Seen | None) -> Tensor:
        """0, 1, 2, ... (1, L)."""
        import torch

        return torch.arange(length, device=at.device)[None]
