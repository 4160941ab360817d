"""`lcbm outcomes add | import | list | report | calibrate | teach`: what was published and what came of it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optimizer.cli.output import Json, only_results_on_stdout, out, plain, print_json, progress

if TYPE_CHECKING:
    from optimizer.outcomes import Outcome, OutcomeReport, OutcomeStore
    from optimizer.outcomes.reporting import ScaleOf

app = typer.Typer(help="What was published, what came of it, and how good the predictions were.", no_args_is_help=True)

Place = Annotated[
    str | None,
    typer.Option(
        "--outcomes", help="File or database URL (default: $LCBM_OUTCOMES, else outcomes.sqlite by the runs)."
    ),
]
Runs = Annotated[Path | None, typer.Option("--store", help="Folder of runs (default: $LCBM_RUNS, else ./runs).")]
OneMetric = Annotated[str | None, typer.Option("--metric", help="Only this metric.")]
LibraryDir = Annotated[
    Path | None, typer.Option("--library", metavar="DIR", help="A built library, whose scale places the results.")
]
SHOWN = 10
"""Rows put aside that people see; the JSON has them all."""


@app.command()
def add(
    run: Annotated[str | None, typer.Argument(metavar="[RUN_ID]", help="The run that wrote it; or use --text.")] = None,
    candidate: Annotated[str | None, typer.Option("--candidate", help="Its id there; the best by default.")] = None,
    text: Annotated[str | None, typer.Option("--text", help="Words that no run wrote.")] = None,
    metric: Annotated[str | None, typer.Option("--metric", help="With --text: what was measured.")] = None,
    channel: Annotated[str | None, typer.Option("--channel", help="With --text: where it appeared; post.")] = None,
    value: Annotated[float | None, typer.Option("--value", help="As measured: a rate 0..1, a count, a rating.")] = None,
    count: Annotated[float | None, typer.Option("--count", help="Clicks, opens, ...: with --exposure.")] = None,
    exposure: Annotated[float | None, typer.Option("--exposure", help="Impressions, views, sends.")] = None,
    published: Annotated[datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="Day, 2026-03-31.")] = None,
    library: LibraryDir = None,
    store: Runs = None,
    outcomes: Place = None,
    as_json: Json = False,
) -> None:
    """Note what one published text reached."""
    from lcbm_model.errors import SettingsError
    from optimizer.campaigns import read_run
    from optimizer.outcomes import OutcomeStore, note_candidate, note_text

    if (run is None) == (text is None):
        raise SettingsError("RUN_ID", "a run or --text is needed, and not both", remedy="Name what was published")
    day = published.date() if published else None
    figures: dict[str, Any] = {"value": value, "count": count, "exposure": exposure, "published": day}
    scale_of = _scale_of(library)
    if run is not None:
        brief = read_run(run, store)[0].brief
        for option, asked, own in (("--metric", metric, brief.metric), ("--channel", channel, brief.channel)):
            if asked is not None and asked != own:
                remedy = "Leave it out, or give the words by --text: nothing was predicted of that"
                raise SettingsError(option, f"run {run} was about {own}", value=asked, remedy=remedy)
        scale = scale_of(brief.metric, brief.channel) if scale_of else None
        noted = note_candidate(run, candidate, **figures, store=store, scale=scale)
    else:
        if metric is None:
            raise SettingsError("--metric", "is missing", remedy="Say what was measured: click_rate, shares, ...")
        place = channel or "post"
        scale = scale_of(metric, place) if scale_of else None
        noted = note_text(text or "", metric, **figures, channel=place, scale=scale)
    kept = OutcomeStore(outcomes, runs=store)
    new = kept.add(noted)
    if as_json:
        print_json({"new": bool(new), "outcomes": kept.name, **noted.model_dump(mode="json")})
        return
    out().print(f"{'noted' if new else 'newer figures noted'} in {kept.name}: {_line(noted)}", soft_wrap=True)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV, Excel, JSONL or Parquet: `text` or `run`, and the figures.")],
    metric: Annotated[str | None, typer.Option("--metric", help="Of every row, where no column says.")] = None,
    library: LibraryDir = None,
    store: Runs = None,
    outcomes: Place = None,
    as_json: Json = False,
) -> None:
    """Note the results of a file; texts that a run wrote are matched with what it predicted."""
    from optimizer.outcomes import OutcomeStore, import_outcomes

    found = import_outcomes(file, metric=metric, store=store, scale_of=_scale_of(library))
    kept = OutcomeStore(outcomes, runs=store)
    new = kept.add(*found.outcomes)
    if as_json:
        rejected = [row.model_dump(mode="json") for row in found.rejected]
        told = {"read": len(found.outcomes), "new": new, "matched": found.matched, "outcomes": kept.name}
        print_json({**told, "rejected": rejected, "notes": list(found.notes)})
    else:
        read = (
            f"{len(found.outcomes)} results read, {new} of them new, {found.matched} written by a run; in {kept.name}"
        )
        out().print(read, soft_wrap=True)
        for note in found.notes[:SHOWN]:
            out().print(f"Note: {plain(note)}", soft_wrap=True)
        for row in found.rejected[:SHOWN]:
            out().print(f"left out: row {row.row}, {plain(row.column)}: {plain(row.problem)}", soft_wrap=True)
        if len(found.rejected) > SHOWN:
            out().print(f"and {len(found.rejected) - SHOWN} more rows (all of them with --json)")
    if not found.outcomes:
        raise typer.Exit(2)


@app.command("list")
def list_(
    metric: OneMetric = None,
    run: Annotated[str | None, typer.Option("--run", help="Only this run.")] = None,
    store: Runs = None,
    outcomes: Place = None,
    as_json: Json = False,
) -> None:
    """Results noted so far, the latest first."""
    from lcbm_model.metrics import get_metric
    from optimizer.outcomes import OutcomeStore

    if metric is not None:
        get_metric(metric)
    kept = OutcomeStore(outcomes, runs=store)
    found = kept.list(metric=metric, run_id=run)
    if as_json:
        print_json([outcome.model_dump(mode="json") for outcome in found])
        return
    if not found:
        out().print(f"no results in {kept.name}", soft_wrap=True)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table("noted", "run", "metric", caption="predicted and observed: percentile, 0 to 100")
    for heading in ("value", "predicted", "observed"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("text", ratio=1)
    for o in found:
        p = o.predicted
        run_name = f"{o.run_id} {o.candidate_id}" if o.run_id else ""
        table.add_row(
            f"{o.noted_at:%Y-%m-%d}",
            plain(run_name),
            o.metric,
            f"{o.value:.4g}",
            "" if p is None or p.expected is None else f"{p.expected:.0f}",
            "" if o.percentile is None else f"{o.percentile:.0f}",
            Text(plain(o.text)),
        )
    out().print(table)


@app.command()
def report(
    metric: OneMetric = None,
    library: LibraryDir = None,
    store: Runs = None,
    outcomes: Place = None,
    as_json: Json = False,
) -> None:
    """Predictions beside what happened: how far off, and how often inside the range."""
    from lcbm_model.metrics import get_metric
    from optimizer.outcomes import OutcomeStore

    with progress("Reading"), only_results_on_stdout():
        if metric is not None:
            get_metric(metric)
        found = OutcomeStore(outcomes, runs=store).report(metric=metric, scale_of=_scale_of(library))
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _show(found)


@app.command()
def calibrate(
    remove: Annotated[bool, typer.Option("--remove", help="Go back to the model's own intervals.")] = False,
    library: LibraryDir = None,
    store: Runs = None,
    outcomes: Place = None,
    as_json: Json = False,
) -> None:
    """Fit the intervals to the team's own results, once there are enough; kept beside them."""
    from optimizer.outcomes import OutcomeStore, fit_team
    from optimizer.outcomes.reporting import on_scale

    kept = OutcomeStore(outcomes, runs=store)
    if remove:
        kept.keep_calibration(None)
        print_json({"removed": True}) if as_json else out().print("removed: the model's own intervals are shown again")
        return
    fitted = fit_team(on_scale(kept.list(), _scale_of(library)))
    kept.keep_calibration(fitted)
    if as_json:
        print_json({"id": fitted.id, **fitted.model_dump(mode="json")})
        return
    for entry in fitted.entries:
        out().print(
            f"{entry.metric} ({plain(entry.checkpoint)}, {entry.n} results): moved by {entry.offset:+.1f} points, "
            f"{entry.widen:+.1f} at either end; the {entry.level:.0%} range held {entry.held_before:.0%} before, "
            f"{entry.held_after:.0%} on results not fitted on",
            soft_wrap=True,
        )


