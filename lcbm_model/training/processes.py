"""The processes of one run, one a GPU: each does its share of the rows, and what they decide by is the same in all.

Two ways to spread a model. **Whole** in every process: gradients are summed once a step, and nothing else is exchanged
while it runs. **In pieces** (FSDP2): every block is gathered by all processes at once, each time it is run, so that all
must run the same blocks equally often.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lcbm_model.errors import SettingsError

if TYPE_CHECKING:
    from lcbm_model.training.model import BehaviorModel


class Processes:
    """How many there are, which one this is, and what they tell each other. One alone tells nobody anything.

    Args:
        index: This one's number, from 0.
        device: Where it computes.
        in_pieces: Whether weights lie in pieces on all of them.
    """

    def __init__(
        self, index: int = 0, count: int = 1, *, device: torch.device | None = None, in_pieces: bool = False
    ) -> None:
        self.index, self.count, self.in_pieces = index, count, in_pieces
        self.device = device or torch.device("cpu")

    @classmethod
    def launched(cls) -> Processes:
        """Those that accelerate's launcher (or torchrun) started, or this one alone on the best device there is.

        Raises:
            SettingsError: They are to spread the model in a way that is none of the two.
        """
        from accelerate import Accelerator

        found = Accelerator()
        kind = str(found.distributed_type.value)
        if not (kind == "NO" or kind.startswith("MULTI_") or (kind == "FSDP" and found.is_fsdp2)):
            remedy = "Launch without a configuration, or with a file of train_recipes/accelerate"
            raise SettingsError("accelerate", "spreads models in an unsupported way", value=kind, remedy=remedy)
        return cls(found.process_index, found.num_processes, device=found.device, in_pieces=kind == "FSDP")

    @property
    def leads(self) -> bool:
        """Whether this one writes what all of them found."""
        return self.index == 0

    def spread(self, model: BehaviorModel) -> None:
        """Spread a model over the processes, in place: before an optimiser is made of its parameters."""
        if self.count > 1:
            for parameter in model.trainable().values():
                torch.distributed.broadcast(parameter.data, 0)
        if not self.in_pieces:
            return
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(self.device.type, (self.count,))
        for layer in model.tower.layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh, reshard_after_forward=True)  # by default its own weights stay whole after a pass
        model.even = True

    def share(self, passes: Sequence[Any]) -> list[Any]:
        """This process's forward passes of a list that all know. All get equally many: some of them twice."""
        if self.count == 1 or not passes:
            return list(passes)
        own = list(passes[self.index :: self.count])
        return own + [passes[0]] * (-(-len(passes) // self.count) - len(own))

    def gather(self, own: Tensor, sizes: Sequence[int]) -> tuple[Tensor, list[int]]:
        """What all processes found in their `share`, and of which passes.

        Args:
            own: (n, ...) results of this process's passes, one after the other.
            sizes: Rows of each pass of the whole list.

        Returns:
            (sum of sizes, ...) results, and the numbers of their passes in the order in which they stand there.
        """
        order = [place for process in range(self.count) for place in range(process, len(sizes), self.count)]
        if self.count == 1:
            return own, order
        counts = [sum(sizes[process :: self.count]) for process in range(self.count)]
        padded = own.new_zeros((max(counts), *own.shape[1:]))
        padded[: counts[self.index]] = own[: counts[self.index]]
        found = [torch.empty_like(padded) for _ in counts]
        torch.distributed.all_gather(found, padded)
        return torch.cat([part[:count] for part, count in zip(found, counts, strict=True)]), order

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Mean of each gradient over the processes, where the model is whole; pieces have it already.

        What no process has a gradient for keeps none.
        """
        if self.count == 1 or self.in_pieces:
            return
        learned = list(parameters)
        reached = torch.tensor([p.grad is not None for p in learned], dtype=torch.float32, device=self.device)
        reached = self.mean(reached) > 0
        learned = [p for p, told in zip(learned, reached.tolist(), strict=True) if told]
        flat = [(p.grad if p.grad is not None else torch.zeros_like(p)).flatten() for p in learned]
        for parameter, gradient in zip(
            learned, self.mean(torch.cat(flat)).split([len(part) for part in flat]), strict=True
        ):
            parameter.grad = gradient.view_as(parameter)

    def mean(self, values: Tensor) -> Tensor:
        """Mean over the processes, in every one of them."""
        if self.count == 1:
            return values
        values = values.clone()
        torch.distributed.all_reduce(values)
        return values / self.count

    def any_of(self, told: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """(n,) where any process says so: a kill may leave them with different things on disk."""
        if self.count == 1:
            return told
        return (self.mean(torch.from_numpy(told).float().to(self.device)) > 0).cpu().numpy()

    def agreed(self, value: float) -> float:
        """What the first process says: a decision must not hang on the last digit of two devices' sums."""
        if self.count == 1:
            return value
        told = torch.tensor([value], dtype=torch.float64, device=self.device)
        torch.distributed.broadcast(told, 0)
        return float(told)

    def wait(self) -> None:
        """Go on when all have come here."""
        if self.count > 1:
            torch.distributed.barrier()

    def part(self) -> None:
        """Nothing more is said. All leave together: one that goes while another still speaks to it takes it along."""
        if self.count > 1:
            gc.collect()  # a model in pieces holds on to the group, and gloo's threads must not outlive the interpreter
            self.wait()
            torch.distributed.destroy_process_group()


def whole(tensor: Tensor) -> Tensor:
    """The tensor itself, or all of it where this process holds a piece: then every process must ask."""
    gather = getattr(tensor, "full_tensor", None)
    return gather() if gather is not None else tensor


def as_spread(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor, or this process's piece of it where `like` lies in pieces."""
    if not hasattr(like, "full_tensor"):
        return tensor
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(like, DTensor)
    return distribute_tensor(tensor, like.device_mesh, like.placements)
