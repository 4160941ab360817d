"""`lcbm score FILE --metric M`: predicted behaviour for every text of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optimizer.cli.output import Json, Model, NoCache, err, only_results_on_stdout, out, plain, print_json, progress

if TYPE_CHECKING:
    from lcbm_model.content import Content
    from lcbm_model.corpus.tables import Table
    from lcbm_model.prediction import Prediction

app = typer.Typer()


@app.command()
def score(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV, Excel, JSONL or Parquet: text; optionally id, channel, title, format, audience, image."
        ),
    ],
    metric: Annotated[str, typer.Option("--metric", help="The behaviour to predict: click_rate, shares, ...")],
    channel: Annotated[str, typer.Option("--channel", help="For rows without their own.")] = "post",
    library: Annotated[
        Path | None,
        typer.Option("--library", help="Your own past posts: scores are moved towards where posts like these landed."),
    ] = None,
    model: Model = "embedded",
    no_cache: NoCache = False,
    as_json: Json = False,
) -> None:
    """Predicted percentile 0..100 and interval for every row, in the file's order. Exit code 4: no row was scored."""
    from lcbm_model.corpus.tables import read_table
    from lcbm_model.metrics import get_metric
    from lcbm_model.simulator import predict_stream
    from optimizer.loop.closing import identity_warnings
    from optimizer.parts import open_library, resolve_simulator

    get_metric(metric)
    table = read_table(file)
    table.column("text")
    with progress("Waking up the audience model") as say, only_results_on_stdout():
        past = open_library(library, metric) if library is not None else None
        simulator = resolve_simulator(model)
        if past is not None:
            from agents.library import InformedSimulator

            simulator = InformedSimulator(simulator, past)
        rows, contents = _contents(table, channel)
        found: dict[int, Prediction] = {}
        for index, prediction in predict_stream(simulator, contents, metric):
            found[index] = prediction
            say(f"Scored {len(found)} of {len(contents)}")
    for index, row in enumerate(r for r in rows if r["error"] is None):
        prediction = found[index]
        row |= {key: getattr(prediction, key) for key in ("expected", "low", "high", "error")}
    rows = _in_file_order(rows, table)
    failed = sum(row["error"] is not None for row in rows)
    if as_json:
        print_json([{key: value for key, value in row.items() if key not in ("text", "row")} for row in rows])
    else:
        _print(rows, f"{metric} · {plain(simulator.identity.label)}")
        told = [f"{failed} of {len(rows)} rows could not be scored: see their errors"] if failed else []
        for warning in [*told, *table.notes, *identity_warnings(simulator.identity, metric, contents)]:
            err().print(f"Note: {plain(warning)}")
    if failed == len(rows):
        raise typer.Exit(4)


def _contents(table: Table, channel: str) -> tuple[list[dict[str, Any]], list[Content]]:
    """A row of output for every row of the table, and the contents of those that can be asked about."""
    from lcbm_model.content import Content
    from lcbm_model.errors import PictureError
    from lcbm_model.vision.video import seen_media

    setting = ("channel", "title", "format", "audience")
    cells = {name: _cells(table, name) for name in ("text", "id", "image", *setting)}
    rows: list[dict[str, Any]] = []
    contents: list[Content] = []
    for number, text, own_id, image, *own in zip(table.rows, *cells.values(), strict=True):
        row: dict[str, Any] = {"id": own_id or str(number), "row": number, "text": text or ""}
        rows.append(row | {"expected": None, "low": None, "high": None, "error": None})
        if not text:
            rows[-1]["error"] = f"row {number}: no text"
            continue
        try:
            media = seen_media(table.path.parent / image if image else None)
        except PictureError as error:
            rows[-1]["error"] = str(error)
            continue
        known = {name: cell for name, cell in zip(setting, own, strict=True) if cell}
        contents.append(Content(**{"channel": channel, **known}, text=text, media=media))
    return rows, contents


def _cells(table: Table, name: str) -> list[str]:
    """A column as trimmed texts; empty where a cell or the whole column is missing."""
    heading = table.find(name)
    if heading is None:
        return [""] * len(table.rows)
    return ["" if cell is None else str(cell).strip() for cell in table.frame[heading].to_list()]


def _in_file_order(rows: list[dict[str, Any]], table: Table) -> list[dict[str, Any]]:
    """Rows that could not even be read take their place with their error: one answer for every row of the file."""
    nothing = {"text": "", "expected": None, "low": None, "high": None}
    lost = [{"id": str(p.row), "row": p.row, **nothing, "error": f"row {p.row}: {p.problem}"} for p in table.problems]
    return sorted([*rows, *lost], key=lambda row: row["row"])


def _print(rows: list[dict[str, Any]], title: str) -> None:
    from rich.table import Table as RichTable
    from rich.text import Text

    table = RichTable("id", "expected", "interval", "text", title=title)
    for row in rows:
        failed = row["expected"] is None
        figure = "" if failed else f"{row['expected']:.1f}"
        interval = "" if failed or row["low"] is None else f"{row['low']:.0f} to {row['high']:.0f}"
        table.add_row(Text(plain(row["id"])), figure, interval, Text(plain(row["error"] if failed else row["text"])))
    out().print(table)
