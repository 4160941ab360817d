"""Every vector is compared: exact. The choice for small libraries."""

from __future__ import annotations

from typing import Any, ClassVar

import faiss
import numpy as np
from numpy.typing import NDArray

from agents.library.indexes.base import Floats, Rows
from agents.library.indexes.exact import nearest


class Flat:
    """FAISS flat inner product holds the vectors; `exact.nearest` compares them."""

    name: ClassVar[str] = "flat"
    exact: ClassVar[bool] = True
    efforts: ClassVar[tuple[int, ...]] = ()

    def __init__(self, raw: Any, owner: Any = None) -> None:
        """Over a FAISS flat index; `owner` is the index that it is a part of."""
        self.raw = raw
        self._vectors = vectors_of(raw, owner)

    @classmethod
    def build(cls, unit: Floats) -> Flat:
        """Index row i of `unit` (N, D) under the number i."""
        return cls(flat_of(unit))

    @classmethod
    def adopt(cls, raw: Any) -> Flat | None:
        """A flat index, also one inside the id map that earlier libraries were written with."""
        if isinstance(raw, faiss.IndexIDMap2) and np.array_equal(
            faiss.vector_to_array(raw.id_map), np.arange(raw.ntotal)
        ):
            inner = faiss.downcast_index(raw.index)
            return cls(inner, raw) if isinstance(inner, faiss.IndexFlatIP) else None
        return cls(raw) if isinstance(raw, faiss.IndexFlatIP) else None

    @property
    def flat(self) -> Any:
        """Itself."""
        return self.raw

    @property
    def effort(self) -> int:
        """There is nothing to choose."""
        return 0

    @effort.setter
    def effort(self, value: int) -> None:
        raise AttributeError("an exact index has no effort to set")

    def nearest(self, unit: Floats, k: int, bits: NDArray[np.uint8] | None) -> tuple[Floats, Rows]:
        """See `Kind.nearest`."""
        n = len(self._vectors)
        among = None if bits is None else np.flatnonzero(np.unpackbits(bits, count=n, bitorder="little"))
        found = [nearest(self._vectors, query, k, among) for query in unit]
        return np.stack([cosines for cosines, _ in found]), np.stack([rows for _, rows in found])


def flat_of(unit: Floats) -> Any:
    """A FAISS flat index of (N, D) vectors."""
    raw = faiss.IndexFlatIP(unit.shape[1])
    raw.add(unit)
    return raw


def vectors_of(flat: Any, owner: Any = None) -> Floats:
    """(N, D) the vectors inside a flat index: not copied, not writable, memory-mapped where the index is.

    Args:
        owner: The index that `flat` is a part of; the array keeps it alive.
    """
    n, d = int(flat.ntotal), int(flat.d)
    if n == 0:
        return np.empty((0, d), np.float32)
    vectors: Floats = np.asarray(_Held(faiss.rev_swig_ptr(flat.get_xb(), n * d).reshape(n, d), (flat, owner)))
    vectors.flags.writeable = False  # a memory-mapped file must not be written through
    return vectors


class _Held:
    """Hands an array out together with what owns its memory."""

    def __init__(self, view: Floats, owner: Any) -> None:
        self.owner = owner
        self.__array_interface__ = view.__array_interface__
