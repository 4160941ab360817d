"""The library: past posts with their results, found by meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.embedder import Embedder, load_embedder
from agents.library.records import Hit, Post, RejectedRow
from lcbm_model.behavior import PercentileScale
from lcbm_model.corpus.tables import Table
from lcbm_model.errors import LibraryError, MetricError
from lcbm_model.metrics import Metric, get_metric, register_metric

if TYPE_CHECKING:
    import polars as pl

    from agents.library.duplicates import Dedupe
    from agents.library.exports import PostsTable
    from agents.library.index import VectorIndex

Progress = Callable[[int, int], None]
"""Called with the number of posts embedded so far and of all posts."""


class Library:
    """A team's own past posts. Built once from a table, searched often, saved as a folder.

    Attributes:
        metric: The main metric, used where a search names none.
        metrics: Every metric that was found, the main one first.
        rejected: Rows of the table that were put aside, with the reason.
        notes: How the table was read, for people.
        source: The table's file name.
    """

    def __init__(
        self,
        frame: pl.DataFrame,
        index: VectorIndex,
        embedder: Embedder,
        *,
        metrics: tuple[str, ...],
        rejected: tuple[RejectedRow, ...] = (),
        notes: tuple[str, ...] = (),
        source: str = "",
    ) -> None:
        self._frame, self._index, self._embedder = frame, index, embedder
        self.metrics, self.rejected, self.notes, self.source = metrics, rejected, notes, source

    # Making one ---------------------------------------------------------------------------------------------------

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        *,
        metric: str | Metric | None = None,
        columns: Mapping[str, str] | None = None,
        source: str | None = None,
        header: int | None = None,
        sheet: str | None = None,
        dedupe: Dedupe = "exact",
        embedder: Embedder | str | Path | None = None,
        progress: Progress | None = None,
    ) -> Library:
        """Build from a CSV, TSV, Excel, JSONL or Parquet file, in our own form or as a known export.

        Columns: `text` (required), `id`, `image` (a path inside the file's folder), `channel`, `date`, `audience`,
        any metric by its name, and its exposure (`impressions`, `views`, `sends`, ... or `exposure`). A rate that has
        no column of its own is made of its count and exposure columns. Case, spaces and hyphens do not matter.

        Args:
            metric: The main metric, which must be there; the first known one found by default.
            columns: Our names to the file's headings, where they differ: `{"text": "Message"}`.
            source: The export that the file is ("youtube", ...), or "plain"; told from its headings by default.
            header: Rows above the headings.
            sheet: Of an Excel file.
            dedupe: "exact" keeps the better measured one of posts that say the same, "near" of nearly the same too.
            embedder: See `agents.load_embedder`; the packaged MiniLM by default.

        Raises:
            TableError: The file cannot be read, or lacks the text or the metric.
            MetricError: Nobody defined the metric.
            LibraryError: No row is left.
            CheckpointError: The embedder cannot be loaded.
            SettingsError: No such export, or no such way to look for repeats.
        """
        from agents.library.exports import read_posts

        posts = read_posts(path, source=source, columns=columns, header=header, sheet=sheet)
        return cls._build(posts, metric, None, embedder, progress, dedupe)

    @classmethod
    def from_csv(cls, path: str | Path, **options: Any) -> Library:
        """`from_file` under the name of its format; the ending decides."""
        return cls.from_file(path, **options)

    from_jsonl = from_csv
    from_parquet = from_csv

    @classmethod
    def from_frame(
        cls,
        frame: pl.DataFrame,
        *,
        metric: str | Metric | None = None,
        columns: Mapping[str, str] | None = None,
        embedder: Embedder | str | Path | None = None,
        folder: str | Path = ".",
        name: str = "frame",
        progress: Progress | None = None,
    ) -> Library:
        """Build from rows already in memory, checked like a file's.

        Args:
            folder: Where relative pictures are and beyond which none is read.
            name: What messages call the frame.
        """
        if frame.height == 0:
            raise LibraryError(name, "has no rows", remedy="Give at least one post")
        table = Table(Path(folder) / name, frame, range(1, frame.height + 1))
        return cls._build(table, metric, columns, embedder, progress)

    @classmethod
    def _build(
        cls,
        posts: Table | PostsTable,
        metric: str | Metric | None,
        columns: Mapping[str, str] | None,
        embedder: Embedder | str | Path | None,
        progress: Progress | None,
        dedupe: Dedupe = "exact",
    ) -> Library:
        from agents.library.ingest import ingest

        if isinstance(metric, Metric):
            register_metric(metric)
        taken = ingest(posts, metric=metric, columns=columns, dedupe=dedupe)
        table = posts if isinstance(posts, Table) else posts.table
        return cls.from_checked(
            taken.frame,
            load_embedder(embedder),
            metrics=taken.metrics,
            rejected=taken.rejected,
            notes=taken.notes,
            source=table.path.name,
            progress=progress,
        )

    @classmethod
    def from_checked(
        cls,
        frame: pl.DataFrame,
        embedder: Embedder,
        *,
        metrics: tuple[str, ...],
        progress: Progress | None = None,
        **told: Any,
    ) -> Library:
        """Rank and index posts that `ingest` has checked (or a library held before). The other words as `__init__`."""
        from agents.library.embedding import embed_posts
        from agents.library.index import VectorIndex
        from agents.library.percentiles import rank

        index = VectorIndex.build(embed_posts(embedder, frame["text"].to_list(), progress))
        return cls(rank(frame, metrics), index, embedder, metrics=metrics, **told)

    # Keeping it ---------------------------------------------------------------------------------------------------

    def save(self, folder: str | Path) -> Path:
        """Write to a folder. A library that is there already stays whole until the new one is.

        Raises:
            LibraryError: The folder cannot be written, or somebody else is writing there.
        """
        from agents.library.storage import write_library

        folder = Path(folder)
        write_library(
            folder,
            frame=self._frame,
            index=self._index,
            rejected=self.rejected,
            embedder=_mark(self._embedder),
            metrics=tuple(get_metric(name) for name in self.metrics),
            source=self.source,
            notes=self.notes,
        )
        return folder

    @classmethod
    def open(cls, folder: str | Path, *, embedder: Embedder | str | Path | None = None) -> Library:
        """Open a saved library.

        Args:
            embedder: The one it was built with; the packaged MiniLM by default.

        Raises:
            LibraryError: No library, a damaged file (named), or one made by another embedder.
        """
        from agents.library.storage import read_library, read_manifest

        folder = Path(folder)
        read_manifest(folder)  # a wrong folder is said before a model is loaded
        model = load_embedder(embedder)
        stored = read_library(folder, embedder=_mark(model))
        return cls(
            stored.frame,
            stored.index,
            model,
            metrics=tuple(register_metric(m).name for m in stored.manifest.metrics),
            rejected=stored.rejected,
            notes=stored.manifest.notes,
            source=stored.manifest.source,
        )

    # Asking it ----------------------------------------------------------------------------------------------------

    def search(
        self,
        query: str,
        k: int = 5,
        *,
        metric: str | None = None,
        min_percentile: float | None = None,
        channel: str | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> list[Hit]:
        """Up to `k` nearest posts that pass every condition, nearest first; fewer only where fewer pass.

        Args:
            metric: Whose value and percentile the hits carry; the main one by default.
            min_percentile: 0..100 from the better end inside the channel; posts without a result do not pass.
            channel: Only this channel.
            filters: By field. `id`, `channel`, `audience`: a text or a list of texts. `date`, `exposure` and metrics:
                a range `(low, high)`, None for an open end: `{"date": ("2024-01-01", None)}`.

        Raises:
            MetricError: A metric that no post was measured in.
            LibraryError: An empty query or a condition that cannot be checked.
        """
        from agents.library.filters import allowed_rows

        name = self._measured(metric)
        if not query.strip():
            raise LibraryError("query", "is empty", value=query, remedy="Say what the posts should be about")
        if k < 1:
            raise LibraryError("k", "must be at least 1", value=k)
        allowed = allowed_rows(self._frame, name, min_percentile=min_percentile, channel=channel, filters=filters)
        if allowed is not None and not allowed.any():
            return []
        vector = self._embedder.embed([query.encode("utf-8", "replace").decode("utf-8")])[0]  # (D,)
        cosines, rows = self._index.search(vector, k, allowed)
        posts = [_post(self._frame.row(int(row), named=True)) for row in rows]
        return [
            Hit(
                post=post,
                similarity=float(cosine),
                metric=name,
                value=post.values.get(name),
                percentile=post.percentiles.get(name),
            )
            for post, cosine in zip(posts, cosines, strict=True)
        ]

    def scale(self, metric: str | None = None, channel: str | None = None) -> PercentileScale | None:
        """Raw values to percentiles inside a channel (over all for None); None where nothing was measured there.

        For rates the values on the scale are those that were ranked: pulled towards the channel's mean where few
        people stand behind them.

        Raises:
            MetricError: A metric that no post was measured in.
        """
        from agents.library.ingest import channel_key
        from agents.library.percentiles import scale_of

        return scale_of(self._frame, self._measured(metric), None if channel is None else channel_key(channel))

    @property
    def metric(self) -> str:
        return self.metrics[0]

    @property
    def embedder(self) -> Embedder:
        return self._embedder

    @property
    def channels(self) -> dict[str, int]:
        """Channel to number of posts, most posts first."""
        counts: dict[str, int] = dict(self._frame["channel"].value_counts(sort=True).iter_rows())
        return counts

    @cached_property
    def posts(self) -> list[Post]:
        """Every post, in the order of the file."""
        return [_post(row) for row in self._frame.iter_rows(named=True)]

    def __len__(self) -> int:
        return int(self._frame.height)

    def __repr__(self) -> str:
        return f"Library({len(self)} posts, {', '.join(self.metrics)}, from {self.source!r})"

    def _measured(self, metric: str | None) -> str:
        if metric is None:
            return self.metric
        name = get_metric(metric).name
        if name not in self.metrics:
            remedy = f"Measured there: {', '.join(self.metrics)}"
            raise MetricError("metric", "no post of this library was measured in it", value=name, remedy=remedy)
        return name


def _post(row: dict[str, Any]) -> Post:
    def numbers(prefix: str) -> dict[str, float]:
        return {k.removeprefix(prefix): v for k, v in row.items() if k.startswith(prefix) and v is not None}

    return Post(
        id=row["id"],
        text=row["text"],
        channel=row["channel"],
        date=row["date"],
        hour=row.get("hour"),
        image=Path(row["image"]) if row["image"] else None,
        audience=row["audience"],
        values=numbers("value."),
        exposure=row["exposure"],
        percentiles=numbers("percentile."),
    )


def _mark(embedder: Embedder) -> Any:
    from agents.library.storage import EmbedderMark

    return EmbedderMark(name=embedder.name, hash=embedder.hash, dimension=embedder.dimension)
