"""Cells of like vectors, held as product-quantised codes: the choice for libraries of millions.

Only the cells near a query are read, from the memory-mapped file. Their best are compared once more with the vectors
themselves (also in the file), so that the similarities shown are exact.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import faiss
import numpy as np
from numpy.typing import NDArray

from agents.library.indexes.base import Floats, Rows, selector_of, write_faiss
from agents.library.indexes.flat import flat_of, vectors_of
from lcbm_model.errors import LibraryError

LEAST_ROWS = 10_000
"""Fewer do not suffice to learn 256 codes a part (FAISS asks for 39 vectors a code)."""
VECTORS_A_CELL = 39
"""Training vectors a cell's centre is learned from, at least."""
TRAINED_ON = 256_000
"""Vectors that centres and codes are learned from, at most."""
DIMENSIONS_A_CODE = 4
"""Of one byte: 96 bytes a vector at 384 dimensions, a sixteenth of the vector itself."""
REFINED = 8.0
"""Codes of this many times k are compared once more with the vectors themselves."""


class IvfPq:
    """FAISS IVF-PQ refined by the flat vectors. `effort` is the number of cells read (nprobe)."""

    name: ClassVar[str] = "ivfpq"
    exact: ClassVar[bool] = False
    suffix: ClassVar[str] = "faiss"
    efforts: ClassVar[tuple[int, ...]] = (4, 8, 16, 32, 64, 128)

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self._cells: Any = faiss.downcast_index(raw.base_index)

    @classmethod
    def build(cls, unit: Floats) -> IvfPq:
        """Index row i of `unit` (N, D) under the number i.

        Raises:
            LibraryError: Fewer than 10,000 rows, or dimensions that cannot be parted.
        """
        n, d = unit.shape
        if n < LEAST_ROWS:
            raise LibraryError("index", f"'ivfpq' needs {LEAST_ROWS} posts to learn from", value=n, remedy="Use 'flat'")
        if d % DIMENSIONS_A_CODE:
            problem = f"'ivfpq' needs vectors of a multiple of {DIMENSIONS_A_CODE} dimensions"
            raise LibraryError("index", problem, value=d, remedy="Use 'hnsw'")
        rng = np.random.default_rng(0)
        sample = unit if n <= TRAINED_ON else unit[np.sort(rng.choice(n, TRAINED_ON, replace=False))]
        cells = max(1, min(int(4 * np.sqrt(n)), len(sample) // VECTORS_A_CELL))
        centres = faiss.IndexFlatIP(d)
        ivf = faiss.IndexIVFPQ(centres, d, cells, d // DIMENSIONS_A_CODE, 8, faiss.METRIC_INNER_PRODUCT)
        ivf.train(sample)
        ivf.add(unit)
        raw = faiss.IndexRefine(ivf, flat_of(unit))
        raw.k_factor = REFINED
        return cls(raw)

    @classmethod
    def adopt(cls, raw: Any) -> IvfPq | None:
        """An IVF-PQ index refined by flat vectors."""
        if not isinstance(raw, faiss.IndexRefine):
            return None
        base, fine = faiss.downcast_index(raw.base_index), faiss.downcast_index(raw.refine_index)
        return cls(raw) if isinstance(base, faiss.IndexIVFPQ) and isinstance(fine, faiss.IndexFlatIP) else None

    @property
    def vectors(self) -> Floats:
        """See `Kind.vectors`: those that refine the codes."""
        return vectors_of(faiss.downcast_index(self.raw.refine_index), self.raw)

    def write(self, path: Path) -> None:
        """See `Kind.write`."""
        write_faiss(self.raw, path)

    @property
    def effort(self) -> int:
        """Cells read for a query."""
        return int(self._cells.nprobe)

    @effort.setter
    def effort(self, value: int) -> None:
        self._cells.nprobe = value

    def nearest(self, unit: Floats, k: int, bits: NDArray[np.uint8] | None) -> tuple[Floats, Rows]:
        """See `Kind.nearest`."""
        cells = faiss.SearchParametersIVF()
        cells.nprobe = self.effort
        if bits is not None:
            selector = selector_of(bits)
            cells.sel = selector
        parameters = faiss.IndexRefineSearchParameters()
        parameters.k_factor, parameters.base_index_params = self.raw.k_factor, cells
        cosines, rows = self.raw.search(unit, k, params=parameters)
        return cosines, rows
