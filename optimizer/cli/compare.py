"""`lcbm compare "A" "B" --metric M`: the chance of each text to do best."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optimizer.cli.output import Json, Model, NoCache, only_results_on_stdout, out, plain, print_json, progress

app = typer.Typer()


@app.command()
def compare(
    texts: Annotated[list[str], typer.Argument(help="Two or more texts.")],
    metric: Annotated[str, typer.Option("--metric", help="The behaviour they compete in: click_rate, shares, ...")],
    image: Annotated[Path | None, typer.Option("--image", help="The picture that all of them go with.")] = None,
    channel: Annotated[str, typer.Option("--channel", help="headline, post, email_subject, ...")] = "post",
    title: Annotated[str | None, typer.Option("--title", help="Of the page or video they go with.")] = None,
    format_: Annotated[str | None, typer.Option("--format", help="Kind of post: link, photo, video, status.")] = None,
    model: Model = "embedded",
    no_cache: NoCache = False,
    as_json: Json = False,
) -> None:
    """Which of several texts does best, with probabilities that sum to one."""
    from lcbm_model.content import Content
    from optimizer.api import compare as ask
    from optimizer.loop.closing import identity_warnings
    from optimizer.parts import resolve_simulator

    with progress("Waking up the audience model"), only_results_on_stdout():
        simulator = resolve_simulator(model)
        shares = ask(
            texts, metric, channel=channel, title=title, format=format_, image=image, simulator=simulator
        )  # fmt: skip
    told = [Content(text=text, title=title, format=format_) for text in texts]
    warnings = identity_warnings(simulator.identity, metric, told)
    if as_json:
        identity = simulator.identity.label
        answer = {"metric": metric, "model": identity, "texts": texts, "win_probabilities": shares}
        print_json({**answer, "warnings": warnings})
        return
    from rich.table import Table
    from rich.text import Text

    table = Table("chance to do best", "text", title=f"{metric} · {plain(simulator.identity.label)}")
    for share, text in sorted(zip(shares, texts, strict=True), reverse=True):
        table.add_row(f"{share:.1%}", Text(plain(text)))
    out().print(table)
    for warning in warnings:
        out().print(f"Note: {warning}")
