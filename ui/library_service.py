"""What the Library tab asks: how a file would be read, a library by hand mapping, search, both sides, insights."""

from __future__ import annotations

import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcbm_model.errors import InputError, LibraryError, TableError
from ui.floors import Searchable
from ui.past_pictures import Renamed, rename_pictures
from ui.services import Services
from ui.uploads import MAX_PICTURES, checked_picture, kept_table

if TYPE_CHECKING:
    from agents.library import Preview
    from agents.library.contrast import ContrastSet
    from agents.library.insights import Insights
    from agents.library.records import Hit

PICTURED = "posts-with-pictures.parquet"
"""The table once its pictures are named as the app keeps them."""
KEPT = 8
"""Libraries held at once."""
FOUND = 12


@dataclass(frozen=True)
class Reading:
    """A file and how it is to be read.

    Attributes:
        path: Where the app keeps it.
        shown: The name it came with, for people.
        metric: The goal.
        source: Name of an export, "plain" for own columns; None: told from the headings.
        columns: Our names to the file's headings, by hand.
        header: Rows above the headings; None: found.
        sheet: Of a spreadsheet; None: the first with cells.
        pictures: Name (lower case) to the checked copy of each picture that came with it.
    """

    path: Path
    shown: str
    metric: str
    source: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    header: int | None = None
    sheet: str | None = None
    pictures: Mapping[str, Path] = field(default_factory=dict)

    @property
    def by_hand(self) -> bool:
        """Whether it needs more than the file and the metric."""
        return bool(self.columns or self.source or self.header is not None or self.sheet or self.pictures)

    def options(self) -> dict[str, Any]:
        """As `Library.from_file` and `preview_posts` take them."""
        return {"source": self.source, "columns": dict(self.columns), "header": self.header, "sheet": self.sheet}


Build = Callable[[Reading], Searchable]


def _from_file(reading: Reading) -> Searchable:
    from agents.library import Library

    return Library.from_file(reading.path, metric=reading.metric, **reading.options())


