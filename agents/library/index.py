"""Vectors by row number, searched exactly, among all rows or some."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np

from lcbm_model.errors import LibraryError


class VectorIndex:
    """FAISS flat inner product over unit vectors: exact, with any filter."""

    def __init__(self, index: Any) -> None:
        self._index = index

    @classmethod
    def build(cls, vectors: np.ndarray) -> VectorIndex:
        """Index row i of `vectors` (N, D) under the number i; rows are brought to unit length here.

        Raises:
            LibraryError: A vector that is not finite, or of length zero.
        """
        unit = normalised(vectors)
        index = faiss.IndexIDMap2(faiss.IndexFlatIP(unit.shape[1]))
        index.add_with_ids(unit, np.arange(len(unit), dtype=np.int64))
        return cls(index)

    @classmethod
    def read(cls, path: Path) -> VectorIndex:
        """Open a written index, memory-mapped: pages are read when searched.

        Raises:
            LibraryError: Not an index of this kind.
        """
        try:
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise LibraryError(str(path), "is no readable vector index", remedy="Build the library anew") from error
        if not isinstance(index, faiss.IndexIDMap2):
            raise LibraryError(str(path), "is another kind of index", value=type(index).__name__)
        return cls(index)

    def write(self, path: Path) -> None:
        """Write to a file.

        Raises:
            OSError: It cannot be written.
        """
        try:
            faiss.write_index(self._index, str(path))
        except RuntimeError as error:
            raise OSError(f"vectors cannot be written to {path}") from error

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        return int(self._index.d)

    def search(self, query: np.ndarray, k: int, allowed: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The `k` nearest rows, nearest first; fewer only where fewer are allowed.

        Args:
            query: (D,) vector.
            k: At least 1.
            allowed: (N,) bool; None allows all.

        Returns:
            Cosines (M,) float32 and row numbers (M,) int64, M <= k. Equal cosines are in row order.
        """
        k = min(k, len(self) if allowed is None else int(allowed.sum()))
        if k == 0:
            return np.empty(0, np.float32), np.empty(0, np.int64)
        params = None
        if allowed is not None:
            bits = np.packbits(allowed, bitorder="little")
            # FAISS's own Python layer takes keywords and arrays that its type stubs do not know.
            params = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))  # type: ignore[call-arg,arg-type]
        found, rows = self._index.search(normalised(query[None, :]), k, params=params)
        cosines, rows = found[0][rows[0] >= 0], rows[0][rows[0] >= 0]  # FAISS pads with -1
        order = np.lexsort((rows, -cosines))
        return cosines[order], rows[order]


def normalised(vectors: np.ndarray) -> np.ndarray:
    """(N, D) float32 rows of unit length.

    Raises:
        LibraryError: A row that is not finite, or of length zero.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    bad = np.flatnonzero(~np.isfinite(lengths[:, 0]) | (lengths[:, 0] == 0))
    if bad.size:
        raise LibraryError("embedder", f"gave a vector without direction for text {bad[0] + 1}", remedy="Use another")
    return np.ascontiguousarray(vectors / lengths, dtype=np.float32)
