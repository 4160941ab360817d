"""A file of posts, whatever it was exported from: which table it is, which heading means what, what nobody reads."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import polars as pl

from agents.library import sources
from agents.library.sources.base import Source
from lcbm_model.corpus.tables import Table, as_strings, column_key, read_openings, read_table
from lcbm_model.errors import SettingsError, TableError

CONFIDENT = 0.6
"""Share of a source's own headings from which a file is taken for it unasked."""
PLAIN = "plain"
"""Name for a file with our own columns: no export format."""
_TOTAL = r"(?i)^(grand )?total(s|en|e)?\s*(:.*)?$"
_NOTHING = r"^\s*(-+|–|—)\s*$"


@dataclass(frozen=True)
class Guess:
    """One way to see a file: as this source, with these headings there."""

    source: Source
    sheet: str | None
    header: int
    matched: int
    """Of the source's signature."""

    @property
    def confidence(self) -> float:
        """0..1, the share of the source's own headings that the file has."""
        return self.matched / len(self.source.signature)


@dataclass(frozen=True)
class PostsTable:
    """A table and how it is understood.

    Attributes:
        table: Rows of posts; totals left out, joined columns added.
        columns: Our column names to the table's headings.
        source: The export format, None for a file with our own columns.
        confidence: 0..1 that it is this format; 1 where a person said so.
    """

    table: Table
    columns: dict[str, str]
    source: Source | None = None
    confidence: float = 1.0
    parts: tuple[str, ...] = ()
    """Headings that were put together into the text."""


@cache
def known_sources() -> dict[str, Source]:
    """Every `SOURCE` of a module in `agents/library/sources`, by name."""
    found = {}
    for info in pkgutil.iter_modules(sources.__path__):
        module = importlib.import_module(f"{sources.__name__}.{info.name}")
        if hasattr(module, "SOURCE"):
            found[module.SOURCE.name] = module.SOURCE
    return found


def read_posts(
    path: str | Path,
    *,
    source: str | None = None,
    columns: Mapping[str, str] | None = None,
    header: int | None = None,
    sheet: str | None = None,
) -> PostsTable:
    """Read a file of posts in our own form or as one of the known exports.

    Args:
        source: Name of an export, or "plain"; told from the headings by default.
        columns: Our column names to the file's headings, by hand; they win over everything found.
        header: Rows above the headings; found by default for known exports.
        sheet: Of an Excel file.

    Raises:
        TableError: The file cannot be read, or is not the export it is said to be.
        SettingsError: No export of that name is known.
    """
    path = Path(path)
    guess = _chosen(path, source, header, sheet)
    if guess is None:
        return PostsTable(read_table(path, header=header or 0, sheet=sheet), dict(columns or {}))
    table = read_table(path, header=guess.header, sheet=guess.sheet)
    confidence = 1.0 if source else guess.confidence
    return _understand(table, guess, confidence, dict(columns or {}))


def guesses(path: Path, *, header: int | None = None, sheet: str | None = None) -> list[Guess]:
    """The best way to see the file as each known export, the likeliest first; those with no match left out."""
    best: dict[str, Guess] = {}
    for opening in read_openings(path):
        if sheet is not None and opening.sheet not in (None, sheet):
            continue
        for row, cells in enumerate(opening.rows):
            if header is not None and row != header:
                continue
            keys = {column_key(cell) for cell in cells}
            for known in known_sources().values():
                matched = sum(column_key(heading) in keys for heading in known.signature)
                if matched and (known.name not in best or matched > best[known.name].matched):
                    best[known.name] = Guess(known, opening.sheet, row, matched)
    return sorted(best.values(), key=lambda guess: -guess.confidence)


def _chosen(path: Path, source: str | None, header: int | None, sheet: str | None) -> Guess | None:
    if source is not None and source != PLAIN and source not in known_sources():
        remedy = f"Use one of: {', '.join((PLAIN, *known_sources()))}"
        raise SettingsError("source", "unknown export", value=source, remedy=remedy)
    if source == PLAIN:
        return None
    found = guesses(path, header=header, sheet=sheet)
    if source is not None:
        named = next((guess for guess in found if guess.source.name == source), None)
        if named is None:
            headings = ", ".join(repr(h) for h in known_sources()[source].signature)
            remedy = f"It has headings as {headings}; map yours by hand"
            raise TableError(str(path), f"has no heading of {known_sources()[source].title}", remedy=remedy)
        return named
    first = found[0] if found else None
    if first is None or first.confidence < CONFIDENT or _is_ours(path, header, sheet):
        return None
    return first


