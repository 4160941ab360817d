"""`lcbm campaign list | show | compare | resume`: the runs of a team."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from optimizer.cli.output import Json, NoCache, out, plain, print_json

if TYPE_CHECKING:
    from optimizer.campaigns import Campaign

app = typer.Typer(help="Runs by name: list, show, compare, resume.", no_args_is_help=True)

Runs = Annotated[Path | None, typer.Option("--store", help="Folder of runs (default: $LCBM_RUNS, else ./runs).")]
RunId = Annotated[str, typer.Argument(metavar="RUN_ID", help="From `lcbm campaign list`.")]


@app.command("list")
def list_(
    name: Annotated[str | None, typer.Option("--name", help="Only runs whose name or id holds this.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="The latest so many.")] = 50,
    store: Runs = None,
    as_json: Json = False,
) -> None:
    """Runs, the latest first."""
    from optimizer.campaigns import list_campaigns

    found, problems = list_campaigns(store, name=name, limit=limit)
    if as_json:
        print_json({"runs": [_json(c) for c in found], "problems": problems})
        return
    from rich.table import Table
    from rich.text import Text

    from optimizer.loop.folder import store_folder

    if not found:
        folder = plain(str(store_folder(store)))
        none = "no runs here yet" if name is None else f"no run here whose name or id holds {plain(name)!r}"
        hint = ": lcbm optimize BRIEF.yaml makes one" if name is None else ""
        out().print(f"{none} ({folder}){hint}", soft_wrap=True)
    else:
        table = Table(
            "run", "name", "status", caption="best and gain: predicted percentile, 0 to 100, and points of it"
        )
        for heading in ("best", "gain", "judge"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("text", ratio=1)
        for c in found:
            best = "" if c.best_expected is None else f"{c.best_expected:.0f}"
            gains = ["" if g is None else f"{g:+.0f}" for g in (c.gain, c.judge_gain)]
            status = c.status.replace("_", " ")
            table.add_row(c.run_id, plain(c.name), status, best, *gains, Text(plain(c.best_text or "")))
        out().print(table)
    for problem in problems:
        out().print(f"Note: {plain(problem)}", soft_wrap=True)


@app.command()
def show(run: RunId, store: Runs = None, as_json: Json = False) -> None:
    """One run's result, as it stands."""
    from optimizer.campaigns import open_run

    result = open_run(run, store)
    if as_json:
        print_json(result.summary())
        return
    console = out()
    console.print(f"{plain(result.brief.name)}, {result.started:%Y-%m-%d %H:%M}: {result.status.replace('_', ' ')}")
    console.print(f"Goal: {result.brief.metric} on {plain(result.brief.channel)}. Model: {result.simulator.label}")
    for rank, c in enumerate(result.ranked[:20], start=1):
        p = c.prediction
        ends = "" if p is None or p.low is None else f" ({p.low:.0f} to {p.high:.0f})"
        console.print(f"{rank:3d}. {c.id:10s} {c.score:5.1f}{ends}  {plain(c.text)}", soft_wrap=True)
    if result.judge is not None:
        console.print(f"Judge: {result.judge.verdict}", soft_wrap=True)
    for warning in result.warnings:
        console.print(f"Note: {plain(warning)}", soft_wrap=True)


@app.command()
def compare(
    first: RunId,
    second: Annotated[str, typer.Argument(metavar="RUN_ID", help="Another run.")],
    store: Runs = None,
    as_json: Json = False,
) -> None:
    """Two runs side by side, and which found the better text."""
    from optimizer.campaigns import compare_runs, open_run

    pair = compare_runs(open_run(first, store), open_run(second, store))
    if as_json:
        sides = [pair.first.summary(), pair.second.summary()]
        print_json({"first": sides[0], "second": sides[1], "chance_of_first": pair.chance, "why_not": pair.why_not})
        return
    from rich.table import Table

    table = Table("", plain(pair.first.run_id), plain(pair.second.run_id))
    rows = [(_facts(pair.first)), (_facts(pair.second))]
    for label, left, right in zip(rows[0], rows[0].values(), rows[1].values(), strict=True):
        table.add_row(label, plain(left), plain(right))
    out().print(table)
    if pair.chance is None:
        out().print(f"No chance can be given: {plain(pair.why_not)}", soft_wrap=True)
    else:
        out().print(f"Chance that the first run's best does better: {pair.chance:.0%}")


@app.command()
def resume(
    run: RunId,
    decision: Annotated[
        Literal["continue", "finish"], typer.Option("--decision", help="Answer of a run that waits for approval.")
    ] = "continue",
    library: Annotated[Path | None, typer.Option("--library", help="Another library than the run began with.")] = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Gets the results, instead of the run's folder.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="The simulator, where it cannot be found again.")] = None,
    judge: Annotated[str | None, typer.Option("--judge", help="Another judge than the run began with.")] = None,
    store: Runs = None,
    no_cache: NoCache = False,
    as_json: Json = False,
) -> None:
    """Go on with a run where it stopped."""
    from optimizer.cli.optimize import optimize

    optimize(
        resume=run,
        decision=decision,
        library=library,
        out_dir=out_dir,
        model=model,
        judge=judge,
        store=store,
        no_cache=no_cache,
        as_json=as_json,
    )


def _json(c: Campaign) -> dict[str, Any]:
    return {**c.__dict__, "started": c.started.isoformat(), "resumable": c.resumable}


def _facts(result: Any) -> dict[str, str]:
    best, judge = result.best, result.judge
    p = best.prediction if best else None
    return {
        "name": result.brief.name,
        "status": result.status.replace("_", " "),
        "goal": f"{result.brief.metric}, {result.brief.channel}",
        "best text": best.text if best else "none",
        "predicted": "" if not p or p.expected is None else f"{p.expected:.1f}",
        "range": "" if not p or p.low is None else f"{p.low:.0f} to {p.high:.0f}",
        "gain": "" if result.gain is None else f"{result.gain:+.1f}",
        "judge's gain": "" if not judge or judge.judge_gain is None else f"{judge.judge_gain:+.1f}",
        "drafts": str(len(result.candidates)),
        "rounds": str(len(result.rounds)),
    }
