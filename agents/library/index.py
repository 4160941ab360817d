"""Vectors by row number, searched among all rows or some. No filter ever loses a result.

Graphs and cells find near vectors fast, but with a filter that few rows pass they lose results: they walk past what
is allowed. So a filtered search compares every allowed vector where they are few, and wherever an approximate index
finds fewer than there are.
"""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np

from agents.library.indexes import FLAT_ROWS, kind_for, kinds
from agents.library.indexes.base import Floats, Kind, Rows
from agents.library.indexes.exact import nearest
from agents.library.indexes.flat import Flat
from lcbm_model.errors import LibraryError, SettingsError

AUTO = "auto"
MOST_APPROXIMATE = 1_000
"""More results than this are looked up exactly: a graph that keeps so many candidates is no faster."""
LEAST_SHARE = 0.1
"""Where fewer of the rows than this are allowed, an approximate index loses too many: exact instead."""
_UNIT = 1e-3
"""A stored vector's length may differ from 1 by this: float32 rounding is far below, damage far above."""
_SAMPLED = 1_000


class VectorIndex:
    """Unit vectors under their row numbers, by whatever kind of index suits their number."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._vectors = kind.vectors

    @classmethod
    def build(cls, vectors: np.ndarray, kind: str = AUTO) -> VectorIndex:
        """Index row i of `vectors` (N, D) under the number i; rows are brought to unit length here.

        Args:
            kind: "flat", "hnsw", "ivfpq" or "gpu"; "auto" goes by the number of rows.

        Raises:
            LibraryError: A vector that is not finite, or of length zero; too few rows for the kind.
            SettingsError: No such kind, or no GPU.
        """
        unit = normalised(vectors)
        made = _kind(kind_for(len(unit)) if kind == AUTO else kind).build(unit)
        if made.efforts:
            from agents.library.indexes.tuning import tune

            tune(made)
        return cls(made)

    @classmethod
    def read(cls, path: Path) -> VectorIndex:
        """Open a written index, memory-mapped: pages are read when searched.

        Raises:
            LibraryError: Not an index of ours, or vectors that are not of unit length.
        """
        try:
            kind: Kind | None = Flat.open(path)
            raw = None if kind is not None else faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except (RuntimeError, ValueError) as error:
            raise LibraryError(str(path), "is no readable vector index", remedy="Build the library anew") from error
        if kind is None:
            kind = next((made for known in kinds() if (made := known.adopt(raw)) is not None), None)
        if kind is None or not kind.vectors.shape[1]:
            raise LibraryError(str(path), "is another kind of index", value=type(raw).__name__)
        index = cls(kind)
        index._assert_unit(path)
        return index

    def write(self, path: Path) -> None:
        """Write to a file.

        Raises:
            OSError: It cannot be written.
        """
        self._kind.write(path)

    def on_gpu(self) -> VectorIndex:
        """The same vectors, searched exactly on a CUDA device.

        Raises:
            SettingsError: There is none that FAISS can use.
        """
        from agents.library.indexes.gpu import Gpu

        return VectorIndex(Gpu(self._vectors))

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def dimension(self) -> int:
        return int(self._vectors.shape[1])

    @property
    def kind(self) -> str:
        """ "flat", "hnsw", "ivfpq" or "gpu"."""
        return self._kind.name

    @property
    def suffix(self) -> str:
        """Of the file that `write` makes: "npy" or "faiss"."""
        return self._kind.suffix

    @property
    def vectors(self) -> Floats:
        """(N, D) float32 of unit length, not copied, not writable; memory-mapped where the index was read."""
        return self._vectors

    def recall(self) -> float:
        """Share of the true ten nearest that the index finds on queries near its own vectors, 0..1."""
        from agents.library.indexes.tuning import measure

        return 1.0 if self._kind.exact else measure(self._kind)

    def search(self, query: np.ndarray, k: int, allowed: np.ndarray | None = None) -> tuple[Floats, Rows]:
        """The `k` nearest rows, nearest first; fewer only where fewer are allowed.

        Args:
            query: (D,) vector of any length but zero.
            k: At least 1.
            allowed: (N,) bool; None allows all.

        Returns:
            Cosines (M,) float32 and row numbers (M,) int64, M <= k. Equal cosines are in row order.

        Raises:
            LibraryError: A query of another dimension or without direction; damaged vectors.
        """
        if query.shape != (self.dimension,):
            raise LibraryError("query", f"is no vector of {self.dimension} numbers", value=query.shape)
        eligible = len(self) if allowed is None else int(np.count_nonzero(allowed))
        k = min(k, eligible)
        if k == 0:
            return np.empty(0, np.float32), np.empty(0, np.int64)
        unit = normalised(query[None, :])
        if not self._compares_all(k, eligible):
            bits = None if allowed is None else np.packbits(allowed, bitorder="little")
            found, numbers = self._kind.nearest(unit, k, bits)
            there = numbers[0] >= 0
            cosines, rows = found[0][there], numbers[0][there].astype(np.int64)
            if len(rows) == k:
                order = np.lexsort((rows, -cosines))
                return cosines[order], rows[order]
        return nearest(self._vectors, unit[0], k, None if allowed is None else np.flatnonzero(allowed))

    def _compares_all(self, k: int, eligible: int) -> bool:
        if eligible < len(self) and (eligible <= FLAT_ROWS or eligible < LEAST_SHARE * len(self)):
            return True
        return self._kind.name == "flat" or k > MOST_APPROXIMATE

    def _assert_unit(self, path: Path) -> None:
        rng = np.random.default_rng(0)
        rows = (
            np.unique(np.r_[0, len(self) - 1, rng.integers(0, len(self), _SAMPLED)]) if len(self) else np.empty(0, int)
        )
        lengths = np.linalg.norm(self._vectors[rows], axis=1)
        if not np.all(np.abs(lengths - 1) < _UNIT):  # NaN is not below
            raise LibraryError(str(path), "holds vectors that are not of unit length", remedy="Build the library anew")


def normalised(vectors: np.ndarray) -> Floats:
    """(N, D) float32 rows of unit length.

    Raises:
        LibraryError: A row that is not finite, or of length zero.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    bad = np.flatnonzero(~np.isfinite(lengths[:, 0]) | (lengths[:, 0] == 0))
    if bad.size:
        raise LibraryError("embedder", f"gave a vector without direction for text {bad[0] + 1}", remedy="Use another")
    return np.ascontiguousarray(vectors / lengths, dtype=np.float32)


def _kind(name: str) -> type[Kind]:
    if name == "gpu":
        from agents.library.indexes.gpu import Gpu

        return Gpu
    for kind in kinds():
        if kind.name == name:
            return kind
    names = ", ".join([AUTO, *(kind.name for kind in kinds()), "gpu"])
    raise SettingsError("index", "no such kind of index", value=name, remedy=f"Use one of: {names}")