@dataclass
class LibraryService:
    """Uploaded libraries by a random key, so that nobody finds another's.

    Args:
        services: The app's own; a file that needs no hand mapping is shared with the Optimise tab.
        build: How a library is made where a mapping is given.
    """

    services: Services
    build: Build = _from_file
    _open: OrderedDict[str, tuple[Reading, Searchable]] = field(default_factory=OrderedDict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    # Files --------------------------------------------------------------------------------------------------------

    def keep(self, file: str | Path, metric: str, pictures: Sequence[str | Path] = (), **how: Any) -> Reading:
        """Check what was uploaded and copy it to where only the app looks.

        Raises:
            TableError: No table.
            PictureError: One that is no picture.
        """
        if len(pictures) > MAX_PICTURES:
            problem = f"are more than {MAX_PICTURES}"
            raise InputError("Pictures", problem, value=len(pictures), remedy="Send those of your best and worst posts")
        path = kept_table(file, self.services.scratch / "uploads")
        kept = {Path(p).name.casefold(): checked_picture(p, path.parent / "pictures") for p in pictures}
        return Reading(path, Path(file).name, metric, pictures=kept, **how)

    def preview(self, reading: Reading) -> Preview:
        """How it would be read.

        Raises:
            TableError: It cannot be read at all.
        """
        from agents.library import preview_posts

        with named(reading):
            found, renamed = self._with_pictures(reading)
            seen = preview_posts(found.path, metric=found.metric, **found.options())
            if renamed is not None:
                seen = renamed.told(seen, {kept: name for name, kept in _places(reading).items()})
            return replace(
                seen, problem=told_of(reading, seen.problem), notes=tuple(told_of(reading, n) for n in seen.notes)
            )

    def open(self, reading: Reading) -> tuple[str, Searchable]:
        """Build the library; the key is good for as long as it is held.

        Raises:
            LcbmError: The file cannot serve as a library.
        """
        with named(reading):
            reading, _ = self._with_pictures(reading)
            library = self.build(reading) if reading.by_hand else self.services.library(reading.path, reading.metric)
        key = secrets.token_hex(16)
        with self._lock:
            self._open[key] = (reading, library)
            while len(self._open) > KEPT:
                self._open.popitem(last=False)
        return key, library

    def get(self, key: str | None) -> tuple[Reading, Searchable]:
        """A library that was opened.

        Raises:
            LibraryError: None was, or it has been let go since.
        """
        with self._lock:
            found = self._open.get(key or "")
            if found is None:
                remedy = "Open it (again): libraries are held for a while only" if key else "Open a library first"
                raise LibraryError("Your past posts", "are not open", remedy=remedy)
            self._open.move_to_end(key or "")
            return found

    def table_for_briefs(self, key: str) -> Path:
        """The file for the Optimise tab: as it came, or, read by hand mapping, under our own column names.

        Raises:
            LibraryError: The library has been let go.
        """
        reading, library = self.get(key)
        if not reading.by_hand or not hasattr(library, "frame"):
            return reading.path
        path = reading.path.parent / "posts-as-read.parquet"
        if not path.exists():
            own_columns(library.frame).write_parquet(path)
        return path

    @staticmethod
    def _with_pictures(reading: Reading) -> tuple[Reading, Renamed | None]:
        """Names of pictures in the table become those of the pictures that came along; others become empty.

        A table whose pictures did not come along would otherwise lose every row that names one.
        """
        target = reading.path.parent / PICTURED
        renamed = rename_pictures(reading.path, target, _places(reading), **reading.options())
        if renamed is None:
            return reading, None
        return replace(reading, path=target, header=None, sheet=None), renamed

    # Questions ----------------------------------------------------------------------------------------------------

    def search(
        self,
        key: str | None,
        query: str,
        *,
        picture: Path | None = None,
        floor: float = 0.0,
        channel: str | None = None,
        since: str = "",
        until: str = "",
        diversity: float = 0.0,
        k: int = FOUND,
    ) -> list[Hit]:
        """Nearest past posts by words, by a picture, or by both.

        Raises:
            LcbmError: The library is not open, nothing was asked, or a condition cannot be checked.
        """
        reading, library = self.get(key)
        if not query.strip() and picture is None:
            raise TableError("Looking for", "is empty", remedy="Type a theme or a phrase, or choose a picture")
        asked: dict[str, Any] = {"metric": reading.metric, "min_percentile": floor or None}
        if channel:
            asked["channel"] = channel
        if since.strip() or until.strip():
            asked["filters"] = {"date": (since.strip() or None, until.strip() or None)}
        if diversity:
            asked["diversity"] = diversity
        if picture is not None:
            asked["image"] = picture
        return list(library.search(query.strip(), k, **asked))

    def contrast(self, key: str | None, query: str, *, channel: str | None = None, k: int = 6) -> ContrastSet:
        """Near posts that did well, and near posts that did badly.

        Raises:
            LcbmError: The library is not open, or nothing was asked.
        """
        from agents.library.contrast import contrast

        reading, library = self.get(key)
        if not query.strip():
            raise TableError("Looking for", "is empty", remedy="Both sides of a theme need a theme: type a few words")
        return contrast(library, query.strip(), k, metric=reading.metric, channel=channel or None)  # type: ignore[arg-type]

    def insights(self, key: str | None, channel: str | None = None) -> Insights:
        """What winners share.

        Raises:
            LibraryError: Not open, or too few posts with a result.
        """
        reading, library = self.get(key)
        if not hasattr(library, "insights"):
            raise LibraryError("insights", "cannot be had from this kind of library")
        found: Insights = library.insights(metric=reading.metric, channel=channel or None)
        return found


def _places(reading: Reading) -> dict[str, str]:
    """Name of each picture that came along to its path beside the table."""
    return {name: f"pictures/{path.name}" for name, path in reading.pictures.items()}


def own_columns(frame: Any) -> Any:
    """A library's frame as a table of posts in our own columns."""
    import polars as pl

    from lcbm_model.metrics import get_metric

    kept = [pl.col(name) for name in ("id", "text", "channel", "date", "audience", "format") if name in frame.columns]
    # A metric may be another's exposure (views, of likes): it stands in the table once.
    seen = {column.removeprefix("value.") for column in frame.columns if column.startswith("value.")}
    for column in frame.columns:
        if not column.startswith("value."):
            continue
        metric = get_metric(column.removeprefix("value."))
        kept.append(pl.col(column).alias(metric.name))
        exposure = f"exposure.{metric.name}"
        if metric.exposure_column and metric.exposure_column not in seen and exposure in frame.columns:
            seen.add(metric.exposure_column)
            kept.append(pl.col(exposure).alias(metric.exposure_column))
    return frame.select(kept)


@contextmanager
def named(reading: Reading) -> Iterator[None]:
    """Messages name the file as its owner knows it, never a place on the server.

    Raises:
        InputError: The mistake inside, under the name its owner knows.
    """
    try:
        yield
    except InputError as error:
        where, problem, remedy = (told_of(reading, text) for text in (error.where, error.problem, error.remedy))
        raise type(error)(where, problem, **_value(error), remedy=remedy) from error


def told_of(reading: Reading, text: str) -> str:
    """A message with the file's own name in the place of where the app keeps it."""
    paths = (reading.path.parent / PICTURED, reading.path)
    # In one pass: the owner's name may hold the kept file's ("our_posts.csv", kept as "posts.csv").
    kept = "|".join(re.escape(name) for name in (*map(str, paths), *(path.name for path in paths)))
    text = re.sub(rf"(?<![\w.-])(?:{kept})(?![\w-])", lambda _: reading.shown, text)
    return text.replace(str(reading.path.parent), "").strip()


def _value(error: InputError) -> dict[str, Any]:
    return {} if error.value is None else {"value": error.value}
