"""What every run does with the weights that learn: a schedule for their rates, copies, and a moving average."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

Weights = dict[str, Tensor]


def rate_at(step: int, *, total: int, warmup: float) -> float:
    """Share of the full rate at a step (0-based): rising over the share `warmup` of all steps, then half a cosine."""
    warm = max(1, round(warmup * total))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


def copy_of(learned: Mapping[str, Tensor]) -> Weights:
    """The weights as they are now."""
    return {name: parameter.detach().clone() for name, parameter in learned.items()}


def restore(learned: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    """Put a copy back, in place."""
    with torch.no_grad():
        for name, parameter in learned.items():
            parameter.copy_(weights[name])


def averaged(average: Weights, learned: Mapping[str, Tensor], *, step: int, decay: float) -> Weights:
    """The moving average with the weights of a step in it; early steps count more than `decay` would let them."""
    if not average:
        return copy_of(learned)
    decay = min(decay, (1 + step) / (10 + step))
    for name, parameter in learned.items():
        average[name].lerp_(parameter.detach(), 1 - decay)
    return average
