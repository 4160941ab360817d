"""`lcbm results tables`: docs/results.md, its plots and the pages of benchmarks, from what was recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optimizer.cli.output import Json, out, print_json

app = typer.Typer(help="Tables and plots of recorded evaluations.", no_args_is_help=True)


@app.callback()
def results() -> None:
    """Tables and plots of recorded evaluations."""


@app.command()
def tables(
    recorded: Annotated[
        Path | None,
        typer.Option("--results", help="Folder of results written by lcbm evaluate --out (the shipped ones)."),
    ] = None,
    docs: Annotated[Path, typer.Option("--docs", help="Gets results.md and figures/results-SUITE.svg.")] = Path("docs"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; leave with 1 where a file differs.")] = False,
    as_json: Json = False,
) -> None:
    """Write the tables and plots, or check that they are what the recorded results say."""
    from lcbm_model.evaluation.benchmark_pages import benchmark_files
    from lcbm_model.evaluation.tables import SHIPPED, differing, generate, write

    files = generate(recorded or SHIPPED)
    if recorded is None:
        files |= benchmark_files()
    stale = differing(files, docs) if check else write(files, docs)
    if as_json:
        print_json({"files": sorted(files), "different" if check else "written": stale})
    else:
        for name in stale:
            out().print(f"{docs / name}: {'differs' if check else 'written'}")
        if not stale:
            out().print(f"{len(files)} files are as the results say")
    if check and stale:
        raise typer.Exit(1)
