"""Loading vision-language bases (LLaVA, Qwen-VL), with or without an adapter that `lcbm train` wrote for one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcbm_model.backbone.adapter import Adapter, merge_lora
from lcbm_model.backbone.chat import PromptEncoder
from lcbm_model.backbone.model import Backbone
from lcbm_model.backbone.vl import LARGEST, PicturePromptEncoder, adopt_template, grid_of, image_processor
from lcbm_model.errors import CheckpointError, PictureError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from lcbm_model.vision.eyes import Eyes, Sight

LLAVA, QWEN = ("llava",), ("qwen2_vl", "qwen2_5_vl")
VISION_LANGUAGE = (*LLAVA, *QWEN)
"""`model_type` of the configurations that this file loads."""


class VisionBackbone(Backbone):
    """A backbone whose own processor says how many tokens a picture takes.

    Args:
        eyes: Its vision tower and connector.
        make_encoder: Its encoder of prompts.
        grid: Rows and columns of tokens of a picture file, where positions depend on them.
    """

    def __init__(
        self,
        name: str,
        language_model: Any,
        tokenizer: Any,
        *,
        base_hash: str,
        base: str,
        adapter: Adapter | None,
        eyes: Eyes,
        image_token: int,
        make_encoder: Callable[[], PromptEncoder],
        grid: Callable[[Path], tuple[int, int]] | None = None,
    ) -> None:
        super().__init__(
            name, language_model, tokenizer,
            base_hash=base_hash, base=base, adapter=adapter, make_eyes=lambda _: eyes,
            image_token=image_token, tokens_per_picture=eyes.tokens_per_picture,
        )  # fmt: skip
        self._make_encoder, self.grid = make_encoder, grid

    @cached_property
    def encoder(self) -> PromptEncoder:
        """Prompts to token ids for this model."""
        return self._make_encoder()

    @property
    def engine(self) -> Any:
        """The engine that runs it; None: whichever the simulator finds."""
        if self.grid is None:
            return None
        from lcbm_model.simulator.positioned import PositionedEngine

        return PositionedEngine

    def positions(self, ids: Sequence[int], paths: Iterable[Path]) -> torch.Tensor:
        """Positions (3, L) of a prompt's tokens: time, height, width. `paths` are its pictures, in order."""
        assert self.grid is not None
        return positions_of(ids, [self.grid(path) for path in paths], image_token=int(self.image_token or -1))


def positions_of(ids: Sequence[int], grids: Sequence[tuple[int, int]], *, image_token: int) -> torch.Tensor:
    """Positions (3, L): a picture's tokens share one time; what follows goes on behind its longer side."""
    import torch

    left = iter(grids)
    found: list[torch.Tensor] = []
    place = start = 0
    while place < len(ids):
        if ids[place] != image_token:
            found.append(torch.full((3, 1), start))
            place, start = place + 1, start + 1
            continue
        high, wide = next(left)
        row, column = torch.arange(high).repeat_interleave(wide), torch.arange(wide).repeat(high)
        found.append(torch.stack([torch.zeros_like(row), row, column]) + start)
        place, start = place + high * wide, start + max(high, wide)
    return torch.cat(found, dim=1)


