"""The options by which a person answers a run that waits for approval."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from optimizer.decision import Decision

PANEL = "Answer a run that waits for approval (with --resume)"
_ID = re.compile(r"original|r\d+-\d+")

Answer = Annotated[
    Literal["continue", "finish", "wait"],
    typer.Option("--decision", rich_help_panel=PANEL, help="'wait' shows the waiting run again and decides nothing."),
]
Edits = Annotated[
    list[str] | None,
    typer.Option("--edit", metavar="ID=TEXT", rich_help_panel=PANEL, help="Your own wording of a candidate."),
]
Vetoes = Annotated[
    list[str] | None,
    typer.Option("--veto", metavar="ID", rich_help_panel=PANEL, help="Never choose it, nor anything nearly the same."),
]
Comments = Annotated[
    list[str] | None,
    typer.Option(
        "--comment", metavar="[ID=]TEXT", rich_help_panel=PANEL, help="What the writers should know, or mend in ID."
    ),
]
DecisionFile = Annotated[
    Path | None,
    typer.Option("--decision-file", rich_help_panel=PANEL, help="All of this in a YAML or JSON file instead."),
]


def decided(
    answer: str,
    edits: Sequence[str] | None,
    vetoes: Sequence[str] | None,
    comments: Sequence[str] | None,
    file: Path | None,
) -> Decision | None:
    """The decision that the options make; None where nothing is decided.

    Raises:
        SettingsError: Options that contradict each other, or an edit without an id.
    """
    from lcbm_model.errors import SettingsError
    from optimizer.decision import Decision

    words = bool(edits or vetoes or comments)
    if file is not None:
        if words or answer != "continue":
            remedy = "Write everything into the file, or use the options"
            raise SettingsError("--decision-file", "is given together with other answers", remedy=remedy)
        return Decision.load(file)
    if answer == "wait":
        if words:
            remedy = "Use --decision continue or finish"
            raise SettingsError("--decision", "'wait' decides nothing, so it takes no edits", remedy=remedy)
        return None
    return Decision.of(
        {
            "action": answer,
            "edits": _edits(edits or ()),
            "vetoed": tuple(vetoes or ()),
            "comments": _comments(comments or ()),
        }
    )


def _edits(entries: Sequence[str]) -> dict[str, str]:
    from lcbm_model.errors import SettingsError

    found: dict[str, str] = {}
    for id_, text in map(_edit, entries):
        if found.setdefault(id_, text) != text:
            raise SettingsError("--edit", "is given twice for one candidate", value=id_, remedy="Give it one wording")
    return found


def _edit(entry: str) -> tuple[str, str]:
    from lcbm_model.errors import SettingsError

    id_, equals, text = entry.partition("=")
    if not equals:
        raise SettingsError("--edit", "names no candidate", value=entry, remedy="Write ID=TEXT, as in r1-02='New text'")
    return id_.strip(), text.strip()


def _comments(entries: Sequence[str]) -> dict[str, str]:
    """By candidate id, '' for the round; several on one are joined."""
    found: dict[str, list[str]] = {}
    for entry in entries:
        id_, equals, text = entry.partition("=")
        on_one = bool(equals) and _ID.fullmatch(id_.strip())
        found.setdefault(id_.strip() if on_one else "", []).append(text if on_one else entry)
    return {id_: " ".join(texts) for id_, texts in found.items()}