@app.command()
def teach(
    library: Annotated[Path, typer.Argument(metavar="DIR", help="A built library of the team's past posts.")],
    store: Runs = None,
    outcomes: Place = None,
    as_json: Json = False,
) -> None:
    """Add the results to the team's library, so that the next brief learns from them."""
    from optimizer.outcomes import OutcomeStore, teach_library

    kept: OutcomeStore = OutcomeStore(outcomes, runs=store)
    with progress("Embedding posts"), only_results_on_stdout():
        change = teach_library(library, kept.list())
    told = {"added": change.added, "updated": change.updated, "unchanged": change.unchanged}
    if as_json:
        print_json({**told, "posts": len(change.library), "rejected": len(change.rejected)})
    else:
        counts = told | ({"left out": len(change.rejected)} if change.rejected else {})
        what = ", ".join(f"{n} {name}" for name, n in counts.items())
        out().print(f"{what}; {len(change.library)} posts in {library}", soft_wrap=True)
        for row in change.rejected[:SHOWN]:
            out().print(plain(f"left out: {row.column} {row.value[:60]!r}: {row.problem}"), soft_wrap=True)
        if len(change.rejected) > SHOWN:
            out().print(f"and {len(change.rejected) - SHOWN} more results")


def _scale_of(library: Path | None) -> ScaleOf | None:
    """The scale of a library's posts by metric and channel; a metric it does not know has none."""
    if library is None:
        return None
    from lcbm_model.errors import MetricError
    from optimizer.parts import open_library

    opened = open_library(library)

    def scale(metric: str, channel: str) -> Any:
        try:
            return opened.scale(metric, channel)
        except MetricError:
            return None

    return scale


