"""The library: past posts with their results, found by meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.embedder import Embedder, load_embedder
from agents.library.asking import Asking
from agents.library.records import RejectedRow
from lcbm_model.corpus.tables import Table
from lcbm_model.errors import LibraryError
from lcbm_model.metrics import Metric, get_metric, register_metric

if TYPE_CHECKING:
    import polars as pl

    from agents.library.duplicates import Dedupe
    from agents.library.exports import PostsTable
    from agents.library.index import VectorIndex
    from agents.library.storage import Manifest

Progress = Callable[[int, int], None]
"""Called with the number of posts embedded so far and of all posts."""


class Library(Asking):
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
        `format`, any metric by its name, and its exposure (`impressions`, `views`, `sends`, ... or `exposure`). A rate
        that has no column of its own is made of its count and exposure columns. Case, spaces and hyphens do not matter.

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
        self._kept_in(folder)
        return folder

    @classmethod
    def open(
        cls, folder: str | Path, *, embedder: Embedder | str | Path | None = None, verify: bool = False
    ) -> Library:
        """Open a saved library.

        Args:
            embedder: The one it was built with; the packaged MiniLM by default.
            verify: Hash large files too, whose stamps say that nobody touched them since they were hashed.

        Raises:
            LibraryError: No library, a damaged file (named), or one made by another embedder.
        """
        from agents.library.storage import read_library, read_manifest

        folder = Path(folder)
        read_manifest(folder)  # a wrong folder is said before a model is loaded
        model = load_embedder(embedder)
        stored = read_library(folder, embedder=_mark(model), verify=verify)
        library = cls(
            stored.frame,
            stored.index,
            model,
            metrics=tuple(register_metric(m).name for m in stored.manifest.metrics),
            rejected=stored.rejected,
            notes=stored.manifest.notes,
            source=stored.manifest.source,
        )
        library.folder = folder
        return library

    @staticmethod
    def check(folder: str | Path) -> Manifest:
        """Hash every file of a saved library and compare it with what was written.

        Raises:
            LibraryError: No library, or a damaged file (named).
        """
        from agents.library.storage import read_library

        return read_library(Path(folder), embedder=None, verify=True).manifest

    @property
    def frame(self) -> pl.DataFrame:
        """One row a post, in the order of the file: fields, `value.*`, `exposure.*`, `ranked.*`, `percentile.*`."""
        return self._frame

    def __repr__(self) -> str:
        return f"Library({len(self)} posts, {', '.join(self.metrics)}, from {self.source!r})"


def _mark(embedder: Embedder) -> Any:
    from agents.library.storage import EmbedderMark

    return EmbedderMark(name=embedder.name, hash=embedder.hash, dimension=embedder.dimension)
