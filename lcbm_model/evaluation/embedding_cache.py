"""Embeddings kept on disk by the text's hash, so that a second evaluation need not embed the training rows again."""

from __future__ import annotations

import hashlib
import sqlite3
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lcbm_model.backbone.runtime import cache_dir
from lcbm_model.embedder import Embedder, load_embedder

_LOOKUP = 500
"""Keys asked for at once: below SQLite's limit on host parameters."""
_EMBEDDED_AT_ONCE = 4096


class CachedEmbedder:
    """An embedder with a SQLite file in front, one per embedder's weights. Same vectors with and without it.

    A file that is damaged, or a folder that cannot be written, costs time and no vectors; a warning says so.

    Args:
        load: Gives the embedder; called when the first text is to be embedded, so that nothing is loaded for nothing.
        folder: Of the cache; by default inside `cache_dir()`.
    """

    def __init__(self, load: Callable[[], Embedder] = load_embedder, folder: Path | None = None) -> None:
        self._load = load
        self._folder = folder or cache_dir() / "embeddings"

    @cached_property
    def _inner(self) -> Embedder:
        return self._load()

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def hash(self) -> str:
        return self._inner.hash

    @property
    def dimension(self) -> int:
        return self._inner.dimension

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(N,) texts -> (N, D) float32 of unit length; equal texts are embedded once."""
        file = self._folder / f"{self.hash[:16]}.sqlite"
        try:
            return self._kept(texts, file)
        except (sqlite3.DatabaseError, OSError) as error:
            told = f"embeddings are not kept for the next time: {file}: {error}"
            warnings.warn(told, RuntimeWarning, stacklevel=2)
            return self._inner.embed(texts)

    def _kept(self, texts: Sequence[str], file: Path) -> NDArray[np.float32]:
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        self._folder.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file, timeout=60)) as store:
            _prepare(store)
            known = dict(self._find(store, list(dict.fromkeys(keys))))
            missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
            # By length, so that a batch pads little; in parts, so that a killed run keeps what it has done.
            todo = sorted(missing.items(), key=lambda item: len(item[1]))
            for start in range(0, len(todo), _EMBEDDED_AT_ONCE):
                part = todo[start : start + _EMBEDDED_AT_ONCE]
                vectors = self._inner.embed([text for _, text in part])
                rows = {key: vector for (key, _), vector in zip(part, vectors, strict=True)}
                with store:
                    store.executemany(
                        "INSERT OR IGNORE INTO embedded VALUES (?, ?)", [(k, v.tobytes()) for k, v in rows.items()]
                    )
                known.update(rows)
        if not keys:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return np.stack([known[key] for key in keys])

    def _find(self, store: sqlite3.Connection, keys: list[bytes]) -> Iterator[tuple[bytes, NDArray[np.float32]]]:
        for start in range(0, len(keys), _LOOKUP):
            part = keys[start : start + _LOOKUP]
            marks = ",".join("?" * len(part))
            for key, blob in store.execute(f"SELECT key, vector FROM embedded WHERE key IN ({marks})", part):
                if len(blob) == 4 * self.dimension:  # anything else was not written by this class: embed it anew
                    yield key, np.frombuffer(blob, dtype=np.float32)


def _prepare(store: sqlite3.Connection) -> None:
    """The table, where there is none yet.

    With rows of a kilobyte and more, keys in an index of their own are found and written several times as fast as in
    one tree with the rows. Files of before have such a tree; what it kept is made anew.
    """
    store.execute("CREATE TABLE IF NOT EXISTS embedded (key BLOB PRIMARY KEY, vector BLOB)")
    store.execute("DROP TABLE IF EXISTS vectors")
