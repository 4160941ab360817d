"""`lcbm library build | search`: a team's own past posts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optimizer.cli.output import Json, err, only_results_on_stdout, out, plain, print_json, progress

app = typer.Typer(help="Build and search a library of your own past posts.", no_args_is_help=True)

SHOWN = 10
"""Rejected rows shown to people; the JSON has them all."""


@app.command()
def build(
    file: Annotated[Path, typer.Argument(help="CSV, JSONL or Parquet: a text column and your metrics.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Folder to write the library to.")],
    metric: Annotated[str, typer.Option("--metric", help="The metric you care about most: click_rate, shares, ...")],
    as_json: Json = False,
) -> None:
    """Read past posts, rank them inside their channel, index them by meaning."""
    from lcbm_model.metrics import get_metric
    from optimizer.loop.folder import writable_folder
    from optimizer.parts import open_library

    get_metric(metric)
    writable_folder(out_dir.parent, "--out")
    with progress("Embedding posts"), only_results_on_stdout():
        library = open_library(file, metric)
        library.save(out_dir)
    rejected = [row.model_dump(mode="json") for row in library.rejected]
    if as_json:
        facts = {"posts": len(library), "metrics": list(library.metrics), "channels": library.channels}
        print_json({"out": str(out_dir), **facts, "notes": list(library.notes), "rejected": rejected})
        return
    channels = ", ".join(f"{plain(name)} {n}" for name, n in library.channels.items())
    out().print(f"{len(library)} posts with {', '.join(library.metrics)} ({channels}) in {out_dir}")
    for row in library.rejected[:SHOWN]:
        err().print(f"row {row.row}, {plain(row.column)}: {plain(row.problem)} (got {plain(row.value)!r}), left out")
    if len(rejected) > SHOWN:
        err().print(f"... and {len(rejected) - SHOWN} more rows left out (--json lists all)")


@app.command()
def search(
    library_dir: Annotated[Path, typer.Argument(metavar="DIR", help="A built library, or a table of posts.")],
    query: Annotated[str, typer.Argument(help="What the posts should be about.")],
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many.")] = 5,
    min_percentile: Annotated[
        float | None, typer.Option("--min-percentile", min=0, max=100, help="Only posts ranked at least this high.")
    ] = None,
    metric: Annotated[str | None, typer.Option("--metric", help="Whose results to show; the main one.")] = None,
    channel: Annotated[str | None, typer.Option("--channel", help="Only this channel.")] = None,
    as_json: Json = False,
) -> None:
    """The nearest past posts and how they did."""
    from optimizer.parts import open_library

    with progress("Searching"), only_results_on_stdout():
        library = open_library(library_dir, metric)
        hits = library.search(query, k, metric=metric, min_percentile=min_percentile, channel=channel)
    if as_json:
        print_json(
            [
                {
                    "id": hit.post.id,
                    "text": hit.post.text,
                    "similarity": hit.similarity,
                    "value": hit.value,
                    "percentile": hit.percentile,
                }
                for hit in hits
            ]
        )
        return
    from rich.table import Table
    from rich.text import Text

    table = Table("similarity", metric or library.metric, "percentile", "text")
    for hit in hits:
        value = "" if hit.value is None else f"{hit.value:.4g}"
        rank = "" if hit.percentile is None else f"{hit.percentile:.0f}"
        table.add_row(f"{hit.similarity:.2f}", value, rank, Text(plain(hit.post.text)))
    out().print(table)
