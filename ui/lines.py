"""Lines to score: pasted ones and those of a file, each with what the file says of it alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lcbm_model.errors import TableError

MAX_LINES = 500


@dataclass(frozen=True)
class Line:
    """A text, and the title and kind of post where its file names them."""

    text: str
    title: str | None = None
    format: str | None = None

    @property
    def about(self) -> str:
        """'link · Ten pans that last'; empty where nothing is said."""
        return " · ".join(part for part in (self.format, self.title) if part)


def lines_from(pasted: str | None, file: Path | None) -> tuple[list[Line], list[str]]:
    """Lines to score: a table's column `text` with its `title` and `format` (or a .txt file's lines) after the pasted
    ones, without repeats; and what people should know of how the file was read.

    Raises:
        TableError: Nothing there, more than `MAX_LINES`, or a file without readable texts.
    """
    read, notes = _of_file(file) if file else ([], [])
    given = [*(Line(flat) for raw in (pasted or "").splitlines() if (flat := raw.strip())), *read]
    lines = list(dict.fromkeys(given))
    if repeated := len(given) - len(lines):
        notes = [*notes, f"{repeated} repeated line{'s' if repeated > 1 else ''} left out"]
    if not lines:
        raise TableError("Lines to score", "are empty", remedy="Paste one text per line, or choose a file")
    if len(lines) > MAX_LINES:
        raise TableError("Lines to score", f"are more than {MAX_LINES}", value=len(lines), remedy="Send them in parts")
    return lines, notes


def _of_file(path: Path) -> tuple[list[Line], list[str]]:
    from lcbm_model.corpus.tables import as_strings, read_table
    from lcbm_model.corpus.textlines import TextLines

    if path.suffix.lower() == ".txt":
        lines = TextLines(path, path.name)
        return [Line(flat) for cell in lines if (flat := _flat(cell))], [*lines.notes]
    table = read_table(path, required=("text",), where=path.name)
    notes = [*table.notes]
    if table.problems:
        first = table.problems[0]
        notes.append(f"rows left out: {len(table.problems)}; the first is row {first.row}, which {first.problem}")
    nothing = [""] * len(table.frame)
    headings = [table.find(name) for name in ("text", "title", "format")]
    columns = [as_strings(table.frame[h]).fill_null("").to_list() if h else nothing for h in headings]
    rows = ([_flat(cell) for cell in cells] for cells in zip(*columns, strict=True))
    return [Line(text, title or None, kind or None) for text, title, kind in rows if text], notes


def _flat(cell: str) -> str:
    return " ".join(cell.split())
