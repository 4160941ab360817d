"""`lcbm ui`: the app for content teams."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def ui(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 7860,
    host: Annotated[str, typer.Option("--host", help="Address; others than loopback need a guard.")] = "127.0.0.1",
    auth_file: Annotated[
        Path | None, typer.Option("--auth-file", help="Lines of name:password; asks to log in.")
    ] = None,
    root_path: Annotated[str | None, typer.Option("--root-path", help="Public path behind a reverse proxy.")] = None,
    allow_open: Annotated[
        bool, typer.Option("--allow-open", help="Let everyone on the network in, without a password.")
    ] = False,
) -> None:
    """Start the app on this machine's loopback address."""
    # By name: the floor above is started from here, never built upon.
    launch = importlib.import_module("ui.app").launch
    launch(host=host, port=port, auth_file=auth_file, root_path=root_path, allow_open=allow_open)
