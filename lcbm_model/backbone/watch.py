"""Looking at what single transformer blocks put out, and stopping behind the last one that is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn


class _Enough(Exception):
    """Ends a forward pass from inside; never leaves `watching`."""


@contextmanager
def watching(
    layers: Sequence[nn.Module], numbers: Iterable[int], *, stop: bool = False
) -> Iterator[dict[int, torch.Tensor]]:
    """Keeps the outputs (B, L, D) of some blocks during a forward pass.

    Args:
        layers: The model's blocks, lowest first.
        numbers: Which to keep; 1 is the first.
        stop: Whether the pass ends behind the highest of them. The call of the model then does not return: the body
            is left at that point, silently.
    """
    wanted = sorted(set(numbers))
    caught: dict[int, torch.Tensor] = {}

    def keep(number: int, _: object, __: object, output: torch.Tensor | tuple[torch.Tensor, ...]) -> None:
        caught[number] = output if not isinstance(output, tuple) else output[0]
        if stop and number == wanted[-1]:
            raise _Enough

    hooks = [layers[number - 1].register_forward_hook(partial(keep, number)) for number in wanted]
    try:
        yield caught
    except _Enough:
        pass
    finally:
        for hook in hooks:
            hook.remove()
