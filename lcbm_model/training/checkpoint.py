"""Saving a run's state so that it resumes exactly: weights and optimiser as safetensors, the rest as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lcbm_model.errors import CheckpointError
from lcbm_model.training.processes import as_spread, whole


@dataclass
class TrainState:
    """Where a run stands."""

    step: int = 0
    best_score: float = 0.0
    best_step: int = 0
    waited: int = 0
    stopped: bool = False
    best: dict[str, Tensor] = field(default_factory=dict)

    def judge(self, score: float | None, weights: dict[str, Tensor], *, patience: int) -> None:
        """Keep the weights of this step where they are the best so far; stop after `patience` steps that were not.

        Args:
            score: On validation, higher is better; None: nothing could be measured, and the latest weights are kept.
        """
        if not self.best or score is None or score > self.best_score:
            self.best_score, self.best_step, self.waited = score or 0.0, self.step, 0
            self.best = weights
        else:
            self.waited += 1
            self.stopped = self.waited >= patience

    def to_dict(self) -> dict[str, Any]:
        """Everything but the tensors."""
        return {k: getattr(self, k) for k in ("step", "best_score", "best_step", "waited", "stopped")}


def save_state(
    folder: Path,
    state: TrainState,
    weights: dict[str, Tensor],
    average: dict[str, Tensor],
    optimizer: Any,
    *,
    write: bool = True,
) -> None:
    """Write the state beside the old one, then swap: a kill in between leaves the old one whole.

    Args:
        write: False hands this process's pieces over and writes nothing, as in `export_adapter`.
    """
    tensors = {f"weights/{k}": v for k, v in weights.items()}
    tensors |= {f"average/{k}": v for k, v in average.items()}
    tensors |= {f"best/{k}": v for k, v in state.best.items()}
    for number, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{number}/{slot}": torch.as_tensor(v) for slot, v in slots.items()}
    gathered = {k: whole(v.detach()).cpu().contiguous().clone() for k, v in tensors.items()}
    if not write:
        return
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / "state.safetensors.new"
    save_file(gathered, fresh, metadata={"state": json.dumps(state.to_dict())})
    fresh.replace(folder / "state.safetensors")


def _put(tensor: Tensor, like: Tensor) -> Tensor:
    return as_spread(tensor.to(like.device), like)


def load_state(
    folder: Path, optimizer: Any, learned: Mapping[str, Tensor]
) -> tuple[TrainState, dict[str, Tensor], dict[str, Tensor]] | None:
    """State, weights and averaged weights of a run; fills the optimiser. None where nothing was saved yet.

    Args:
        learned: What learns, by name: on its device, and in pieces like it, everything comes back.

    Raises:
        CheckpointError: The file is damaged or belongs to another set of parameters.
    """
    from safetensors import SafetensorError, safe_open

    path = folder / "state.safetensors"
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            state = TrainState(**json.loads(file.metadata()["state"]))
        tensors = load_file(path)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(str(path), "is no saved run", value=str(error), remedy="Start without resume") from error
    groups: dict[str, dict[str, Tensor]] = {"weights": {}, "average": {}, "best": {}}
    slots: dict[int, dict[str, Tensor]] = {}
    order = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    shapes = {key.split("/", 1)[1]: tensor.shape for key, tensor in tensors.items() if key.startswith("weights/")}
    if shapes != {name: parameter.shape for name, parameter in learned.items()}:
        remedy = "Resume with the recipe of the run, or start without resume"
        raise CheckpointError(str(path), "holds the state of other parameters", remedy=remedy)
    for key, tensor in tensors.items():
        kind, name = key.split("/", 1)
        if kind == "optimizer":
            number, slot = name.split("/")
            like = order[int(number)]
            slots.setdefault(int(number), {})[slot] = tensor if slot == "step" else _put(tensor, like)
        else:
            groups[kind][name] = _put(tensor, learned[name])
    current = optimizer.state_dict()
    optimizer.load_state_dict({"state": slots, "param_groups": current["param_groups"]})
    state.best = groups["best"]
    return state, groups["weights"], groups["average"]
