"""What every kind of index offers. All of them keep the vectors themselves: exact search is always possible."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


class Kind(Protocol):
    """Near vectors by inner product. Vectors are float32 of unit length, so that the product is the cosine.

    Attributes:
        name: As users choose it: "flat".
        exact: Whether `nearest` compares every vector.
        suffix: Of the files that `write` makes.
        efforts: Settings of `effort`, ascending: more finds more and takes longer. Empty for exact kinds.
    """

    name: ClassVar[str]
    exact: ClassVar[bool]
    suffix: ClassVar[str]
    efforts: ClassVar[tuple[int, ...]]

    @classmethod
    def build(cls, unit: Floats) -> Kind:
        """Index row i of `unit` (N, D) under the number i.

        Raises:
            LibraryError: Too few rows for this kind.
        """
        ...

    @classmethod
    def adopt(cls, raw: Any) -> Kind | None:
        """A FAISS index that was read from a file; None where it is of another kind."""
        ...

    @property
    def vectors(self) -> Floats:
        """(N, D) the vectors themselves: not copied, not writable, memory-mapped where the index was read."""
        ...

    def write(self, path: Path) -> None:
        """Write to a file.

        Raises:
            OSError: It cannot be written.
        """
        ...

    @property
    def effort(self) -> int:
        """How hard `nearest` looks; written with the index."""
        ...

    @effort.setter
    def effort(self, value: int) -> None: ...

    def nearest(self, unit: Floats, k: int, bits: NDArray[np.uint8] | None) -> tuple[Floats, Rows]:
        """The `k` nearest of each query, as far as this kind finds them.

        Args:
            unit: (Q, D) queries of unit length.
            k: 1..N.
            bits: Rows that may be found, one bit each, least first; None for all.

        Returns:
            (Q, k) cosines and rows, nearest first. A row of -1 says that no further one was found.
        """
        ...


def write_faiss(raw: Any, path: Path) -> None:
    """Write a FAISS index to a file.

    Raises:
        OSError: It cannot be written.
    """
    import faiss

    try:
        faiss.write_index(raw, str(path))
    except RuntimeError as error:
        raise OSError(f"vectors cannot be written to {path}") from error


def selector_of(bits: NDArray[np.uint8]) -> Any:
    """FAISS's filter of rows, one bit each, least first."""
    import faiss

    make: Any = faiss.IDSelectorBitmap  # its Python layer takes arrays, which its type stubs do not know
    return make(bits)
