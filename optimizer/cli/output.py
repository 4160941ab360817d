"""What commands print: JSON or tables on stdout, progress and errors on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 140
"""Characters a line in a pipe or file, where no terminal says how wide it is."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value on stdout and nothing else.")]


def _score_anew(context: typer.Context, asked: bool) -> bool:
    """Switch the score cache off until the command has ended."""
    if asked:
        from lcbm_model.simulator.score_cache import scoring_anew

        context.with_resource(scoring_anew())
    return asked


NoCache = Annotated[
    bool, typer.Option("--no-cache", callback=_score_anew, help="Score anew; neither read nor write the score cache.")
]
Model = Annotated[str, typer.Option("--model", help="Simulator: 'embedded', a checkpoint's name or path.")]


@contextmanager
def only_results_on_stdout() -> Iterator[None]:
    """While work is done, anything a library prints goes to stderr: stdout is for the result alone."""
    with redirect_stdout(sys.stderr):
        yield


def print_json(value: Any) -> None:
    """One JSON value, valid in every encoding."""
    sys.stdout.write(json.dumps(value, indent=1, allow_nan=False) + "\n")
    sys.stdout.flush()


def plain(text: str) -> str:
    """A hostile text fit for a terminal: control characters and direction marks become spaces."""
    return "".join(c if c.isprintable() else " " for c in text)


def out() -> Console:
    """The console of results. Texts are printed as they are: no markup, no emoji codes."""
    from rich.console import Console

    console = Console(markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def err() -> Console:
    """The console of progress and notes."""
    from rich.console import Console

    return Console(stderr=True, markup=False, emoji=False, highlight=False)


@contextmanager
def progress(text: str) -> Iterator[Any]:
    """A spinner on a terminal's stderr; silence in a pipe. Yields a function that changes its text."""
    console = err()
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status(plain(text)) as status:
        yield lambda line: status.update(plain(line))


class Interrupted(Exception):
    """A person stopped the command; the message says what is left and how to go on."""


def tell_error(message: str, arguments: list[str], hint: str = "") -> None:
    """One line on stderr; with `--json` one JSON object on stderr."""
    line = " ".join(plain(message).split())
    if "--json" in arguments:
        sys.stderr.write(json.dumps({"error": line}) + "\n")
    else:
        sys.stderr.write(f"error: {line}{hint}\n")


def tell_usage_error(error: Any, arguments: list[str]) -> None:
    """A wrong option or argument, and where its help is; the help itself where nothing was asked."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return
    context = getattr(error, "ctx", None)
    tell_error(error.format_message(), arguments, f" (see: {context.command_path} --help)" if context else "")
