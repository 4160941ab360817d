"""What a benchmark writes, and the section of a docs page made of it: same record, same bytes.

One form for every benchmark: a machine, some sentences, some tables of raw numbers. Numbers are rounded here and
nowhere else, so that a record keeps what was measured.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Value = str | int | float | None


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Table(_Model):
    """Rows of raw values under named columns; a column's unit stands in its name: 'seconds', 'memory, MB'."""

    title: str
    told: str = Field(default="", description="What is compared, and how it was measured.")
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


class BenchmarkRecord(_Model):
    """One run of one benchmark on one machine."""

    format: Literal["tables"] = "tables"
    page: str = Field(pattern=r"^[a-z][a-z-]*$", description="Docs page it belongs to: 'performance'.")
    title: str
    command: str = Field(description="What measures it anew.")
    measured: str = Field(default_factory=lambda: datetime.date.today().isoformat(), description="Day, ISO.")
    machine: dict[str, str | int]
    versions: dict[str, str]
    told: tuple[str, ...] = Field(default=(), description="Paragraphs: the set-up, and what follows from the tables.")
    tables: tuple[Table, ...]

    def save(self, path: Path) -> None:
        """Write as JSON; the folder is made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.model_dump_json(indent=1) + "\n", "utf-8")

    def markdown(self) -> str:
        """A section: what, where, when, and the tables."""
        machine = "; ".join(f"{name} {value}" for name, value in self.machine.items())
        versions = ", ".join(f"{name} {value}" for name, value in self.versions.items())
        parts = [f"## {self.title}", f"`{self.command}`, {self.measured}. {machine}. {versions}.", *self.told]
        for table in self.tables:
            parts += [f"### {table.title}", *([table.told] if table.told else []), grid(table.columns, table.rows)]
        return "\n\n".join(parts) + "\n"


def grid(columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> str:
    """A markdown table."""
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    lines += ["| " + " | ".join(cell(value).replace("|", "\\|") for value in row) + " |" for row in rows]
    return "\n".join(lines)


def cell(value: Value) -> str:
    """Text as it is; whole numbers with separators; others to three figures, small ones in powers of ten."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    if value and abs(value) < 1e-3:
        return f"{value:.1e}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
