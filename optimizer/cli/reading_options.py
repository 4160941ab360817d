"""Options that say how a file of posts is read, shared by the commands that read one."""

from __future__ import annotations

from typing import Annotated

import typer

from lcbm_model.errors import SettingsError

Source = Annotated[
    str | None,
    typer.Option(
        "--source",
        help="The export it is: facebook, instagram, youtube, x, linkedin, mailchimp, google-ads; 'plain' for your own "
        "columns. Told from the headings by default.",
    ),
]
Map = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="HEADING=FIELD", help="A column by hand: --map 'Message=text'. Repeatable."),
]
Header = Annotated[
    int | None, typer.Option("--header", min=0, max=1000, help="Rows above the headings, where they are not found.")
]
Sheet = Annotated[str | None, typer.Option("--sheet", help="Of an Excel file.")]
Dedupe = Annotated[
    str,
    typer.Option("--dedupe", help="Of posts that say the same keep the better measured one: no, exact, or near too."),
]
Embedder = Annotated[
    str | None,
    typer.Option("--embedder", help="A sentence-transformers model by name or folder; the packaged MiniLM."),
]


def mapping(pairs: list[str] | None) -> dict[str, str]:
    """`HEADING=FIELD` pairs as field to heading. A heading may hold an equals sign, a field does not.

    Raises:
        SettingsError: A pair without an equals sign, or a field mapped twice.
    """
    found: dict[str, str] = {}
    for pair in pairs or ():
        heading, sign, field = pair.rpartition("=")
        field = field.strip()
        if not sign or not heading.strip() or not field:
            raise SettingsError("--map", "is no HEADING=FIELD", value=pair, remedy="Write --map 'Message=text'")
        if field in found:
            raise SettingsError("--map", f"maps {field!r} twice", value=pair, remedy="Keep one of them")
        found[field] = heading.strip()
    return found
