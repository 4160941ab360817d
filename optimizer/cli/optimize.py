"""`lcbm optimize BRIEF.yaml`: the main job."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optimizer.cli.deciding import Answer, Comments, DecisionFile, Edits, Vetoes, decided
from optimizer.cli.output import Interrupted, Json, NoCache, only_results_on_stdout, out, print_json, progress
from optimizer.cli.result_table import print_result

if TYPE_CHECKING:
    from optimizer.events import RunEvent
    from optimizer.result import OptimizationResult

app = typer.Typer()


@app.command()
def optimize(
    brief: Annotated[Path | None, typer.Argument(help="YAML brief (see examples/). Not needed with --resume.")] = None,
    library: Annotated[
        Path | None, typer.Option("--library", help="Your past posts: CSV, Excel, JSONL, Parquet, or a built library.")
    ] = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Gets result.json, report.html, candidates.csv; the run's own folder.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Same seed, same result; else 0.")] = None,
    rounds: Annotated[int | None, typer.Option("--rounds", min=0, max=100, help="Instead of the brief's.")] = None,
    candidates: Annotated[
        int | None, typer.Option("--candidates", min=1, max=1024, help="Drafts a round, instead of the brief's.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Simulator: 'embedded', a checkpoint's name or path (default: a twin)."),
    ] = None,
    judge: Annotated[
        str | None, typer.Option("--judge", envvar="LCBM_JUDGE", help="A second simulator, never optimised against.")
    ] = None,
    store: Annotated[
        Path | None, typer.Option("--store", help="Folder of runs (default: $LCBM_RUNS, else ./runs).")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--run-id", metavar="NAME", help="Name of the new run's folder; made up by default.")
    ] = None,
    approval: Annotated[
        bool, typer.Option("--approval", help="Wait for a person after each round, as `approval: true` in the brief.")
    ] = False,
    resume: Annotated[str | None, typer.Option("--resume", metavar="RUN_ID", help="Go on with a run.")] = None,
    decision: Answer = "continue",
    edit: Edits = None,
    veto: Vetoes = None,
    comment: Comments = None,
    decision_file: DecisionFile = None,
    no_cache: NoCache = False,
    as_json: Json = False,
) -> None:
    """Write candidates, simulate the audience, learn from past winners, return the best with its honest worth."""
    from lcbm_model.errors import SettingsError
    from optimizer import api
    from optimizer.brief import Brief
    from optimizer.loop.folder import RunFolder, new_run_id, writable_folder

    if (brief is None) == (resume is None):
        problem = "is given together with --resume" if resume else "is missing"
        raise SettingsError("BRIEF", problem, remedy="Pass a YAML brief, or --resume RUN_ID, not both")
    said = decided(decision, edit, veto, comment, decision_file)
    if resume is None and (said is None or not said.empty or said.action != "continue"):
        raise SettingsError("--decision", "answers a run that waits", remedy="Name the run by --resume RUN_ID")
    kept = {"--run-id": name, "--approval": approval or None, "--rounds": rounds, "--candidates": candidates}
    if resume is not None and (given := [option for option, n in {**kept, "--seed": seed}.items() if n is not None]):
        remedy = "A run keeps its name, its brief and its seed"
        raise SettingsError(", ".join(given), "cannot be changed on --resume", remedy=remedy)
    run_id = resume or (new_run_id() if name is None else name)
    folder = RunFolder(store, run_id)
    named = {key: n for key, n in {"rounds": rounds, "candidates": candidates}.items() if n is not None}
    job = Brief.load(brief).with_budget(**named) if brief is not None else None
    if job is not None and approval:
        job = job.model_copy(update={"approval": True})
    if out_dir is not None:
        writable_folder(out_dir, "--out")
    parts: dict[str, Any] = {"store": store, "library": library, "judge": judge}
    if job is None:
        events = api.stream_resume(run_id, decision=said, simulator=model, **parts)
    else:
        events = api.stream(job, seed=seed or 0, run_id=run_id, simulator=model, **parts)
    resume_with = _resume_command(run_id, store, out_dir)
    try:
        result = _follow(events)
    except KeyboardInterrupt:
        raise Interrupted(_how_to_resume(resume_with, begun=folder.settings_file.exists())) from None
    files = _write(result, out_dir or folder.path)
    if as_json:
        print_json(result.summary())
    else:
        print_result(result, files, resume_with=resume_with)
        if result.status == "stopped":
            out().print(f"Go on with: {resume_with}", soft_wrap=True)
    if code := exit_code(result):
        raise typer.Exit(code)


def exit_code(result: OptimizationResult) -> int:
    """0 where the run did what it was asked, 3 where a failure ended it, 4 where there is nothing to return."""
    if result.status == "stopped":
        return 3
    return 0 if result.best is not None else 4


def _follow(events: Iterator[RunEvent]) -> OptimizationResult:
    result = None
    with progress("Waking up the audience model") as say, only_results_on_stdout():
        for event in events:
            say(event.message)
            result = event.result or result
    assert result is not None, "a drive always ends with a result"
    return result


def _how_to_resume(command: str, *, begun: bool) -> str:
    if not begun:
        return "interrupted before the run began: nothing was spent"
    return f"interrupted; nothing is lost. Go on with: {command}"


def _resume_command(run_id: str, store: Path | None, out_dir: Path | None) -> str:
    """To be pasted as it stands: with the places that were named, which a run does not remember."""
    named = [
        part for option, place in (("--store", store), ("--out", out_dir)) if place for part in (option, str(place))
    ]
    return shlex.join(["lcbm", "optimize", "--resume", run_id, *named])


def _write(result: OptimizationResult, folder: Path) -> dict[str, Path]:
    return {name: result.save(folder / name) for name in ("result.json", "candidates.csv", "report.html")}
