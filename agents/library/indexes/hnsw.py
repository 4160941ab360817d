"""A graph of neighbours (HNSW, Malkov and Yashunin 2018) over the vectors: the choice for middling libraries."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import faiss
import numpy as np
from numpy.typing import NDArray

from agents.library.indexes.base import Floats, Rows, selector_of, write_faiss
from agents.library.indexes.flat import vectors_of

LINKS = 32
"""Neighbours a vector is linked to; twice as many on the ground floor."""
BUILD_EFFORT = 80
"""Candidates looked at when a vector is linked in."""


class Hnsw:
    """FAISS HNSW over the flat vectors. `effort` is the number of candidates kept while walking (efSearch)."""

    name: ClassVar[str] = "hnsw"
    exact: ClassVar[bool] = False
    suffix: ClassVar[str] = "faiss"
    efforts: ClassVar[tuple[int, ...]] = (16, 32, 64, 128, 256, 512)

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    @classmethod
    def build(cls, unit: Floats) -> Hnsw:
        """Index row i of `unit` (N, D) under the number i."""
        raw = faiss.IndexHNSWFlat(unit.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
        raw.hnsw.efConstruction = BUILD_EFFORT
        raw.add(unit)
        return cls(raw)

    @classmethod
    def adopt(cls, raw: Any) -> Hnsw | None:
        """An HNSW index over flat vectors."""
        return cls(raw) if isinstance(raw, faiss.IndexHNSWFlat) else None

    @property
    def vectors(self) -> Floats:
        """See `Kind.vectors`: those that the graph stands on."""
        return vectors_of(faiss.downcast_index(self.raw.storage), self.raw)

    def write(self, path: Path) -> None:
        """See `Kind.write`."""
        write_faiss(self.raw, path)

    @property
    def effort(self) -> int:
        """Candidates kept while walking."""
        return int(self.raw.hnsw.efSearch)

    @effort.setter
    def effort(self, value: int) -> None:
        self.raw.hnsw.efSearch = value

    def nearest(self, unit: Floats, k: int, bits: NDArray[np.uint8] | None) -> tuple[Floats, Rows]:
        """See `Kind.nearest`."""
        parameters: Any = faiss.SearchParametersHNSW()  # type: ignore[attr-defined]
        parameters.efSearch = max(self.effort, 2 * k)
        if bits is not None:
            selector = selector_of(bits)
            parameters.sel = selector
        cosines, rows = self.raw.search(unit, k, params=parameters)
        return cosines, rows
