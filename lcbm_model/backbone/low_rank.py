"""Low-rank updates (LoRA, Hu et al. 2021) added to the weights they belong to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

DOWN, UP = ".lora_A.weight", ".lora_B.weight"


def add_low_rank(model: Any, updates: Mapping[str, torch.Tensor], *, scale: Callable[[str, int], float]) -> None:
    """`W += scale * B A` for every linear layer that is named; A is (r, D_in), B is (D_out, r).

    Args:
        model: Changed in place.
        updates: `LAYER.lora_A.weight` and `LAYER.lora_B.weight`.
        scale: Of a layer's name and its rank r.

    Raises:
        ValueError: An unknown tensor, a layer that the model does not have, or shapes that do not fit.
    """
    import torch

    for name, down in updates.items():
        if name.endswith(UP):
            continue
        if not name.endswith(DOWN):
            raise ValueError(f"unknown LoRA tensor {name!r}")
        target = name.removesuffix(DOWN)
        up = updates.get(target + UP)
        try:
            weight = model.get_submodule(target).weight
        except AttributeError as error:
            raise ValueError(f"the base has no such layer: {target!r}") from error
        if up is None or tuple(weight.shape) != (up.shape[0], down.shape[1]) or up.shape[1] != down.shape[0]:
            raise ValueError(f"LoRA shapes do not fit the base: {target!r}")
        with torch.no_grad():
            update = (up.float() @ down.float()) * scale(target, down.shape[0])
            weight.copy_((weight.float() + update.to(weight.device)).to(weight.dtype))
