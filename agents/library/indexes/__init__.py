"""Ways of finding near vectors, one file a kind. `KINDS` lists them; the smallest library's kind comes first.

A new kind is one file with a class of `base.Kind`'s shape and one line in `KINDS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agents.library.indexes.base import Kind

FLAT_ROWS = 200_000
"""Vectors up to which every one of them is compared: exact, and fast enough on a laptop."""
HNSW_ROWS = 2_000_000
"""Vectors up to which a graph is held in memory; beyond, compressed codes are read from the file as needed."""


def kinds() -> tuple[type[Kind], ...]:
    """Every kind that can be written to a file."""
    from agents.library.indexes.flat import Flat
    from agents.library.indexes.hnsw import Hnsw
    from agents.library.indexes.ivfpq import IvfPq

    return (Flat, Hnsw, IvfPq)


def kind_for(rows: int) -> str:
    """The kind for a library of `rows` vectors where nobody named one."""
    if rows <= FLAT_ROWS:
        return "flat"
    return "hnsw" if rows <= HNSW_ROWS else "ivfpq"
