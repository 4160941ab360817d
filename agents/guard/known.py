"""How far a text is from everything the library knows, and from where on that is too far.

The library says itself what far means: each of its posts has a nearest other post, and a text that is farther from
every post than nearly all posts are from their nearest one is unlike anything whose outcome is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agents.embedder import Embedder
from agents.guard.meaning import embed
from lcbm_model.errors import SettingsError

if TYPE_CHECKING:
    from agents.library import Library

QUANTILE = 0.02
"""Share of the library's own posts that would count as outside."""
FEWEST = 20
"""Posts below which a library knows too little to call anything outside."""
SAMPLE = 2_000
"""Posts whose own neighbours are looked up; more cost time and move the quantile little."""
CHUNK = 256


class KnownPosts:
    """Vectors of the known posts and the cosine below which a text is outside.

    Args:
        vectors: (N, D) of unit length, not copied.
        embedder: The one they were made by.
        quantile: Of the posts' cosines to their nearest other post, 0..1.

    Attributes:
        limit: Cosine below which a text counts as outside; None with fewer than 20 posts.

    Raises:
        SettingsError: A quantile outside 0..1.
    """

    def __init__(self, vectors: NDArray[np.float32], embedder: Embedder, *, quantile: float = QUANTILE) -> None:
        if not 0 <= quantile <= 1:
            raise SettingsError("quantile", "must lie in 0..1", value=quantile, remedy="0.02 is the default")
        self._vectors, self.embedder, self.quantile = vectors, embedder, quantile
        near = own_neighbours(vectors) if len(vectors) >= FEWEST else None
        self.limit = None if near is None else float(np.clip(np.quantile(near, quantile), 0.0, 1.0))

    @classmethod
    def of_library(cls, library: Library, *, quantile: float = QUANTILE) -> KnownPosts:
        """Of a library's posts, by the vectors it holds already."""
        return cls(library.index.vectors, library.embedder, quantile=quantile)

    @classmethod
    def of_texts(cls, texts: Sequence[str], embedder: Embedder, *, quantile: float = QUANTILE) -> KnownPosts:
        """Of plain texts."""
        return cls(embed(embedder, texts), embedder, quantile=quantile)

    def __len__(self) -> int:
        return len(self._vectors)

    def nearest(self, texts: Sequence[str]) -> list[float]:
        """For each text the cosine to its nearest known post, clipped to 0..1; 0 where nothing is known."""
        return self.of_vectors(embed(self.embedder, texts)).tolist()

    def of_vectors(self, drafts: NDArray[np.float32]) -> NDArray[np.float64]:
        """(M, D) unit vectors -> (M,) cosines to the nearest known post, clipped to 0..1."""
        return np.clip(_best(drafts, self._vectors), 0.0, 1.0)

    def doubt(self, nearest: float) -> str | None:
        """Why a text at this cosine lies outside, in words; None where it does not."""
        if self.limit is None or nearest >= self.limit:
            return None
        return (
            f"unlike anything known: its nearest past post has a likeness of {nearest:.2f}, "
            f"and {1 - self.quantile:.0%} of the {len(self)} past posts have one of at least {self.limit:.2f}"
        )


def own_neighbours(vectors: NDArray[np.float32], *, sample: int = SAMPLE) -> NDArray[np.float64]:
    """(N, D) unit vectors -> (S,) cosine of each sampled row to its nearest other row.

    Word-for-word repeats are no neighbours: they say that a post was published twice, not how varied the posts are.
    """
    rows = np.sort(np.random.default_rng(0).choice(len(vectors), min(len(vectors), sample), replace=False))
    return _best(np.asarray(vectors[rows]), vectors, below=1 - 1e-5)


def _best(queries: NDArray[np.float32], among: NDArray[np.float32], *, below: float = np.inf) -> NDArray[np.float64]:
    """(M, D) and (N, D) -> (M,) largest cosine under `below`, 0 where there is none; chunked to bound memory."""
    best = np.zeros(len(queries))
    for start in range(0, len(among), CHUNK * 64):
        block = np.asarray(among[start : start + CHUNK * 64])
        for first in range(0, len(queries), CHUNK):
            cosines = queries[first : first + CHUNK] @ block.T  # (<= 256, <= 16384)
            found = np.where(cosines < below, cosines, 0.0).max(axis=1)
            best[first : first + CHUNK] = np.maximum(best[first : first + CHUNK], found)
    return best
