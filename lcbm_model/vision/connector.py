"""The LLaVA connector: two linear layers that turn picture tokens into the language model's width."""

from __future__ import annotations

import torch
from torch import nn

UNTUNED_SEED = 20260101
"""Of the random weights of a connector nobody trained. Part of what an untuned picture score means: nothing."""


class Connector(nn.Module):
    """`linear_1`, GELU, `linear_2`: the names of transformers' LLaVA, so that weights load on either side.

    Shapes: (..., vision_width) -> (..., language_width).
    """

    def __init__(self, vision_width: int, language_width: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(vision_width, language_width)
        self.act = nn.GELU()
        self.linear_2 = nn.Linear(language_width, language_width)

    def forward(self, image_features: torch.Tensor) -> torch.Tensor:
        return self.linear_2(self.act(self.linear_1(image_features)))


def untuned_connector(vision_width: int, language_width: int, *, scale: float) -> Connector:
    """A connector with fixed random weights whose outputs have the size of word embeddings.

    Args:
        scale: Root mean square of the language model's embeddings. Larger picture tokens would drown the words.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(UNTUNED_SEED)
        connector = Connector(vision_width, language_width)
        with torch.no_grad():
            sample = connector(torch.rand(256, vision_width))
            connector.linear_2.weight.mul_(scale / sample.square().mean().sqrt())
            connector.linear_2.bias.mul_(scale / sample.square().mean().sqrt())
    return connector.eval()
