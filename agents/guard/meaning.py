"""Likeness of meaning of a draft to what has to be said, by sentence embeddings.

A headline says in eight words what a message says in five sentences, and may lead with any of them. So a draft is
compared with the text to beat, the message whole and each of its sentences, and the nearest counts. That measures
whether a draft still speaks of the matter; whether every fact of it is right is checked to the letter elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.embedder import Embedder
from lcbm_model.errors import BriefError

SENTENCES = 40
"""Sentences of a message that are looked at."""
_END = re.compile(r"(?<=[.!?…])\s+|\n+")


class MeaningScale:
    """Cosines of drafts to what must be said, 0..1.

    Args:
        content_text: The text to beat; may be empty.
        message: What has to be said; may be empty where there is a text.

    Raises:
        BriefError: Both are empty.
    """

    def __init__(self, content_text: str, message: str, embedder: Embedder) -> None:
        self.embedder = embedder
        self.references = references(content_text, message)
        if not self.references:
            raise BriefError("message", "is empty, and so is the draft", remedy="Say what has to be said")
        self._vectors: NDArray[np.float32] | None = None

    def likeness(self, texts: Sequence[str]) -> list[float]:
        """For each text the cosine to the nearest thing that must be said, clipped to 0..1."""
        return self.of_vectors(embed(self.embedder, texts)).tolist()

    def of_vectors(self, drafts: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N, D) unit vectors -> (N,) cosines, clipped to 0..1."""
        if self._vectors is None:
            self._vectors = embed(self.embedder, self.references)  # (R, D)
        cosines = np.asarray(drafts @ self._vectors.T, dtype=np.float64)  # (N, R)
        return np.clip(cosines.max(axis=1, initial=0.0), 0.0, 1.0)


def references(content_text: str, message: str) -> list[str]:
    """The text to beat, the message, and its sentences of three words and more; each once."""
    sentences = [s.strip() for s in _END.split(message)][:SENTENCES]
    texts = [content_text.strip(), message.strip(), *(s for s in sentences if len(s.split()) >= 3)]
    return list(dict.fromkeys(text for text in texts if text))


def embed(embedder: Embedder, texts: Sequence[str]) -> NDArray[np.float32]:
    """(N,) texts -> (N, D) unit vectors. Half characters, which no tokenizer takes, become question marks."""
    return embedder.embed([text.encode("utf-8", "replace").decode("utf-8") for text in texts])
