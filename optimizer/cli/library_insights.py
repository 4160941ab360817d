"""`lcbm library insights | check`: what winners share, and whether the files are whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optimizer.cli.output import Json, err, only_results_on_stdout, out, plain, print_json, progress

if TYPE_CHECKING:
    from agents.library.insights import Finding, Insights

SHOWN = 15
"""Findings shown to people; the JSON has them all."""


def insights(
    library_dir: Annotated[Path, typer.Argument(metavar="DIR", help="A built library, or a table of posts.")],
    metric: Annotated[str | None, typer.Option("--metric", help="What winning means; the main metric.")] = None,
    channel: Annotated[str | None, typer.Option("--channel", help="Only this channel.")] = None,
    topics: Annotated[int | None, typer.Option("--topics", min=2, help="Subjects to tell apart; by size.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Write a plot too: .svg, .png or .pdf.")] = None,
    as_json: Json = False,
) -> None:
    """What winners share: topics, hooks, length, time, pictures, with counts and intervals."""
    from optimizer.parts import open_library

    with progress("Looking for what winners share"), only_results_on_stdout():
        found = open_library(library_dir, metric).insights(metric=metric, channel=channel, topics=topics)
        if plot is not None:
            from agents.library.insights_plot import draw

            draw(found, plot)
    if as_json:
        findings = [_facts(finding) for finding in found.findings]
        print_json(found.model_dump(mode="json") | {"findings": findings, "plot": str(plot) if plot else None})
        return
    _show(found)
    if plot is not None:
        err().print(f"Plot: {plot}")


def check(
    library_dir: Annotated[Path, typer.Argument(metavar="DIR", help="A built library.")],
    as_json: Json = False,
) -> None:
    """Hash every file of a library and compare it with what was written; a damaged one is named."""
    from agents.library import Library

    with progress("Hashing every file"):
        manifest = Library.check(library_dir)
    files = {stored.name: stored.bytes for stored in manifest.files.values()}
    if as_json:
        print_json({"whole": True, "posts": manifest.posts, "files": files})
        return
    out().print(f"{library_dir}: whole, {manifest.posts} posts")
    for name, size in files.items():
        out().print(f"  {name}  {size / 1e6:.1f} MB")


def _facts(finding: Finding) -> dict[str, object]:
    shares = {"share": finding.share, "share_without": finding.share_without, "supported": finding.supported}
    return finding.model_dump(mode="json") | shares


def _show(found: Insights) -> None:
    from rich.table import Table
    from rich.text import Text

    where = found.channel or "all channels"
    out().print(
        f"{found.metric}, {where}: {found.n} posts, {found.winners} of them winners (best quarter of a channel)"
    )
    table = Table("", "posts that", "n", "won", "others won", "difference, 95 %", "p adjusted")
    for f in found.findings[:SHOWN]:
        label = f"are about: {f.label}" if f.kind == "topic" else f.label
        ends = f"{100 * f.difference:+.0f} ({100 * f.low:+.0f} to {100 * f.high:+.0f}) points"
        row = (str(f.n), f"{f.share:.0%}", f"{f.share_without:.0%}", ends, f"{f.p_adjusted:.2g}")
        table.add_row("yes" if f.supported else "?", Text(plain(label)), *row)
    out().print(table)
    tried = len(found.findings)
    out().print(f"{len(found.supported)} of {tried} features are supported once the number of tries is allowed for.")
    if found.untested:
        out().print(f"{len(found.untested)} features were not tested: too few posts have them, or lack them.")
    for note in found.notes:
        err().print(plain(note))
    out().print(found.caution)
