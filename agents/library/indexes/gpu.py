"""Exact search on a CUDA device, for libraries that fit into its memory. Needs faiss-gpu in place of faiss-cpu."""

from __future__ import annotations

from typing import Any, ClassVar

import faiss
import numpy as np
from numpy.typing import NDArray

from agents.library.indexes.base import Floats, Rows
from agents.library.indexes.exact import nearest
from agents.library.indexes.flat import vectors_of
from lcbm_model.errors import SettingsError


class Gpu:
    """The flat vectors of another index, copied to the first device. It is never written: the other one is."""

    name: ClassVar[str] = "gpu"
    exact: ClassVar[bool] = True
    efforts: ClassVar[tuple[int, ...]] = ()

    def __init__(self, raw: Any) -> None:
        """Copy to the device.

        Args:
            raw: A FAISS flat index; it stays the one that is written.

        Raises:
            SettingsError: No device, or FAISS was built without CUDA.
        """
        if not available():
            remedy = "Leave the index on the CPU, or install faiss-gpu-cu12 in place of faiss-cpu on a CUDA machine"
            raise SettingsError("index", "no GPU that FAISS can use", value="gpu", remedy=remedy)
        self.raw = raw
        self._vectors = vectors_of(raw)
        self._resources = faiss.StandardGpuResources()
        self._device = faiss.index_cpu_to_gpu(self._resources, 0, raw)

    @classmethod
    def build(cls, unit: Floats) -> Gpu:
        """Index row i of `unit` (N, D) under the number i."""
        from agents.library.indexes.flat import flat_of

        return cls(flat_of(unit))

    @classmethod
    def adopt(cls, raw: Any) -> Gpu | None:
        """None: no file holds an index of this kind."""
        return None

    @property
    def flat(self) -> Any:
        """The vectors in the computer's own memory."""
        return self.raw

    @property
    def effort(self) -> int:
        """There is nothing to choose."""
        return 0

    @effort.setter
    def effort(self, value: int) -> None:
        raise AttributeError("an exact index has no effort to set")

    def nearest(self, unit: Floats, k: int, bits: NDArray[np.uint8] | None) -> tuple[Floats, Rows]:
        """See `Kind.nearest`. FAISS has no filter on the device: a subset is compared by the processor."""
        if bits is None and k <= 2048:  # the device's own limit on k
            cosines, rows = self._device.search(unit, k)
            return cosines, rows
        n = len(self._vectors)
        among = None if bits is None else np.flatnonzero(np.unpackbits(bits, count=n, bitorder="little"))
        found = [nearest(self._vectors, query, k, among) for query in unit]
        return np.stack([cosines for cosines, _ in found]), np.stack([rows for _, rows in found])


def available() -> bool:
    """Whether FAISS can use a GPU here."""
    return hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0
