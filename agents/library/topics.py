"""Subjects of a library: clusters of its vectors, named by the words that set each apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

POSTS_A_TOPIC = 50
"""Posts a topic has on average, about; so few posts make few topics."""
MOST_TOPICS = 20
WORDS = 4
"""Words in a topic's name."""
_WORD = r"(?u)\b[^\W\d_][\w'’-]+\b"
WHOLE = 20_000
"""Posts up to which every post is looked at in each step of k-means; beyond, a batch of them."""


@dataclass(frozen=True)
class Topics:
    """Which topic each post belongs to.

    Attributes:
        labels: (N,) topic of each post, 0..T-1.
        names: (T,) the words that set each topic apart: "rain, umbrella, coat, forecast".
    """

    labels: NDArray[np.int64]
    names: tuple[str, ...]


def find_topics(texts: Sequence[str], vectors: NDArray[np.float32], *, topics: int | None = None) -> Topics:
    """Cluster posts by meaning (k-means with a fixed seed, the same every time).

    Args:
        texts: (N,) for the names.
        vectors: (N, D) of unit length.
        topics: How many; by the number of posts where None.
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans

    wanted = topics or int(np.clip(len(texts) // POSTS_A_TOPIC, 2, MOST_TOPICS))
    wanted = min(wanted, len(np.unique(vectors[:, :4], axis=0)))
    kind = KMeans if len(texts) <= WHOLE else MiniBatchKMeans
    model = kind(wanted, random_state=0, n_init=3)
    _, labels = np.unique(model.fit_predict(np.asarray(vectors)), return_inverse=True)
    labels = labels.astype(np.int64)
    return Topics(labels, _names(texts, labels))


def _names(texts: Sequence[str], labels: NDArray[np.int64]) -> tuple[str, ...]:
    """Class-based tf-idf: a topic's posts are one document, and words common to all topics count little."""
    from sklearn.feature_extraction.text import CountVectorizer

    count = int(labels.max()) + 1
    try:
        reader = CountVectorizer(stop_words="english", token_pattern=_WORD, binary=True, min_df=min(2, len(texts)))
        posts = reader.fit_transform(texts)  # (N, V) sparse: whether a post has the word
    except ValueError:  # not one word that is no stop word
        return tuple(f"topic {i + 1}" for i in range(count))
    words = reader.get_feature_names_out()
    held = np.stack([np.asarray(posts[labels == i].sum(axis=0)).ravel() for i in range(count)]).astype(float)  # (T, V)
    share = held / np.bincount(labels, minlength=count)[:, None]
    score = share * np.log1p(held.sum() / count / held.sum(axis=0))
    names = []
    for row in score:
        best = np.argsort(-row, kind="stable")[:WORDS]
        names.append(", ".join(words[i] for i in best if row[i] > 0))
    return tuple(name or f"topic {i + 1}" for i, name in enumerate(names))
