"""Hidden states below the tuned layers, computed once and kept on disk: what makes tuning on a CPU affordable.

Causal attention makes a state depend on what came before it only, so the states of a shared beginning are stored
once per distinct beginning, and those of a row's own tokens once per row. Legend: B rows, T tokens, D width.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lcbm_model.errors import CheckpointError
from lcbm_model.training.scoring import cut_rows

if TYPE_CHECKING:
    from lcbm_model.training.collate import Collator, Ints
    from lcbm_model.training.data import Prepared
    from lcbm_model.training.model import BehaviorModel

OWN, SHARED, STAMP = "own.f16", "shared.f16", "states.json"


class StateStore:
    """States after block `layer` of every row of a prepared folder, float16, memory-mapped."""

    def __init__(
        self, data: Prepared, folder: Path, *, layer: int, width: int, mode: Literal["r", "r+", "w+"] = "r"
    ) -> None:
        rows = data.rows
        _, first, self._shared_of = np.unique(rows.prefix_keys, return_index=True, return_inverse=True)
        self.layer, self._own_start = layer, rows.own_start.astype(np.int64)
        self._own_at = np.concatenate([[0], np.cumsum(rows.lengths - rows.own_start)])
        self._shared_at = np.concatenate([[0], np.cumsum(rows.own_start[first])])
        self.tokens = int(self._own_at[-1] + self._shared_at[-1])
        sizes = {OWN: self._own_at[-1], SHARED: self._shared_at[-1]}
        self._own, self._shared = (
            np.memmap(folder / name, np.float16, mode, shape=(max(1, int(size)), width)) for name, size in sizes.items()
        )

    def put(self, row: int, states: npt.NDArray[Any]) -> None:
        """Keep the states (length, D) of one row."""
        start, shared = self._own_start[row], self._shared_of[row]
        self._own[self._own_at[row] : self._own_at[row + 1]] = states[start:]
        self._shared[self._shared_at[shared] : self._shared_at[shared + 1]] = states[:start]

    def flush(self) -> None:
        """Write everything out."""
        for part in (self._own, self._shared):
            part.flush()

    def take(self, rows: Ints, behind: int, longest: int, device: torch.device) -> tuple[Tensor, Tensor | None]:
        """States behind the first `behind` tokens, padded with zeros to (B, longest, D), and those before (1, P, D)."""
        found = np.zeros((len(rows), longest, self._own.shape[1]), np.float16)
        for at, row in enumerate(rows.tolist()):
            shared = self._shared_of[row]
            before = self._shared[self._shared_at[shared] + behind : self._shared_at[shared + 1]]
            own = self._own[self._own_at[row] : self._own_at[row + 1]]
            found[at, : len(before)] = before
            found[at, len(before) : len(before) + len(own)] = own
        start = self._shared_at[self._shared_of[rows[0]]]
        common = self._shared[start : start + behind][None].copy() if behind else None
        return (
            torch.from_numpy(found).to(device).float(),
            torch.from_numpy(common).to(device).float() if common is not None else None,
        )


def size_on_disk(data: Prepared, width: int) -> int:
    """Bytes that the states of a prepared folder take."""
    rows = data.rows
    _, first = np.unique(rows.prefix_keys, return_index=True)
    return int((rows.lengths - rows.own_start).sum() + rows.own_start[first].sum()) * width * 2


def cached_states(
    model: BehaviorModel,
    data: Prepared,
    collator: Collator,
    folder: Path,
    *,
    layer: int,
    budget: int,
    report: Callable[[dict[str, Any]], None] = lambda event: None,
) -> StateStore:
    """The store of a folder; computed now unless it already holds these rows behind these weights.

    Raises:
        CheckpointError: The disk is full, or the folder cannot be written.
    """
    width = int(model.head.weight.shape[-1]) if not hasattr(model.lm, "config") else int(model.lm.config.hidden_size)
    stamp = {
        "layer": layer,
        "width": width,
        "rows": len(data.rows),
        "base": data.manifest.get("base", {}).get("hash", ""),
        "sight": data.sight(),
        "keys": int(np.bitwise_xor.reduce(data.rows.row_keys * np.arange(1, len(data.rows) + 1, dtype=np.uint64))),
    }
    told, processes = folder / STAMP, collator.processes
    known = told.is_file() and _read(told) == stamp
    processes.wait()  # all have looked before the first one writes
    if known:
        return StateStore(data, folder, layer=layer, width=width)
    try:
        if processes.leads:
            folder.mkdir(parents=True, exist_ok=True)
            told.unlink(missing_ok=True)
            StateStore(data, folder, layer=layer, width=width, mode="w+")
        processes.wait()
        _compute(StateStore(data, folder, layer=layer, width=width, mode="r+"), model, collator, budget, report)
        processes.wait()
        if processes.leads:
            told.write_text(json.dumps(stamp), "utf-8")
    except OSError as error:
        needed = size_on_disk(data, width) / 1e9
        remedy = f"{needed:.1f} GB are needed: free them, or lower data.max_records"
        raise CheckpointError(str(folder), f"cannot be written: {error}", remedy=remedy) from error
    return StateStore(data, folder, layer=layer, width=width)


def _read(stamp: Path) -> Any:
    """What a stamp says; None of one that a kill or a full disk has cut."""
    try:
        return json.loads(stamp.read_text("utf-8"))
    except ValueError:
        return None


def _compute(
    store: StateStore,
    model: BehaviorModel,
    collator: Collator,
    budget: int,
    report: Callable[[dict[str, Any]], None],
) -> None:
    rows = np.arange(len(collator.lengths))
    layers, done = model.tower.layers[: store.layer], 0
    model.eval()
    with torch.no_grad():
        for chosen in collator.processes.share(cut_rows(collator, rows, budget)):
            batch = collator.batch(chosen, cached=False)
            *_, (_, hidden, shared) = model.walk(batch, layers)
            before = shared[0].cpu().numpy() if shared is not None else np.zeros((0, hidden.shape[-1]), np.float32)
            for at, row in enumerate(chosen.tolist()):
                own = hidden[at, : collator.lengths[row] - len(before)].cpu().numpy()
                store.put(row, np.concatenate([before, own]))
            done += len(chosen)
            report({"caching": done, "of": len(rows)})
    store.flush()
