"""The fields of posts that are no measures: text, id, channel, date, audience, kind, picture, each cell checked."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from agents.library.dates import parse_dates
from agents.library.exports import PostsTable
from agents.library.records import RejectedRow
from lcbm_model.content import format_key
from lcbm_model.corpus.tables import as_strings, column_key, missing_column
from lcbm_model.errors import TableError

FIELDS = ("text", "id", "image", "channel", "date", "audience", "format")
MAX_TEXT = 100_000
"""Characters of one post. A longer cell is no post."""
DEFAULT_CHANNEL = "post"
NAMELESS = "t-"
"""How ids of posts begin that are known by their text."""
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
_CUT_ID = re.compile(r"\d(?:[.,]\d+)?E\+\d{2}", re.IGNORECASE)
"""A long number as a spreadsheet program leaves it: several posts then have one id."""


def _is_cut(cell: str) -> bool:
    """Whether an id is what a spreadsheet program left of a longer one: written short, or rounded to 15 digits."""
    if _CUT_ID.fullmatch(cell):
        return True
    return cell.isascii() and cell.isdigit() and 16 <= len(cell) <= 30 and int(float(f"{int(cell):.14e}")) == int(cell)


def channel_key(text: str) -> str:
    """One spelling a channel: 'Email subject' and 'email-subject' are `email_subject`."""
    return column_key(text)


def unmapped(where: str, name: str, headings: Sequence[str]) -> TableError:
    """The error for a field that no heading is known for: any heading can be mapped to it by hand."""
    error = missing_column(where, name, headings)
    remedy = f"{error.remedy}. If one of them is it, map it by hand (--map 'HEADING={name}')"
    return TableError(error.where, error.problem, remedy=remedy)


class Fields:
    """Reads the fields of all rows and remembers the first problem of each."""

    def __init__(self, posts: PostsTable) -> None:
        self._table, self._source, self.columns = posts.table, posts.source, posts.columns
        self._bad: dict[int, RejectedRow] = {}
        self.notes: list[str] = []
        if self.heading("text") is None:
            raise unmapped(str(posts.table.path), "text", posts.table.frame.columns)

    def heading(self, name: str) -> str | None:
        """The heading that carries a field. In a known export only what its table names does."""
        return self.columns.get(name) or (None if self._source else self._table.find(name))

    def reject(self, index: int, column: str, problem: str) -> None:
        """Put a row aside; a row's first problem is the one told."""
        if index not in self._bad:
            value = self._table.frame[column][index] if column in self._table.frame.columns else None
            shown = "" if value is None else str(value)[:120]
            self._bad[index] = RejectedRow(row=self._table.rows[index], column=column, value=shown, problem=problem)

    def bad_mask(self) -> list[bool]:
        """(N,) which rows are put aside."""
        return [i in self._bad for i in range(self._table.frame.height)]

    def all_rejected(self) -> tuple[RejectedRow, ...]:
        """Every row put aside, those that could not be read at all too, in file order."""
        unread = [
            RejectedRow(row=p.row, column=p.column, value=p.value, problem=p.problem) for p in self._table.problems
        ]
        return tuple(sorted([*unread, *self._bad.values()], key=lambda r: r.row))

    def texts(self) -> pl.Series:
        """Texts without control characters; an empty or endless one puts its row aside."""
        heading = self.heading("text") or "text"
        raw = self._cells("text").str.replace_all(r"\r\n?", "\n")
        column = raw.str.replace_all(_CONTROL, "").str.strip_chars()
        if changed := int((raw.str.strip_chars() != column).sum()):
            self.notes.append(f"{changed} texts held control characters, which are left out")
        for i, text in enumerate(column):
            if not text:
                self.reject(i, heading, "is empty")
            elif len(text) > MAX_TEXT:
                self.reject(i, heading, f"is longer than {MAX_TEXT} characters")
        return column

    def ids(self, frame: pl.DataFrame) -> pl.Series:
        """The team's ids. A post without one is known by what it says, so that a later export finds it again."""
        given = self._cells("id").str.replace_all(_CONTROL, "").to_list()
        cut = [i for i, cell in enumerate(given) if _is_cut(cell)]
        if cut:
            self.notes.append(
                f"{len(cut)} ids such as {given[cut[0]]!r} were cut short by a spreadsheet program: those posts are "
                "known by their text instead; export anew without opening the file there"
            )
            for i in cut:
                given[i] = ""
        seen: Counter[str] = Counter()
        for i, row in enumerate(frame.select("text", "channel", "audience", "image").iter_rows()):
            if not given[i]:
                name = NAMELESS + hashlib.sha256("\0".join(part or "" for part in row).encode()).hexdigest()[:16]
                seen[name] += 1
                given[i] = name if seen[name] == 1 else f"{name}-{seen[name]}"
        return pl.Series(given, dtype=pl.String)

    def reject_repeated(self, ids: pl.Series, quality: Sequence[int]) -> None:
        """Of the good rows of an id the best measured one stays: two exports of one page say how a post went on.

        Args:
            quality: (N,) place of each row, 0 the best measured.
        """
        best: dict[str, int] = {}
        good = [(i, name) for i, name in enumerate(ids) if i not in self._bad]
        for i, name in good:
            best[name] = min(best.get(name, i), i, key=lambda row: quality[row])
        for i, name in good:
            if i != best[name]:
                kept = f"repeats the id of row {self._table.rows[best[name]]}, which is measured as well or better"
                self.reject(i, self.heading("id") or "id", kept)

    def channels(self) -> pl.Series:
        """Channels in one spelling, null where no cell says."""
        return self._labels("channel", channel_key)

    @property
    def default_channel(self) -> str:
        """The channel of posts for which no cell says one: the export's own, where it is a known one."""
        return self._source.channel if self._source else DEFAULT_CHANNEL

    def audiences(self) -> pl.Series:
        """Audiences in the team's words, null where none is named."""
        return self._labels("audience", lambda text: " ".join(text.split()))

    def formats(self) -> pl.Series:
        """Kinds of post in one spelling, null where none is named."""
        return self._labels("format", format_key)

    def times(self) -> tuple[pl.Series, pl.Series]:
        """Days and hours (0..23) of the posts, null where unknown. A column that can mostly not be read is left out."""
        heading, n = self.heading("date"), self._table.frame.height
        nothing = pl.Series([None] * n, dtype=pl.Date), pl.Series([None] * n, dtype=pl.Int8)
        if heading is None:
            return nothing
        formats = self._source.dates if self._source else ()
        found = parse_dates(self._table.frame[heading], datetime.now(UTC).date(), formats)
        if len(found.problems) > sum(day is not None for day in found.days):
            first = min(found.problems)
            shown = str(self._table.frame[heading][first])[:40]
            why = f"most of it cannot be read ({shown!r} {found.problems[first]}): the posts have no date"
            self.notes.append(f"column {heading!r} is left out: {why}")
            return nothing
        for i, problem in found.problems.items():
            self.reject(i, heading, problem)
        return pl.Series(found.days, dtype=pl.Date), pl.Series(found.hours, dtype=pl.Int8)

    def images(self, folder: Path) -> pl.Series:
        """Whole paths of pictures inside `folder`. Addresses on the web are not fetched."""
        heading = self.heading("image") or "image"
        root = folder.resolve()
        paths: list[str | None] = []
        web = 0
        for i, cell in enumerate(self._cells("image")):
            paths.append(None)
            if "://" in cell:
                web += 1
            elif cell:
                try:
                    paths[-1] = str(_picture(root, cell))
                except ValueError as error:
                    self.reject(i, heading, str(error))
        if web:
            self.notes.append(f"{web} pictures are web addresses: not fetched, those posts have no picture")
        return pl.Series(paths, dtype=pl.String)

    def _labels(self, name: str, tidy: Callable[[str], str]) -> pl.Series:
        cells = (tidy(cell) or None for cell in self._cells(name))
        return pl.Series(list(cells), dtype=pl.String)

    def _cells(self, name: str) -> pl.Series:
        """Stripped cells, "" where empty or where there is no such column."""
        heading = self.heading(name)
        if heading is None:
            return pl.Series([""] * self._table.frame.height, dtype=pl.String)
        return as_strings(self._table.frame[heading]).fill_null("")


def _picture(root: Path, cell: str) -> Path:
    """The file a cell names.

    Raises:
        ValueError: Outside `root` (links followed), or not there.
    """
    try:
        path = (root / cell).resolve()
        inside, there = path.is_relative_to(root), path.is_file()
    except (OSError, ValueError) as error:
        raise ValueError(f"is no file name: {getattr(error, 'strerror', None) or error}") from error
    if not inside:
        raise ValueError("lies outside the file's folder")
    if not there:
        raise ValueError("no such picture in the file's folder")
    return path
