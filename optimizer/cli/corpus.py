"""`lcbm corpus build | stats | check`: the Content Behavior Corpus on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from optimizer.cli.output import Json, err, only_results_on_stdout, out, plain, print_json

app = typer.Typer(help="Build, describe and check the Content Behavior Corpus.", no_args_is_help=True)

SHOWN = 10
"""Problems and leaks shown to people; the JSON has more."""

Corpus = Annotated[Path, typer.Argument(metavar="DIR", help="A corpus built by `lcbm corpus build`.")]


@app.command()
def build(
    data: Annotated[list[str], typer.Argument(help="Files or folders of them; READER=FILE names the reader.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Folder to write the corpus to.")],
    images: Annotated[
        list[str] | None, typer.Option("--images", metavar="READER=DIR", help="Where a source's pictures lie.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Read sources into typed Parquet with a manifest; records that would leak held-out ones are dropped."""
    from lcbm_model.corpus.build import build as make
    from lcbm_model.corpus.build import plan

    with _bars() as progress, only_results_on_stdout():
        built = make(plan(data, _folders(images or [])), out_dir, progress=progress)
    problems = [str(p) for p in built.problems]
    if as_json:
        manifest = built.manifest.model_dump(mode="json")
        print_json({"out": str(out_dir), **manifest, "leaks": built.leaks.to_dict(), "problems": problems})
        return
    from rich.table import Table

    table = Table("source", "records", "train", "validation", "test", "rows with problems", "dropped as leaks")
    for s in built.manifest.sources:
        splits = (f"{s.splits.get(split, 0):,}" for split in ("train", "validation", "test"))
        lost = (f"{sum(counts.values()):,}" for counts in (s.problems, s.leaks_dropped))
        table.add_row(Path(s.file).stem, f"{s.records:,}", *splits, *lost)
    out().print(table)
    out().print(f"{built.manifest.records:,} records in {out_dir}")
    for line in problems[:SHOWN]:
        err().print(plain(line))
    if len(problems) > SHOWN:
        err().print(f"... and {len(problems) - SHOWN} more (--json lists them)")


@app.command()
def stats(
    folder: Corpus,
    plots: Annotated[Path | None, typer.Option("--plots", help="Folder for plots; DIR/plots by default.")] = None,
    as_json: Json = False,
) -> None:
    """Ranges, missing values and exposure quantiles of every source, with plots."""
    from lcbm_model.corpus.stats import describe, plot

    with only_results_on_stdout():
        found = describe(folder)
        drawn = plot(folder, plots or folder / "plots")
    if as_json:
        print_json({**found, "plots": [str(p) for p in drawn]})
        return
    from rich.table import Table

    table = Table()
    for heading in ("source", "metric", "records", "missing", "least", "median", "most"):
        table.add_column(heading, no_wrap=True)
    table.add_column("exposure 5, 50, 95 %")
    for name, source in found["sources"].items():
        if not source["metrics"]:
            table.add_row(name, "-", f"{source['records']:,}")
        for metric, m in source["metrics"].items():
            value, exposure = m["value"], m["exposure"]
            shown = " / ".join(f"{exposure[q]:,.0f}" for q in ("p5", "p50", "p95")) if exposure else "not known"
            numbers = (f"{value[q]:.4g}" for q in ("p0", "p50", "p100"))
            table.add_row(name, metric, f"{m['records']:,}", f"{m['missing']:.1%}", *numbers, shown)
    out().print(table)
    out().print(f"{found['records']:,} records; plots: {', '.join(str(p) for p in drawn) or 'none'}")


@app.command()
def check(folder: Corpus, as_json: Json = False) -> None:
    """Look for leaks across splits: groups, exact and near-duplicate texts, pictures. Leaves with 1 where any is."""
    from lcbm_model.corpus.build import check as look

    with only_results_on_stdout():
        report = look(folder)
    if as_json:
        print_json(report.to_dict())
    else:
        for kind, n in report.to_dict()["counts"].items():
            out().print(f"{kind} leaks: {n:,}")
        out().print(f"short texts that recur, tolerated: {report.short:,}")
        for leak in report.leaks[:SHOWN]:
            found = f"{leak.kind}: {leak.id} ({leak.split}) gives away {leak.other_id} ({leak.other_split})"
            err().print(plain(f"{found}, likeness {leak.likeness:.0f}"))
    if not report.clean:
        raise typer.Exit(1)


def _folders(images: list[str]) -> dict[str, Path]:
    from lcbm_model.corpus.registry import get_reader
    from lcbm_model.errors import SettingsError

    found = {}
    for item in images:
        name, _, folder = item.partition("=")
        if not folder:
            raise SettingsError("--images", "names no reader", value=item, remedy="Write READER=DIR")
        found[get_reader(name).name] = Path(folder)
    return found


@contextmanager
def _bars() -> Iterator[Callable[[str, int], None]]:
    """A progress line for each step on a terminal's stderr; silence in a pipe."""
    console = err()
    if not console.is_terminal:
        yield lambda step, n: None
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed:,}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        steps: dict[str, int] = {}

        def update(step: str, n: int) -> None:
            if step not in steps:
                for task in steps.values():
                    bars.stop_task(task)  # type: ignore[arg-type]
                steps[step] = bars.add_task(plain(step), total=None)
            bars.update(steps[step], completed=n)  # type: ignore[arg-type]

        yield update
