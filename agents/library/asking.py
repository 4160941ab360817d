"""What a library can be asked: near posts by words or picture, what they say of a new one, what winners share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.embedder import Embedder
from agents.library.records import Hit, Post
from lcbm_model.behavior import PercentileScale
from lcbm_model.errors import LibraryError, MetricError
from lcbm_model.metrics import get_metric

if TYPE_CHECKING:
    import polars as pl

    from agents.library.contrast import ContrastSet
    from agents.library.evidence import Evidence
    from agents.library.finding import Found
    from agents.library.index import VectorIndex
    from agents.library.insights import Insights
    from agents.library.pictures import PictureShelf


class Asking:
    """The asking half of `Library`. The making half gives it its posts, their vectors and the embedder.

    Attributes:
        metrics: Every metric that was found, the main one first.
        folder: Where the library lies on disk; None where it is only in memory.
    """

    _frame: pl.DataFrame
    _index: VectorIndex
    _embedder: Embedder
    metrics: tuple[str, ...]
    folder: Path | None = None

    # Near posts ---------------------------------------------------------------------------------------------------

    def search(
        self,
        query: str = "",
        k: int = 5,
        *,
        metric: str | None = None,
        min_percentile: float | None = None,
        channel: str | None = None,
        filters: Mapping[str, Any] | None = None,
        image: str | Path | None = None,
        diversity: float = 0.0,
    ) -> list[Hit]:
        """Up to `k` nearest posts that pass every condition, nearest first; fewer only where fewer pass.

        With `image` the hits are `PictureHit`s, which carry the likeness of the pictures too. With words and an image
        posts are ranked by both (reciprocal rank fusion), and `similarity` is that of the words.

        Args:
            query: What the posts should be about; may be left out where an image is given.
            metric: Whose value and percentile the hits carry; the main one by default.
            min_percentile: 0..100 from the better end inside the channel; posts without a result do not pass. Rates
                were pulled towards their channel's mean before they were ranked, the more the fewer people they are of.
            channel: Only this channel.
            filters: By field. `id`, `channel`, `audience`, `format`: a text or a list of texts. `date`, `exposure`,
                `percentile` and metrics: a range `(low, high)`, None for an open end: `{"date": ("2024-01-01", None)}`.
            image: A picture; posts with pictures like it are found.
            diversity: 0..1. Above 0, each further post is also chosen for being unlike those before it (maximal
                marginal relevance); the order is then that of choosing.

        Raises:
            MetricError: A metric that no post was measured in.
            LibraryError: Neither words nor an image, or a condition that cannot be checked.
            PictureError: `image` is no picture.
        """
        from agents.library.filters import allowed_rows
        from agents.library.finding import find, hits_of

        name = self._measured(metric)
        if not query.strip() and image is None:
            raise LibraryError("query", "is empty", value=query, remedy="Say what the posts should be about")
        if k < 1:
            raise LibraryError("k", "must be at least 1", value=k)
        if not 0 <= diversity <= 1:
            raise LibraryError("diversity", "must lie in 0..1", value=diversity)
        allowed = allowed_rows(self._frame, name, min_percentile=min_percentile, channel=channel, filters=filters)
        if allowed is not None and not allowed.any():
            return []
        vector = self._vectors_of([query])[0] if query.strip() else None
        seen = None if image is None else self._picture_similarities(Path(image))
        found: Found = find(self._index, vector, k, allowed=allowed, pictures=seen, diversity=diversity)
        return hits_of(self._frame, found, name)

    def contrast(self, query: str, k: int = 5, **conditions: Any) -> ContrastSet:
        """Near posts that did well and near posts that did badly: see `agents.library.contrast.contrast`."""
        from agents.library.contrast import contrast

        return contrast(self, query, k, **conditions)

    def use_index(self, kind: str) -> None:
        """Put the vectors into another kind of index; `save` keeps it.

        Args:
            kind: "flat", "hnsw", "ivfpq", "gpu" (searched on a CUDA device, saved as "flat"), or "auto" by size.

        Raises:
            SettingsError: No such kind, or no GPU.
            LibraryError: Too few posts for the kind.
        """
        from agents.library.index import VectorIndex

        self._index = self._index.on_gpu() if kind == "gpu" else VectorIndex.build(self._index.vectors, kind)

    # What they say of a new one -----------------------------------------------------------------------------------

    def evidence(self, text: str, **conditions: Any) -> Evidence:
        """Where posts like this text landed: `evidence_for` for one text."""
        return self.evidence_for([text], **conditions)[0]

    def evidence_for(
        self,
        texts: Sequence[str],
        *,
        k: int | None = None,
        metric: str | None = None,
        channel: str | None = None,
        filters: Mapping[str, Any] | None = None,
        leave_out: Collection[str] = (),
        level: float | None = None,
    ) -> list[Evidence]:
        """For each text, where the most similar posts with a result landed, with an interval.

        Args:
            k: Neighbours; 20 by default.
            metric: Whose ranks; the main one by default.
            channel: Only neighbours of this channel.
            filters: As in `search`.
            leave_out: Ids of posts that are no neighbours, such as the post itself.
            level: Share of posts that the interval is meant to hold; 0.8 by default.

        Raises:
            MetricError: A metric that no post was measured in.
            LibraryError: An empty text, or a condition that cannot be checked.
        """
        from agents.library.evidence import LEVEL, NEIGHBOURS, weigh
        from agents.library.filters import allowed_rows, measured_rows

        name, k = self._measured(metric), NEIGHBOURS if k is None else k
        if k < 1:
            raise LibraryError("k", "must be at least 1", value=k)
        if empty := [i for i, text in enumerate(texts) if not text.strip()]:
            raise LibraryError(f"text {empty[0] + 1}", "is empty", remedy="Nothing is like no words")
        allowed = measured_rows(self._frame, name)
        passed = allowed_rows(self._frame, name, channel=channel, filters=filters)
        if passed is not None:
            allowed = allowed & passed
        if leave_out:
            allowed = allowed & ~self._frame["id"].is_in(list(leave_out)).to_numpy()
        ranks, ids = self._frame[f"percentile.{name}"], self._frame["id"]
        given = []
        for vector in self._vectors_of(texts):
            cosines, rows = self._index.search(vector, k, allowed)
            near, names = ranks.gather(rows).to_numpy(), ids.gather(rows).to_list()
            given.append(weigh(cosines, near, names, metric=name, usual=self.usual_similarity, level=level or LEVEL))
        return given

    # What winners share -------------------------------------------------------------------------------------------

    def insights(self, *, metric: str | None = None, channel: str | None = None, **settings: Any) -> Insights:
        """What winners share: see `agents.library.insights.find_insights`.

        Raises:
            MetricError: A metric that no post was measured in.
            LibraryError: Too few posts with a result to say anything.
        """
        from agents.library.filters import allowed_rows, measured_rows
        from agents.library.insights import find_insights

        name = self._measured(metric)
        rows = measured_rows(self._frame, name)
        passed = allowed_rows(self._frame, name, channel=channel)
        chosen = np.flatnonzero(rows if passed is None else rows & passed)
        return find_insights(self._frame[chosen], self._index.vectors[chosen], name, channel=channel, **settings)

    # Pictures -----------------------------------------------------------------------------------------------------

    @cached_property
    def pictures(self) -> PictureShelf:
        """Vectors of the posts' pictures, as far as they were looked at."""
        from agents.library.pictures import PictureShelf, packaged_encoder

        return PictureShelf.open(self.folder, packaged_encoder())

    def look_at_pictures(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Look at every picture that is new or changed, and keep what was seen in the library's folder.

        Returns:
            The number of pictures known now. `pictures.failed` names those that cannot be used.

        Raises:
            CheckpointError: The vision tower is not installed.
        """
        missing = self.pictures.missing(self._frame["image"].drop_nulls().to_list())
        if missing:
            self.pictures.add(missing, progress)
            if self.folder is not None:
                self.pictures.save(self.folder)
        return len(self.pictures.vectors)

    def _kept_in(self, folder: Path) -> None:
        """The library now lies in `folder`: what is known of its pictures goes there too."""
        if "pictures" in self.__dict__ or self.folder not in (None, folder):
            self.pictures.save(folder)
        self.folder = folder

    def _picture_similarities(self, image: Path) -> np.ndarray:
        self.look_at_pictures()
        return self.pictures.similarities(image, self._frame["image"].to_list())

    # Facts --------------------------------------------------------------------------------------------------------

    def scale(self, metric: str | None = None, channel: str | None = None) -> PercentileScale | None:
        """Raw values to percentiles inside a channel (over all for None); None where nothing was measured there.

        The values on the scale are those that were measured. What a new post reaches is placed among its like, and a
        range of percentiles translated by it holds as many measured values as ranks, where the posts' exposures are
        alike.

        Raises:
            MetricError: A metric that no post was measured in.
        """
        from agents.library.ingest import channel_key
        from agents.library.percentiles import scale_of

        return scale_of(self._frame, self._measured(metric), None if channel is None else channel_key(channel))

    @property
    def metric(self) -> str:
        """The main metric."""
        return self.metrics[0]

    @property
    def embedder(self) -> Embedder:
        """What turns texts into vectors."""
        return self._embedder

    @property
    def index(self) -> VectorIndex:
        """The vectors, row i being post i."""
        return self._index

    @property
    def channels(self) -> dict[str, int]:
        """Channel to number of posts, most posts first."""
        counts: dict[str, int] = dict(self._frame["channel"].value_counts(sort=True).iter_rows())
        return counts

    @cached_property
    def posts(self) -> list[Post]:
        """Every post, in the order of the file."""
        return [Post.from_row(row) for row in self._frame.iter_rows(named=True)]

    def __len__(self) -> int:
        return int(self._frame.height)

    @cached_property
    def usual_similarity(self) -> float:
        """Median cosine of two posts: no nearer than this is no evidence."""
        from agents.library.evidence import usual_similarity

        return usual_similarity(self._index.vectors)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of what its answers rest on: the posts' ids, texts and results, and the embedder."""
        digest = hashlib.sha256(self._embedder.hash.encode())
        for name in self._frame.columns:
            if name in ("id", "text", "channel") or name.startswith("percentile."):
                digest.update(name.encode())
                digest.update(json.dumps(self._frame[name].to_list()).encode())
        return digest.hexdigest()

    def _vectors_of(self, texts: Sequence[str]) -> np.ndarray:
        """(N,) texts -> (N, D). Half characters, which no tokenizer takes, become question marks."""
        return self._embedder.embed([text.encode("utf-8", "replace").decode("utf-8") for text in texts])

    def _measured(self, metric: str | None) -> str:
        if metric is None:
            return self.metric
        name = get_metric(metric).name
        if name not in self.metrics:
            remedy = f"Measured there: {', '.join(self.metrics)}"
            raise MetricError("metric", "no post of this library was measured in it", value=name, remedy=remedy)
        return name
