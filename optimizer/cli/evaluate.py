"""`lcbm evaluate SUITE --data FILE --split NAME`: a model beside plain baselines on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from optimizer.cli.output import Json, err, only_results_on_stdout, out, plain, print_json, progress

if TYPE_CHECKING:
    from lcbm_model.evaluation import EvaluationResult

app = typer.Typer()


@app.command()
def evaluate(
    suite: Annotated[str, typer.Argument(help="upworthy, caption-contest, facebook, reddit, oasis or lambda.")],
    data: Annotated[Path, typer.Option("--data", help="Table with the columns of that source's data.")],
    split: Annotated[str, typer.Option("--split", help="Which rows: the value of the file's column 'split'.")] = "test",
    images: Annotated[Path | None, typer.Option("--images", help="Folder of pictures.")] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model", help="Simulator: 'embedded', 'embedded-untuned', a name or path; or a baseline's name."
        ),
    ] = "embedded",
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="About how many rows at most, drawn with a fixed seed.")
    ] = None,
    baselines: Annotated[
        Literal["none", "plain", "all"],
        typer.Option("--baselines", help="'all' adds the untuned backbone, which takes as long as the model."),
    ] = "plain",
    controls: Annotated[
        bool, typer.Option("--controls", help="Also with shuffled pictures and settings; each takes a pass.")
    ] = False,
    out_file: Annotated[Path | None, typer.Option("--out", help="Also write the result to this JSON file.")] = None,
    as_json: Json = False,
) -> None:
    """Measure a model against plain baselines on held-out behaviour, with 95 % intervals."""
    from lcbm_model.errors import SettingsError
    from lcbm_model.evaluation import evaluate as run

    if out_file is not None and out_file.is_dir():
        raise SettingsError("--out", "is a folder", value=str(out_file), remedy="Give a file: results/NAME.json")
    with progress(f"Evaluating {suite}") as say, only_results_on_stdout():
        result = run(
            suite,
            data,
            split,
            model=model,
            images=images,
            limit=limit,
            baselines=baselines,
            controls=controls,
            progress=lambda what, done, of: say(f"{suite}: {what} {done} of {of}"),
        )
        if out_file is not None:
            _save(result, out_file)
    if as_json:
        print_json(result.model_dump(mode="json"))
        return
    _print(result)


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
