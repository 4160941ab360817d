"""Vectors of many posts: each distinct text embedded once, looked up where it was embedded before, checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lcbm_model.embedder import Embedder, SentenceEmbedder
from lcbm_model.evaluation.embedding_cache import CachedEmbedder

Progress = Callable[[int, int], None]
"""Called with the number of distinct texts embedded so far and of all."""

_BLOCK = 2048
"""Texts embedded between two calls of the progress function; a stopped build keeps what was done."""


def embed_posts(model: Embedder, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
    """(N,) texts -> (N, D) float32, every row of unit length.

    The vectors of a sentence-transformers model are kept in the user's cache folder by the hash of the text, so that
    building again and updating costs nothing for texts that stayed. Texts are taken by length, so that a batch pads
    little.
    """
    distinct = sorted(set(texts), key=len)
    kept: Embedder = CachedEmbedder(lambda: model) if isinstance(model, SentenceEmbedder) else model
    blocks = [np.zeros((0, model.dimension), dtype=np.float32)]
    for start in range(0, len(distinct), _BLOCK):
        part = distinct[start : start + _BLOCK]
        blocks.append(kept.embed(part))
        if progress is not None:
            progress(start + len(part), len(distinct))
    place = {text: i for i, text in enumerate(distinct)}
    vectors: NDArray[np.float32] = np.concatenate(blocks)[[place[text] for text in texts]]
    return vectors
