"""Pooled states of the untuned network, read once and kept on disk: probes, twins and reruns share them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lcbm_model.errors import CheckpointError

if TYPE_CHECKING:
    from lcbm_model.training.collate import Ints
    from lcbm_model.training.data import Prepared
    from lcbm_model.training.settings import ReadoutSettings

STATES, DONE, STAMP = "pooled.f32", "done.npy", "frozen.json"


class FrozenStates:
    """Pooled states (n, F), float32, of the rows of a prepared folder that were asked for so far.

    Args:
        folder: Where they are kept; states of other rows, layers or weights that lie there are replaced.
        size: F.

    Raises:
        CheckpointError: The folder cannot be written.
    """

    def __init__(self, data: Prepared, readout: ReadoutSettings, folder: Path, *, size: int) -> None:
        stamp = _stamp(data, readout, size)
        self._folder = folder
        shape = (len(data.rows), size)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            told = folder / STAMP
            known = told.is_file() and json.loads(told.read_text("utf-8")) == stamp
            self._states = np.memmap(folder / STATES, np.float32, "r+" if known else "w+", shape=shape)
            self._done = np.load(folder / DONE, allow_pickle=False) if known else np.zeros(shape[0], bool)
            self._keep()
            told.write_text(json.dumps(stamp), "utf-8")
        except (OSError, ValueError) as error:
            raise CheckpointError(
                str(folder), f"cannot keep states: {error}", remedy="Free disk or empty it"
            ) from error

    @classmethod
    def kept_in(cls, data: Prepared, readout: ReadoutSettings, folder: Path) -> FrozenStates:
        """States that an earlier run left.

        Raises:
            CheckpointError: The folder holds none, or those of other rows, layers or weights.
        """
        try:
            stamp = json.loads((folder / STAMP).read_text("utf-8"))
            size = int(stamp["size"])
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(str(folder), "holds no states of a run", value=str(error)) from error
        if stamp != _stamp(data, readout, size):
            raise CheckpointError(str(folder), "holds states of other rows, layers or weights")
        return cls(data, readout, folder, size=size)

    def read(self, rows: Ints) -> Ints:
        """Those of the rows (n,) that were read."""
        return rows[self._done[rows]]

    def missing(self, rows: Ints) -> Ints:
        """Those of the rows (n,) that were not read yet."""
        return rows[~self._done[rows]]

    def put(self, rows: Ints, states: torch.Tensor) -> None:
        """Keep states (n, F) of rows (n,)."""
        self._states[rows] = states.float().cpu().numpy()
        self._states.flush()
        self._done[rows] = True
        self._keep()

    def take(self, rows: Ints, device: torch.device) -> torch.Tensor:
        """States (n, F) of rows that were all read before."""
        return torch.from_numpy(np.asarray(self._states[rows])).to(device)

    def _keep(self) -> None:
        partial = self._folder / f"{DONE}.part.npy"
        np.save(partial, self._done)
        partial.replace(self._folder / DONE)


def _stamp(data: Prepared, readout: ReadoutSettings, size: int) -> dict[str, Any]:
    """What the states depend on."""
    rows = hashlib.sha256(data.rows.row_keys.tobytes())
    for column in (data.rows.words_start, data.rows.words_end, data.rows.own_start):
        rows.update(column.tobytes())
    return {
        "rows": rows.hexdigest(),
        "base": data.manifest.get("base", {}).get("hash", ""),
        "sight": data.sight(),
        "read": [sorted(set(readout.layers)), sorted(set(readout.last_layers)), readout.pooling, readout.picture],
        "size": size,
    }
