"""A deterministic embedder for tests: words hashed into signs, so texts that share words are alike."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np


class HashingEmbedder:
    """The real protocol, no model. Distinct words point in near-orthogonal directions."""

    def __init__(self, name: str = "hashing", dimension: int = 64) -> None:
        self.name, self.dimension = name, dimension
        self.hash = hashlib.sha256(f"{name} {dimension}".encode()).hexdigest()
        self.seen: list[str] = []

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.seen += texts
        vectors = np.stack([self._one(text) for text in texts]) if texts else np.zeros((0, self.dimension))
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    def _one(self, text: str) -> np.ndarray:
        # A small constant part keeps a text without words from being the zero vector.
        vector = np.full(self.dimension, 0.01)
        for word in text.casefold().split():
            seed = int.from_bytes(hashlib.sha256(f"{self.name} {word}".encode()).digest()[:8], "little")
            vector += np.random.default_rng(seed).choice([-1.0, 1.0], self.dimension)
        return vector