def _is_ours(path: Path, header: int | None, sheet: str | None) -> bool:
    """A file with a column `text` was made for us, whatever its other columns are called."""
    for opening in read_openings(path):
        if opening.sheet in (None, sheet) or sheet is None:
            row = opening.rows[header or 0] if len(opening.rows) > (header or 0) else ()
            return "text" in {column_key(cell) for cell in row}
    return False


def _understand(table: Table, guess: Guess, confidence: float, by_hand: dict[str, str]) -> PostsTable:
    known = guess.source
    notes = [f"read as {known.title} ({guess.matched} of {len(known.signature)} of its headings)"]
    if guess.header:
        notes.append(f"{guess.header} rows above the headings are left out")
    frame = _without_marks(table.frame)
    columns: dict[str, str] = {}
    parts: tuple[str, ...] = ()
    for name, headings in known.columns.items():
        there = [found for heading in headings if (found := table.find(heading)) is not None]
        if name == "text":
            there = [h for heading in known.joined.get(name, ()) if (h := table.find(heading))] or there
            frame, heading = _texts(frame, there, joined=name in known.joined and len(there) > 1)
            if heading:
                columns[name] = heading
                parts = tuple(there) if heading not in there else ()
        elif there:
            columns[name] = there[0]
    columns |= by_hand
    frame = _percent(frame, [h for heading in known.percent if (h := table.find(heading))])
    total = _totals(frame, table.find(columns.get("text", "")) or columns.get("text"))
    if total.any():
        notes.append(f"{int(total.sum())} rows of totals are left out")
    rows = [row for row, out in zip(table.rows, total, strict=True) if not out]
    frame = frame.filter(~total)
    table = replace(table, frame=frame, rows=rows, notes=(*table.notes, *notes))
    return PostsTable(table, columns, known, confidence, parts)


def _without_marks(frame: pl.DataFrame) -> pl.DataFrame:
    """Cells that are only dashes say nothing."""
    marked = pl.col(pl.String).str.contains(_NOTHING)
    return frame.with_columns(pl.when(marked).then(None).otherwise(pl.col(pl.String)).name.keep())


def _texts(frame: pl.DataFrame, there: Sequence[str], *, joined: bool) -> tuple[pl.DataFrame, str | None]:
    """A column of texts made of one or more: put together, or the first filled one of each row."""
    if not there:
        return frame, None
    if len(there) == 1:
        return frame, there[0]
    parts = [pl.when(pl.col(h).str.strip_chars() != "").then(pl.col(h).str.strip_chars()) for h in there]
    made = pl.concat_str(parts, separator="\n", ignore_nulls=True) if joined else pl.coalesce(parts)
    name = f"{there[0]} ... {there[-1]}" if joined else " or ".join(there)
    return frame.with_columns(made.alias(name)), name


def _percent(frame: pl.DataFrame, headings: Sequence[str]) -> pl.DataFrame:
    for heading in headings:
        cells = as_strings(frame[heading])
        plain = cells.str.contains(r"\d$").fill_null(False)
        frame = frame.with_columns(
            pl.select(pl.when(plain).then(cells + " %").otherwise(cells).alias(heading)).to_series()
        )
    return frame


def _totals(frame: pl.DataFrame, text: str | None) -> pl.Series:
    """(N,) which rows sum up others: one of the first cells says "Total", and there is no text."""
    first = [name for name in frame.columns[:3] if frame[name].dtype == pl.String]
    if text is None or text not in frame.columns or not first:
        return pl.repeat(False, frame.height, eager=True)
    silent = (pl.col(text).is_null()) | (pl.col(text).str.strip_chars() == "")
    says = pl.any_horizontal(pl.col(name).str.strip_chars().str.contains(_TOTAL).fill_null(False) for name in first)
    return frame.select(silent & says).to_series()
