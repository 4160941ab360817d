"""Saving a run's state so that it resumes exactly: weights and optimiser as safetensors, the rest as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lcbm_model.errors import CheckpointError


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
) -> None:
    """Write the state beside the old one, then swap: a kill in between leaves the old one whole."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"weights/{k}": v for k, v in weights.items()}
    tensors |= {f"average/{k}": v for k, v in average.items()}
    tensors |= {f"best/{k}": v for k, v in state.best.items()}
    for number, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{number}/{slot}": torch.as_tensor(v) for slot, v in slots.items()}
    fresh = folder / "state.safetensors.new"
    whole = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    save_file(whole, fresh, metadata={"state": json.dumps(state.to_dict())})
    fresh.replace(folder / "state.safetensors")


def load_state(
    folder: Path, optimizer: Any, device: torch.device
) -> tuple[TrainState, dict[str, Tensor], dict[str, Tensor]] | None:
    """State, weights and averaged weights of a run; fills the optimiser. None where nothing was saved yet.

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
        tensors = load_file(path, device=str(device))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(str(path), "is no saved run", value=str(error), remedy="Start without resume") from error
    groups: dict[str, dict[str, Tensor]] = {"weights": {}, "average": {}, "best": {}}
    slots: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        kind, name = key.split("/", 1)
        if kind == "optimizer":
            number, slot = name.split("/")
            slots.setdefault(int(number), {})[slot] = tensor.cpu() if slot == "step" else tensor
        else:
            groups[kind][name] = tensor
    current = optimizer.state_dict()
    optimizer.load_state_dict({"state": slots, "param_groups": current["param_groups"]})
    state.best = groups["best"]
    return state, groups["weights"], groups["average"]
