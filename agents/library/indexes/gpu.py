"""Exact search on a CUDA device, for libraries that fit into its memory. Needs faiss-gpu in place of faiss-cpu."""

from __future__ import annotations

from typing import Any, ClassVar

import faiss
import numpy as np
from numpy.typing import NDArray

from agents.library.indexes.base import Floats, Rows
from agents.library.indexes.flat import Flat, flat_of
from lcbm_model.errors import SettingsError


class Gpu(Flat):
    """The flat vectors of another index, copied to the first device. It is never written: the other one is."""

    name: ClassVar[str] = "gpu"

    def __init__(self, vectors: Floats) -> None:
        """Copy (N, D) vectors of unit length to the device; those given stay the ones that are written.

        Raises:
            SettingsError: No device, or FAISS was built without CUDA.
        """
        if not available():
            remedy = "Leave the index on the CPU, or install faiss-gpu-cu12 in place of faiss-cpu on a CUDA machine"
            raise SettingsError("index", "no GPU that FAISS can use", value="gpu", remedy=remedy)
        super().__init__(vectors)
        self._resources = faiss.StandardGpuResources()
        self._device = faiss.index_cpu_to_gpu(self._resources, 0, flat_of(vectors))

    @classmethod
    def adopt(cls, raw: Any) -> Gpu | None:
        """None: no file holds an index of this kind."""
        return None

    def nearest(self, unit: Floats, k: int, bits: NDArray[np.uint8] | None) -> tuple[Floats, Rows]:
        """See `Kind.nearest`. FAISS has no filter on the device: a subset is compared by the processor."""
        if bits is None and k <= 2048:  # the device's own limit on k
            cosines, rows = self._device.search(unit, k)
            return cosines, rows
        return super().nearest(unit, k, bits)


def available() -> bool:
    """Whether FAISS can use a GPU here."""
    return hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0
