"""Every vector is compared: exact. The choice for small libraries."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import faiss
import numpy as np
from numpy.typing import NDArray

from agents.library.indexes.base import Floats, Rows
from agents.library.indexes.exact import nearest


class Flat:
    """The vectors alone; `exact.nearest` compares them.

    They are written as NumPy writes arrays. In FAISS's own file of a flat index they begin at an odd byte, and a
    product over memory-mapped numbers that lie askew takes many times as long.
    """

    name: ClassVar[str] = "flat"
    exact: ClassVar[bool] = True
    suffix: ClassVar[str] = "npy"
    efforts: ClassVar[tuple[int, ...]] = ()

    def __init__(self, vectors: Floats) -> None:
        """Over (N, D) vectors of unit length, which are not copied."""
        self._vectors = vectors.view()
        self._vectors.flags.writeable = False

    @classmethod
    def build(cls, unit: Floats) -> Flat:
        """Index row i of `unit` (N, D) under the number i."""
        return cls(unit)

    @classmethod
    def open(cls, path: Path) -> Flat | None:
        """The vectors of a file that `write` wrote, memory-mapped; None where it is no array.

        Raises:
            ValueError: An array, but none of vectors, or cut off.
        """
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                return None
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
        if vectors.dtype != np.float32 or vectors.ndim != 2 or not vectors.flags.c_contiguous:
            raise ValueError("an array, but none of vectors")
        return cls(np.asarray(vectors))

    @classmethod
    def adopt(cls, raw: Any) -> Flat | None:
        """A FAISS flat index, alone or inside an id map, as earlier libraries were written."""
        if isinstance(raw, faiss.IndexIDMap2) and np.array_equal(
            faiss.vector_to_array(raw.id_map), np.arange(raw.ntotal)
        ):
            inner = faiss.downcast_index(raw.index)
            return cls(_straight(vectors_of(inner, raw))) if isinstance(inner, faiss.IndexFlatIP) else None
        return cls(_straight(vectors_of(raw))) if isinstance(raw, faiss.IndexFlatIP) else None

    @property
    def vectors(self) -> Floats:
        """See `Kind.vectors`."""
        return self._vectors

    def write(self, path: Path) -> None:
        """See `Kind.write`."""
        with path.open("wb") as file:
            np.save(file, self._vectors, allow_pickle=False)

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


_MAGIC = b"\x93NUMPY"


def flat_of(unit: Floats) -> Any:
    """A FAISS flat index of (N, D) vectors."""
    raw = faiss.IndexFlatIP(unit.shape[1])
    raw.add(unit)
    return raw


def vectors_of(flat: Any, owner: Any = None) -> Floats:
    """(N, D) the vectors inside a FAISS flat index: not copied, not writable, memory-mapped where the index is.

    Args:
        owner: The index that `flat` is a part of; the array keeps it alive.
    """
    n, d = int(flat.ntotal), int(flat.d)
    if n == 0:
        return np.empty((0, d), np.float32)
    vectors: Floats = np.asarray(_Held(faiss.rev_swig_ptr(flat.get_xb(), n * d).reshape(n, d), (flat, owner)))
    vectors.flags.writeable = False  # a memory-mapped file must not be written through
    return vectors


def _straight(vectors: Floats) -> Floats:
    """The vectors themselves, or a copy in memory where they lie askew."""
    return vectors if vectors.flags.aligned else np.array(vectors)


class _Held:
    """Hands an array out together with what owns its memory."""

    def __init__(self, view: Floats, owner: Any) -> None:
        self.owner = owner
        self.__array_interface__ = view.__array_interface__