@dataclass
class QwenEyes:
    """The vision tower, merger and image processor of a Qwen-VL checkpoint."""

    model: Any
    processor: Any

    @property
    def tokens_per_picture(self) -> int:
        """Of the largest picture."""
        return int(self.processor.size["longest_edge"] // (self.processor.patch_size * self.processor.merge_size) ** 2)

    def look(self, paths: Sequence[Path]) -> Sight:
        """Tokens (N, T, D) of pictures of one shape, and their mean (N, D).

        Raises:
            PictureError: One of them cannot be used.
            ValueError: Their shapes differ.
        """
        import torch

        from lcbm_model.vision.eyes import Sight
        from lcbm_model.vision.images import open_picture

        pixels = self.processor(images=[open_picture(path) for path in paths], return_tensors="pt")
        grid = pixels["image_grid_thw"].to(self.model.device)
        if len({tuple(row) for row in grid.tolist()}) > 1:
            raise ValueError("pictures of different shapes are looked at one by one")
        with torch.inference_mode():
            values = pixels["pixel_values"].to(self.model.device, self.model.dtype)
            out = self.model.model.get_image_features(values, grid)
        tokens = torch.stack(list(getattr(out, "pooler_output", out)))
        return Sight(tokens, tokens.float().mean(dim=1))


def load_vision_language(
    source: Path, device: Any, dtype: Any, *, adapter: Adapter | None = None, name: str = ""
) -> VisionBackbone:
    """A LLaVA or Qwen-VL from a folder, perhaps with an adapter merged in.

    Args:
        name: For people; the folder where it is empty.

    Raises:
        CheckpointError: The folder is not whole, or the adapter belongs to other weights.
    """
    from transformers import AutoConfig

    from lcbm_model.backbone.loader import _pretrained, weights_hash

    config: Any = AutoConfig.from_pretrained(str(source))
    found = weights_hash(source, config)
    if adapter is not None and adapter.spec.base_hash != found:
        remedy = f"Name the base it was trained on ({adapter.spec.base}), or train the adapter again"
        raise CheckpointError(str(adapter.folder), "was trained on another base", value=found[:16], remedy=remedy)
    model, tokenizer = _pretrained("AutoModelForImageTextToText", source, dtype)
    adopt_template(tokenizer, source)
    if adapter is not None:
        model = merge_lora(model, adapter) if adapter.lora else model
        _put_connector(connector_of(model), adapter)
    model = model.to(device).eval()
    make = _qwen if config.model_type in QWEN else _llava
    title = adapter.spec.name if adapter else name or str(source)
    return make(source, model, tokenizer, name=title, base_hash=found, base=str(source), adapter=adapter)


def connector_of(model: Any) -> nn.Module:
    """What stands between vision tower and decoder."""
    inner = model.model
    found: nn.Module = inner.visual.merger if hasattr(inner, "visual") else inner.multi_modal_projector
    return found


def _put_connector(connector: nn.Module, adapter: Adapter) -> None:
    if adapter.connector is None:
        return
    try:
        connector.load_state_dict(adapter.connector)
    except RuntimeError as error:
        raise CheckpointError(adapter.spec.name, f"its connector does not fit: {error}") from error


def _llava(source: Path, model: Any, tokenizer: Any, **who: Any) -> VisionBackbone:
    from lcbm_model.vision.eyes import LlavaEyes

    eyes = LlavaEyes(model, image_processor(source))
    image, tokens = int(model.config.image_token_index), eyes.tokens_per_picture

    def encoder() -> PromptEncoder:
        return PicturePromptEncoder(
            tokenizer, image_token=image, tokens_per_picture=tokens, count=lambda path: tokens
        )  # fmt: skip

    return VisionBackbone(
        who.pop("name"), model, tokenizer, eyes=eyes, image_token=image, make_encoder=encoder, **who
    )  # fmt: skip


def _qwen(source: Path, model: Any, tokenizer: Any, **who: Any) -> VisionBackbone:
    from lcbm_model.vision.images import open_picture

    eyes = QwenEyes(model, image_processor(source, largest=LARGEST))
    config, merge = model.config, int(eyes.processor.merge_size)
    image = int(config.image_token_id)

    def grid(path: Path) -> tuple[int, int]:
        high, wide = grid_of(eyes.processor, open_picture(path))
        return high // merge, wide // merge

    def count(path: Path) -> int:
        try:
            high, wide = grid(path)
        except PictureError as error:  # the simulator reports a prompt that cannot be written, item by item
            raise ValueError(str(error)) from error
        return high * wide

    def encoder() -> PromptEncoder:
        return PicturePromptEncoder(
            tokenizer, image_token=image, tokens_per_picture=eyes.tokens_per_picture, count=count,
            around=((int(config.vision_start_token_id),), (int(config.vision_end_token_id),)),
        )  # fmt: skip

    return VisionBackbone(
        who.pop("name"), model, tokenizer, eyes=eyes, image_token=image, make_encoder=encoder, grid=grid, **who
    )  # fmt: skip
