"""What vision-language bases share: pictures packed as pixels, seen by the frozen tower while training."""

from __future__ import annotations

import json
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lcbm_model.training.architectures.base import Architecture, BaseFiles
from lcbm_model.training.architectures.files import find_folder, refuse_other
from lcbm_model.training.architectures.registry import read_config

if TYPE_CHECKING:
    from torch import Tensor, nn

STEP = 1 / 255
"""Of packed pixels: they are read as 0..1."""
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class PixelScale:
    """How a model wants its pixels: (255 * rescale * x - mean) / std for x in 0..1, by channel."""

    rescale: float = 1 / 255
    mean: tuple[float, ...] = CLIP_MEAN
    std: tuple[float, ...] = CLIP_STD

    def apply(self, pixels: Tensor) -> Tensor:
        """Pixels (N, 3, X), 0..1, as the tower reads them."""
        mean, std = (pixels.new_tensor(values)[None, :, None] for values in (self.mean, self.std))
        return (pixels * (255 * self.rescale) - mean) / std


def read_scale(folder: Path) -> PixelScale:
    """What the folder's image processor states; CLIP's numbers where it is silent."""
    found: dict[str, Any] = {}
    for name in ("preprocessor_config.json", "processor_config.json"):
        if (folder / name).is_file():
            found = json.loads((folder / name).read_text("utf-8"))
            found = found.get("image_processor", found)
            break
    rescale = float(found.get("rescale_factor", 1 / 255)) if found.get("do_rescale", True) else 1.0
    if not found.get("do_normalize", True):
        return PixelScale(rescale, (0.0,) * 3, (1.0,) * 3)
    return PixelScale(rescale, tuple(found.get("image_mean", CLIP_MEAN)), tuple(found.get("image_std", CLIP_STD)))


def stored_in_half(config: dict[str, Any]) -> bool:
    """Whether a config.json says that weights take 16 bits."""
    kind = str(config.get("dtype") or config.get("torch_dtype")).removeprefix("torch.")
    return kind in ("float16", "bfloat16")


class PixelArchitecture(Architecture):
    """A transformers model `XForConditionalGeneration` with vision tower, connector and decoder in one."""

    recompute: ClassVar[bool] = True
    caches: ClassVar[bool] = False
    own_eyes: ClassVar[bool] = True

    def resolve(self, model: str) -> BaseFiles:
        """Folder, and the hash of its safetensors, empty without any: the tower is part of what is hashed."""
        from lcbm_model.training.base import hash_of

        folder, name = find_folder(model)
        refuse_other(self, folder)
        found = hash_of(folder) if any(folder.glob("*.safetensors")) else ""
        return BaseFiles(folder, name, found, None, self.largest(folder), self.name)

    @abstractmethod
    def largest(self, folder: Path) -> int:
        """Tokens of the largest picture."""

    def load(self, folder: Path) -> Any:
        """As it is stored, but half precision becomes bfloat16: gradients overflow float16."""
        import torch
        from transformers import AutoModelForImageTextToText

        kind = torch.bfloat16 if stored_in_half(read_config(folder)) else torch.float32
        model: Any = AutoModelForImageTextToText.from_pretrained(
            folder, dtype=kind, attn_implementation="sdpa", use_safetensors=True
        )
        model.pixel_scale = read_scale(folder)
        return model.eval()

    def tower(self, model: Any) -> Any:
        """`model.model.language_model`."""
        return model.model.language_model

    def summary_width(self, model: Any, channels: int) -> int:
        """The decoder's: the summary is the mean of the picture's tokens."""
        return int(self.tower(model).config.hidden_size)


def trainable(connector: nn.Module) -> nn.Module:
    """The connector in float32, ready to learn."""
    return connector.float().train().requires_grad_(True)


def distinct(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Packed pictures (M, K, C) without repetitions in a row, and for each of the (N, K, C) its number (N,).

    Rows of one comparison often show the same picture: the tower sees it once.
    """
    import torch

    new = (pictures[1:] != pictures[:-1]).flatten(1).any(1)
    new = torch.cat([torch.ones(1, dtype=torch.bool, device=new.device), new])
    return pictures[new], new.cumsum(0) - 1
