"""`lcbm library preview | build | add | delete | ...`: a team's own past posts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optimizer.cli.library_insights import check, insights
from optimizer.cli.library_search import evidence, search
from optimizer.cli.output import Json, err, only_results_on_stdout, out, plain, print_json, progress
from optimizer.cli.reading_options import Dedupe, Embedder, Header, Map, Sheet, Source, mapping

if TYPE_CHECKING:
    from agents.library import Change, Library, Preview, RejectedRow

app = typer.Typer(help="Build, keep and search a library of your own past posts.", no_args_is_help=True)

SHOWN = 10
"""Rejected rows shown to people; the JSON has them all."""
WIDE = 60
"""Characters of a cell shown to people."""

File = Annotated[Path, typer.Argument(help="CSV, Excel, JSONL or Parquet: your own columns, or an export.")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A built library.")]


@app.command()
def preview(
    file: File,
    metric: Annotated[str | None, typer.Option("--metric", help="The metric you care about most.")] = None,
    source: Source = None,
    map_: Map = None,
    header: Header = None,
    sheet: Sheet = None,
    rows: Annotated[int, typer.Option("--rows", min=0, max=100, help="Posts to show.")] = 5,
    as_json: Json = False,
) -> None:
    """How a file would be read: which column becomes what, the first posts, what is not understood."""
    from agents.library import preview_posts

    columns = mapping(map_)
    with progress("Reading"), only_results_on_stdout():
        seen = preview_posts(file, metric=metric, source=source, columns=columns, header=header, sheet=sheet, rows=rows)
    if as_json:
        print_json(_preview_json(seen))
    else:
        _show_preview(seen)
    if seen.problem:
        raise typer.Exit(2)


@app.command()
def build(
    file: File,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder to write the library to.")],
    metric: Annotated[str, typer.Option("--metric", help="The metric you care about most: click_rate, shares, ...")],
    source: Source = None,
    map_: Map = None,
    header: Header = None,
    sheet: Sheet = None,
    dedupe: Dedupe = "exact",
    embedder: Embedder = None,
    as_json: Json = False,
) -> None:
    """Read past posts, rank them inside their channel, index them by meaning."""
    from agents.library import Library
    from lcbm_model.metrics import get_metric
    from optimizer.loop.folder import writable_folder

    get_metric(metric)
    columns = mapping(map_)
    writable_folder(out_dir.parent, "--out")
    with progress("Embedding posts") as say, only_results_on_stdout():
        library = Library.from_file(
            file,
            metric=metric,
            columns=columns,
            source=source,
            header=header,
            sheet=sheet,
            dedupe=dedupe,  # type: ignore[arg-type]
            embedder=embedder,
            progress=lambda done, total: say(f"Embedding posts: {done} of {total}"),
        )
        library.save(out_dir)
    if as_json:
        rejected = [row.model_dump(mode="json") for row in library.rejected]
        print_json({"out": str(out_dir), **_facts(library), "notes": list(library.notes), "rejected": rejected})
        return
    channels = ", ".join(f"{plain(name)} {n}" for name, n in library.channels.items())
    out().print(f"{len(library)} posts with {', '.join(library.metrics)} ({channels}) in {out_dir}")
    _tell(library.notes, library.rejected)


@app.command()
def add(
    library_dir: Folder,
    file: File,
    source: Source = None,
    map_: Map = None,
    header: Header = None,
    sheet: Sheet = None,
    dedupe: Dedupe = "exact",
    embedder: Embedder = None,
    as_json: Json = False,
) -> None:
    """Add a file's posts to a library; posts that are there already get their new figures."""
    from agents.library import add_posts

    columns = mapping(map_)
    with progress("Embedding posts") as say, only_results_on_stdout():
        change = add_posts(
            library_dir,
            file,
            columns=columns,
            source=source,
            header=header,
            sheet=sheet,
            dedupe=dedupe,  # type: ignore[arg-type]
            embedder=embedder,
            progress=lambda done, total: say(f"Embedding posts: {done} of {total}"),
        )
    _show_change(change, library_dir, as_json)