def _line(o: Outcome) -> str:
    p = o.predicted
    said = f", predicted {p.expected:.0f} ({p.low:.0f} to {p.high:.0f})" if p and p.expected is not None else ""
    if p and p.expected is not None and p.low is None:
        said = f", predicted {p.expected:.0f}"
    place = f"percentile {o.percentile:.0f} of your own" if o.percentile is not None else "no scale to place it on"
    return f"{o.metric} {o.value:.4g}: {place}{said}"


def _show(found: OutcomeReport) -> None:
    console = out()
    console.print(f"{found.total} results, {found.n} of them comparable with a prediction")
    console.print(plain(found.finding), soft_wrap=True)
    if found.bands:
        from rich.table import Table

        table = Table("results", "predicted", "observed", "95 % range", caption="percentiles, 0 to 100")
        for band in found.bands:
            ends = f"{band.low:.0f} to {band.high:.0f}"
            table.add_row(str(band.n), f"{band.predicted:.0f}", f"{band.observed:.0f}", ends)
        console.print(table)
    if found.error is not None:
        console.print(
            f"mean miss {found.error:.1f} points (always saying 50: {found.error_of_middle:.1f}); "
            f"bias {found.bias:+.1f} ({found.bias_low:+.1f} to {found.bias_high:+.1f})"
        )
    for note in found.notes:
        console.print(f"Note: {plain(note)}", soft_wrap=True)
    if found.missing_to_calibrate:
        console.print(
            f"{found.missing_to_calibrate} results more, and `lcbm outcomes calibrate` can fit your own ranges"
        )
