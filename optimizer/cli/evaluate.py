"""`lcbm evaluate SUITE --data FILE --split NAME`: a model beside plain baselines on the same rows.

`lcbm evaluate replay` lets the whole loop choose among arms that were really run; `lcbm evaluate writing` lets writers
rewrite the weakest of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from optimizer.cli.output import Json, err, only_results_on_stdout, out, plain, print_json, progress

if TYPE_CHECKING:
    from lcbm_model.evaluation import EvaluationResult
    from lcbm_model.evaluation.answers import Progress

app = typer.Typer()


@app.command()
def evaluate(
    suite: Annotated[
        str, typer.Argument(help="upworthy, caption-contest, facebook, reddit, oasis or lambda; or replay, writing.")
    ],
    data: Annotated[Path, typer.Option("--data", help="Table with the columns of that source's data.")],
    split: Annotated[str, typer.Option("--split", help="Which rows: the value of the file's column 'split'.")] = "test",
    images: Annotated[Path | None, typer.Option("--images", help="Folder of pictures.")] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            help="Simulator: 'embedded', 'embedded-untuned', a name or path; or a baseline's name. With writing: what "
            "lcbm and embedded write with.",
        ),
    ] = "embedded",
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", min=1, help="About how many rows at most, drawn with a fixed seed. With writing: stories (60)."
        ),
    ] = None,
    baselines: Annotated[
        Literal["none", "plain", "all"],
        typer.Option("--baselines", help="'all' adds the untuned backbone, which takes as long as the model."),
    ] = "plain",
    controls: Annotated[
        bool, typer.Option("--controls", help="Also with shuffled pictures and settings; each takes a pass.")
    ] = False,
    of_replay: Annotated[
        str, typer.Option("--suite", help="With replay: upworthy or caption-contest, whose arms are chosen among.")
    ] = "upworthy",
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="With replay: of the order of the arms; with writing: of the writers.")
    ] = 0,
    per_round: Annotated[
        int, typer.Option("--per-round", min=1, help="With replay: arms the loop meets in one round.")
    ] = 1,
    writers: Annotated[
        str, typer.Option("--writers", help="With writing: names with commas between them, as in LCBM_WRITERS.")
    ] = "lcbm,embedded,edits",
    judge: Annotated[
        str, typer.Option("--judge", help="With writing: the simulator that judges; not the one that writes.")
    ] = "lcbm-smol-b",
    rewrites: Annotated[
        int, typer.Option("--rewrites", min=1, help="With writing: most rewrites of one draft by one writer.")
    ] = 2,
    out_file: Annotated[Path | None, typer.Option("--out", help="Also write the result to this JSON file.")] = None,
    as_json: Json = False,
) -> None:
    """Measure a model against plain baselines on held-out behaviour, with 95 % intervals.

    `replay` measures the whole loop: it chooses among arms that were really run, so its picks have true outcomes.
    `writing` measures what writers make of the headlines that did worst: what a judge that had no part in it prefers,
    whether facts survive, how likely the model finds what won, and whether it repeats itself.
    """
    from lcbm_model.errors import SettingsError
    from lcbm_model.evaluation.registry import suite_names

    if out_file is not None and out_file.is_dir():
        raise SettingsError("--out", "is a folder", value=str(out_file), remedy="Give a file: results/NAME.json")
    with progress(f"Evaluating {suite}") as say, only_results_on_stdout():

        def told(what: str, done: int, of: int) -> None:
            say(f"{suite}: {what} {done} of {of}")

        if suite not in (*suite_names(), "replay", "writing"):
            known = ", ".join((*suite_names(), "replay", "writing"))
            raise SettingsError("suite", "unknown suite", value=suite, remedy=f"Use one of: {known}")
        if suite in ("replay", "writing") and (controls or baselines == "all"):
            raise SettingsError(suite, "knows neither --controls nor --baselines all", remedy="Leave them out")
        asked: dict[str, Any] = {"limit": limit, "pictures": images is not None}
        if suite == "writing":
            asked = {"limit": limit, "seed": seed, "writers": writers, "judge": judge, "rewrites": rewrites}
            result = _writing(
                data,
                split,
                writers=writers,
                model=model,
                judge=judge,
                rewrites=rewrites,
                **({} if limit is None else {"limit": limit}),
                seed=seed,
                baselines=baselines != "none",
                progress=told,
            )
        elif suite == "replay":
            asked |= {"seed": seed, "per_round": per_round}
            result = _replay(
                data,
                split,
                suite=of_replay,
                model=model,
                images=images,
                limit=limit,
                seed=seed,
                per_round=per_round,
                baselines=baselines != "none",
                progress=told,
            )
        else:
            from lcbm_model.evaluation import evaluate as run

            result = run(
                suite,
                data,
                split,
                model=model,
                images=images,
                limit=limit,
                baselines=baselines,
                controls=controls,
                progress=told,
            )
        result = result.model_copy(update={"asked": asked})
        if out_file is not None:
            _save(result, out_file)
    if as_json:
        print_json(result.model_dump(mode="json"))
        return
    _print(result)


def _replay(data: Path, split: str, *, progress: Progress, **settings: Any) -> EvaluationResult:
    from optimizer.replay.runner import replay

    return replay(data, split, progress=progress, **settings)


def _writing(data: Path, split: str, *, progress: Progress, **settings: Any) -> EvaluationResult:
    from optimizer.writing.runner import writing

    return writing(data, split, progress=progress, **settings)


def _save(result: EvaluationResult, path: Path) -> None:
    from lcbm_model.errors import SettingsError

    try:
        result.save(path)
    except OSError as error:
        raise SettingsError("--out", f"cannot be written: {error.strerror}", value=str(path)) from error


def _print(result: EvaluationResult) -> None:
    """Models down, figures across."""
    from rich.table import Table

    keys = list(result.metrics)
    title = f"{result.suite}, {result.split}: {result.n} rows, {result.groups} groups, {result.seconds:.0f} s"
    table = Table("model", *keys, title=plain(title))
    table.add_row(plain(result.model), *_cells(keys, result.metrics, result.intervals))
    for name, figures in result.baselines.items():
        table.add_row(plain(name), *_cells(keys, figures, result.baseline_intervals[name]))
    out().print(table)
    for name, figures in result.controls.items():
        told = ", ".join(f"{key} {value}" for key, value in figures.items())
        out().print(f"Control {name}: {told}", soft_wrap=True)
    for note in result.notes:
        err().print(f"Note: {plain(note)}", soft_wrap=True)


def _cells(
    keys: Sequence[str],
    figures: dict[str, int | float | None],
    intervals: dict[str, tuple[float, float] | None],
) -> list[str]:
    from lcbm_model.evaluation.tables import cell

    return [cell(figures.get(key), intervals.get(key)) for key in keys]