@app.command()
def delete(
    library_dir: Folder,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of the posts to take out.")],
    embedder: Embedder = None,
    as_json: Json = False,
) -> None:
    """Take posts out of a library. The posts themselves are nowhere touched."""
    from agents.library import delete_posts

    with progress("Taking posts out"), only_results_on_stdout():
        change = delete_posts(library_dir, ids, embedder=embedder)
    _show_change(change, library_dir, as_json)


def _facts(library: Library) -> dict[str, object]:
    return {"posts": len(library), "metrics": list(library.metrics), "channels": library.channels}


def _tell(notes: Sequence[str], rejected: Sequence[RejectedRow]) -> None:
    """Notes and rejected rows, on stderr."""
    for note in notes:
        err().print(plain(note))
    for row in rejected[:SHOWN]:
        where = f"row {row.row}, {plain(row.column)}" if row.column else f"row {row.row}"  # a whole row has no column
        err().print(f"{where}: {plain(row.problem)} (got {plain(row.value)!r}), left out")
    if len(rejected) > SHOWN:
        err().print(f"... and {len(rejected) - SHOWN} more rows left out (--json lists all)")


def _show_change(change: Change, folder: Path, as_json: bool) -> None:
    counts = {name: getattr(change, name) for name in ("added", "updated", "unchanged", "repeated", "deleted")}
    if as_json:
        rejected = [row.model_dump(mode="json") for row in change.rejected]
        told = {"notes": list(change.notes), "rejected": rejected}
        print_json({"library": str(folder), **counts, **_facts(change.library), **told})
        return
    done = ", ".join(f"{n} {name}" for name, n in counts.items() if n) or "nothing changed"
    out().print(f"{done}; {len(change.library)} posts in {folder}")
    _tell(change.notes, change.rejected)


def _preview_json(seen: Preview) -> dict[str, object]:
    return {
        "source": seen.source,
        "title": seen.title,
        "confidence": seen.confidence,
        "others": [{"source": name, "confidence": share} for name, share in seen.others],
        "rows": seen.rows,
        "columns": [
            {"heading": c.heading, "read_as": list(c.read_as), "samples": list(c.samples)} for c in seen.columns
        ],
        "metrics": list(seen.metrics),
        "posts": [post.model_dump(mode="json") for post in seen.posts],
        "rejected": [row.model_dump(mode="json") for row in seen.rejected],
        "notes": list(seen.notes),
        "problem": seen.problem,
    }


def _show_preview(seen: Preview) -> None:
    from rich.table import Table
    from rich.text import Text

    sure = "" if seen.source == "plain" else f", confidence {seen.confidence:.0%}"
    out().print(f"Read as {seen.title} ({seen.source}{sure}); {seen.rows} rows")
    table = Table("column", "read as", "first cells")
    for column in sorted(seen.columns, key=lambda c: not c.read_as):
        read_as = ", ".join(column.read_as) or "not read"
        table.add_row(Text(_cell(column.heading)), read_as, Text(_cell(" | ".join(column.samples))))
    out().print(table)
    if seen.posts:
        table = Table("id", "date", "channel", "text", *seen.metrics)
        for post in seen.posts:
            figures = [f"{v:.4g}" if (v := post.values.get(name)) is not None else "" for name in seen.metrics]
            texts = [Text(_cell(text)) for text in (post.id, str(post.date or ""), post.channel, post.text)]
            table.add_row(*texts, *figures)
        out().print(table)
    if seen.problem:
        err().print(f"cannot be built as it is: {plain(seen.problem)}")
    _tell(seen.notes, seen.rejected)


def _cell(text: str) -> str:
    return plain(text) if len(text) <= WIDE else plain(text[: WIDE - 3]) + "..."


app.command()(search)
app.command()(evidence)
app.command()(insights)
app.command()(check)
