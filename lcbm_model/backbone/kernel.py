"""A Gaussian kernel beside a value head's linear map: what a text is worth for being near texts that did well or badly.

Legend: B rows, F features of a value head without the text encoder's, K directions, M landmarks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class KernelPart:
    """`weight . exp(-|features @ project - offset - landmark|^2 / 2)`, to be added to a head's utility.

    The tensors are as stored: float32, or bfloat16 for the large ones.
    """

    project: torch.Tensor  # (F, K)
    offset: torch.Tensor  # (K,)
    landmarks: torch.Tensor  # (M, K)
    weight: torch.Tensor  # (M,)

    def features(self, states: torch.Tensor) -> torch.Tensor:
        """States (B, F) -> nearness to each landmark (B, M), 0..1."""
        import torch

        placed = states.float() @ self.project.float() - self.offset.float()  # (B, K)
        return torch.exp(-(torch.cdist(placed, self.landmarks.float()) ** 2) / 2)

    def utility(self, states: torch.Tensor) -> torch.Tensor:
        """States (B, F) -> (B,), float64."""
        return self.features(states).double() @ self.weight.double()

    def tensors(self, metric: str) -> dict[str, torch.Tensor]:
        """As a file of kernels holds them: `METRIC.project` and so on."""
        return {f"{metric}.{part.name}": getattr(self, part.name).contiguous() for part in fields(self)}

    @classmethod
    def of(cls, tensors: Mapping[str, torch.Tensor], metric: str) -> KernelPart | None:
        """A metric's part of a file of kernels, or None.

        Raises:
            ValueError: One of its tensors is missing, or their shapes do not fit each other.
        """
        names = [part.name for part in fields(cls)]
        found = {name: tensors[f"{metric}.{name}"] for name in names if f"{metric}.{name}" in tensors}
        if not found:
            return None
        if missing := [name for name in names if name not in found]:
            raise ValueError(f"{metric}: {', '.join(missing)} missing")
        part = cls(**found)
        k, m = part.project.shape[-1], len(part.weight)
        if part.project.ndim != 2 or part.offset.shape != (k,) or part.landmarks.shape != (m, k):
            shapes = {name: tuple(tensor.shape) for name, tensor in found.items()}
            raise ValueError(f"{metric}: shapes do not fit each other: {shapes}")
        return part
