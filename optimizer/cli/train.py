"""`lcbm train RECIPE`: tune a model on behaviour, from records to an adapter folder that every command can use."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optimizer.cli.output import Json, err, only_results_on_stdout, out, plain, print_json, progress

if TYPE_CHECKING:
    from lcbm_model.training.settings import Recipe

app = typer.Typer()


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe: YAML, see train_recipes/.")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: optim.lr=1e-4.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder of the sources' files, or a corpus; as data.folder.")
    ] = None,
    out_dir: Annotated[Path | None, typer.Option("--out", help="Folder of the run; runs/NAME by default.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what the run would take, and stop.")] = False,
    prepare_only: Annotated[
        bool, typer.Option("--prepare-only", help="Write the examples to --out, to be fitted on another machine.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a killed run stopped.")] = False,
    as_json: Json = False,
) -> None:
    """Tune a model on behaviour by a recipe. The adapter goes to OUT/adapter: use it with --model OUT/adapter."""
    from lcbm_model.training.recipes import load_recipe

    wanted = load_recipe(recipe, parse_changes(changes or [], data))
    folder = out_dir or Path("runs") / wanted.run.name
    with only_results_on_stdout():
        if dry_run:
            found = _dry_run(wanted)
        elif prepare_only:
            found = _prepare_only(wanted, folder)
        else:
            found = _run(wanted, folder, resume=resume)
    if as_json:
        print_json(found)
    else:
        _show(found)


def parse_changes(changes: list[str], data: Path | None) -> dict[str, Any]:
    """`--set` and `--data` as settings by dotted key.

    Raises:
        SettingsError: A change without "=".
    """
    from lcbm_model.errors import SettingsError

    # Quoted: a folder's name is no YAML, whatever it looks like.
    found: dict[str, Any] = {"data.folder": json.dumps(str(data.absolute()))} if data is not None else {}
    for change in changes:
        key, sign, value = change.partition("=")
        if not sign or not key.strip():
            raise SettingsError("--set", "is no change", value=change, remedy="Write --set optim.lr=1e-4")
        found[key.strip()] = value
    return found


def _prepared(recipe: Recipe) -> Any:
    from lcbm_model.training.corpus_rows import prepare_recipe

    with progress("preparing examples") as say:
        return prepare_recipe(recipe, told=lambda step: say(step) if say else None)


def _dry_run(recipe: Recipe) -> dict[str, Any]:
    from lcbm_model.training.bases import resolve_base
    from lcbm_model.training.dry_run import describe

    return {"name": recipe.run.name, **describe(_prepared(recipe), recipe, resolve_base(recipe.base).folder)}


def _prepare_only(recipe: Recipe, folder: Path) -> dict[str, Any]:
    data = _prepared(recipe)
    data.save(folder)
    base = data.manifest["base"]["name"]
    left_out = data.manifest["rows_left_out"]
    told = {"name": recipe.run.name, "prepared": str(folder), "examples": len(data.rows), "base": base}
    return told | {"rows_left_out": left_out}


def _run(recipe: Recipe, folder: Path, *, resume: bool) -> dict[str, Any]:
    from lcbm_model.training.run import train_recipe

    with _bar(recipe.optim.steps) as report:
        return train_recipe(recipe, folder, resume=resume, report=report)


def _show(found: dict[str, Any]) -> None:
    from rich.table import Table

    console = out()
    for title, rows in (("examples", found.get("examples")), ("figures", found.get("figures"))):
        if not isinstance(rows, dict) or not rows:
            continue
        columns = list(dict.fromkeys(key for row in rows.values() for key in row))
        table = Table(title, *columns)
        for name, row in rows.items():
            table.add_row(plain(name), *(_number(row.get(column)) for column in columns))
        console.print(table)
    for key, value in found.items():
        if key not in ("examples", "figures", "recipe", "joint", "calibration") or not isinstance(value, dict):
            shown = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
            console.print(plain(f"{key}: {shown}"))


def _number(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4f}"


@contextmanager
def _bar(steps: int) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A bar over the steps on a terminal's stderr; silence in a pipe (the log is in OUT/log.jsonl)."""
    console = err()
    if not console.is_terminal:
        yield lambda event: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        task = bars.add_task("preparing", total=steps or None)

        def report(event: dict[str, Any]) -> None:
            if "step" in event:
                told = f"{event.get('tower', '')} step {event['step']}".strip()
                if "selection" in event:
                    bars.update(task, description=f"{told}, validation {event['selection']:.4f}")
                else:
                    bars.update(task, completed=event["step"], total=event.get("of", steps), description=told)
            elif "caching" in event:
                bars.update(task, description=f"caching states {event['caching']:,} of {event['of']:,}")
            else:
                bars.update(task, description=plain(" ".join(map(str, event.values()))))

        yield report
