"""A result as files: `.json` (all of it), `.csv` (the candidates), `.html` (a report that needs no other file)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lcbm_model.errors import SettingsError

if TYPE_CHECKING:
    from optimizer.result import OptimizationResult


def write(result: OptimizationResult, path: Path) -> Path:
    """Write by file ending, whole or not at all.

    Raises:
        SettingsError: Another ending, or a folder that cannot be written to.
    """
    form = _forms().get(path.suffix.lower())
    if form is None:
        remedy = f"Use one of {', '.join(_forms())}"
        raise SettingsError("path", "has an ending that no result is written in", value=str(path), remedy=remedy)
    text = form(result)
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8", newline="")
        part.replace(path)
    except OSError as error:
        remedy = "Choose a folder you may write to"
        raise SettingsError("path", f"cannot be written: {error.strerror}", value=str(path), remedy=remedy) from error
    return path


def _forms() -> dict[str, Callable[[OptimizationResult], str]]:
    from optimizer.report.page import render
    from optimizer.report.table import candidates_csv

    return {".json": lambda result: result.model_dump_json(indent=1), ".csv": candidates_csv, ".html": render}
