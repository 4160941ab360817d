"""Pictures that a table of past posts names: an upload has few or none of them with it, and none may cost a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents.library import Preview
    from agents.library.exports import PostsTable
    from lcbm_model.corpus.tables import Table


@dataclass(frozen=True)
class Renamed:
    """A table that was written anew, its pictures named as the app keeps them.

    Attributes:
        table: As it was before.
        missing: Posts whose picture did not come along.
    """

    table: Table
    missing: int

    def told(self, seen: Preview, names: Mapping[str, str]) -> Preview:
        """A preview of the new table in the words of the old one: its notes, its rows, its names of pictures.

        Args:
            names: A picture as the new table names it to its name in the old one.
        """
        from agents.library import RejectedRow

        unread = [RejectedRow(**asdict(problem)) for problem in self.table.problems]
        others = [bad.model_copy(update={"row": self.table.rows[bad.row - 1]}) for bad in seen.rejected]
        notes = dict.fromkeys((*self.table.notes, *seen.notes))
        if self.missing:
            subject = "1 post names" if self.missing == 1 else f"{self.missing} posts name"
            notes[f"{subject} a picture that did not come along: read without it"] = None
        return replace(
            seen,
            rows=seen.rows + len(unread),
            rejected=tuple(sorted([*unread, *others], key=lambda bad: bad.row)),
            notes=tuple(notes),
            columns=tuple(replace(c, samples=tuple(names.get(s, s) for s in c.samples)) for c in seen.columns),
        )


def rename_pictures(path: Path, target: Path, kept: Mapping[str, str], **options: Any) -> Renamed | None:
    """Write `target` (Parquet) where `path` names pictures that are elsewhere; None where nothing has to change.

    Args:
        kept: Name of a picture (lower case) to its path inside the target's folder; a picture not in it is left out.
        options: As `read_posts` takes them. The target is read with the same, but for `header` and `sheet`.

    Raises:
        TableError: The table cannot be read.
    """
    import polars as pl

    from agents.library.exports import read_posts
    from lcbm_model.corpus.tables import as_strings

    posts = read_posts(path, **options)
    heading = _heading(posts)
    if heading is None:
        return None
    was = as_strings(posts.table.frame[heading]).fill_null("").to_list()
    now = [cell if "://" in cell else kept.get(_name(cell), "") for cell in was]
    if now == was:
        return None
    posts.table.frame.with_columns(pl.Series(heading, now, dtype=pl.String)).write_parquet(target)
    return Renamed(posts.table, sum(bool(old) and not new for old, new in zip(was, now, strict=True)))


def _heading(posts: PostsTable) -> str | None:
    """The column of pictures. In a known export only the one that its table or a person names."""
    named = posts.columns.get("image") or (None if posts.source else "image")
    return posts.table.find(named) if named else None


def _name(cell: str) -> str:
    return Path(cell.replace("\\", "/")).name.casefold()
