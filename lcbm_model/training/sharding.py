"""Weights that lie in pieces on several GPUs (FSDP2)."""

from __future__ import annotations

import torch


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor itself, or all of it where this process holds a piece: then every process must ask."""
    gather = getattr(tensor, "full_tensor", None)
    return gather() if gather is not None else tensor
