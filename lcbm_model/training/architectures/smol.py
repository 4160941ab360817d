"""Our own assembly: SmolLM2 with a frozen EfficientNet-Lite0 tower and a connector of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lcbm_model.errors import SettingsError
from lcbm_model.training.architectures.base import BaseFiles, Pictures, Told
from lcbm_model.training.architectures.causal import CausalArchitecture

if TYPE_CHECKING:
    from lcbm_model.backbone.chat import PromptEncoder

CHANNELS = 1280
"""Features of a place in the picture: what EfficientNet-Lite0 ends in."""
HIGHEST = 6.0
"""The tower ends in ReLU6: no feature lies above it."""


class SmolArchitecture(CausalArchitecture):
    """The tower's features are packed, so that fitting needs neither pictures nor tower."""

    name: ClassVar[str] = "smol"

    def resolve(self, model: str) -> BaseFiles:
        """The packaged base is converted on first use."""
        from lcbm_model.backbone.loader import TOKENS_PER_PICTURE
        from lcbm_model.backbone.packaged import file_hash, read_stamp, vision_file
        from lcbm_model.training.architectures.files import find_folder, refuse_other
        from lcbm_model.training.base import hash_of

        folder, name = find_folder(model)
        if read_stamp(folder) is None:
            refuse_other(self, folder)
            remedy = "Set base.architecture to 'causal' for a plain language model"
            raise SettingsError("base.architecture", "this base is no assembly of ours", value="smol", remedy=remedy)
        return BaseFiles(folder, name, hash_of(folder), file_hash(vision_file()), TOKENS_PER_PICTURE, self.name)

    def encoder(self, base: BaseFiles, tokenizer: Any) -> PromptEncoder:
        """64 `<image>` tokens a picture."""
        from lcbm_model.backbone.chat import PromptEncoder

        image = int(tokenizer.convert_tokens_to_ids("<image>"))
        return PromptEncoder(tokenizer, image_token=image, tokens_per_picture=base.tokens_per_picture)

    def pictures(self, base: BaseFiles, paths: Sequence[str], told: Told) -> Pictures:
        """Features (P, 64, 1280), rounded to 256 steps from 0 to 6."""
        step = HIGHEST / 255
        if not paths:
            # As wide as with pictures, so that heads of both can be joined (serving.combine).
            return Pictures(np.zeros((0, 1, CHANNELS), np.uint8), step, ())
        told(f"looking at {len(paths)} pictures")
        found = tower_features(paths)
        values = np.clip(np.rint(found / step), 0, 255).astype(np.uint8)
        return Pictures(values, step, (values.shape[1],) * len(paths))


def tower_features(paths: Sequence[str], batch: int = 16) -> np.ndarray[Any, Any]:
    """Features (P, 64, 1280) of the frozen EfficientNet-Lite0 tower."""
    import torch

    from lcbm_model.backbone.packaged import vision_file
    from lcbm_model.vision.efficientnet import load_tower
    from lcbm_model.vision.images import open_picture, to_pixels

    tower = load_tower(vision_file())
    found = []
    with torch.inference_mode():
        for start in range(0, len(paths), batch):
            pixels = np.stack([to_pixels(open_picture(p)) for p in paths[start : start + batch]])
            found.append(tower(torch.from_numpy(pixels)).last_hidden_state.numpy())
    return np.concatenate(found)
