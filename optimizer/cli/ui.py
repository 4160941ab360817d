"""`lcbm ui`: the app for content teams."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer()

SECRET = "LCBM_PROXY_SECRET"
"""Environment variable with what only the proxy and the app know."""


@app.command()
def ui(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 7860,
    host: Annotated[str, typer.Option("--host", help="Address; others than loopback need a guard.")] = "127.0.0.1",
    auth_file: Annotated[
        Path | None, typer.Option("--auth-file", help="Lines of name:password; asks to log in.")
    ] = None,
    root_path: Annotated[str | None, typer.Option("--root-path", help="Public path behind a reverse proxy.")] = None,
    trust_header: Annotated[
        str | None,
        typer.Option("--trust-header", help="Single sign-on: header with the user's name, set by a proxy in front."),
    ] = None,
    allow_open: Annotated[
        bool, typer.Option("--allow-open", help="Let everyone on the network in, without a password.")
    ] = False,
) -> None:
    """Start the app on this machine's loopback address."""
    # By name: the floor above is started from here, never built upon.
    sign_on = _sign_on(trust_header, auth_file) if trust_header else None
    launch = importlib.import_module("ui.app").launch
    launch(
        host=host,
        port=port,
        auth_file=auth_file,
        root_path=root_path,
        allow_open=allow_open,
        auth_dependency=sign_on,
    )


def _sign_on(header: str, auth_file: Path | None) -> Any:
    from lcbm_model.errors import SettingsError

    if auth_file is not None:
        raise SettingsError("--trust-header", "cannot be used beside --auth-file", value=header, remedy="Keep one")
    secret = os.environ.get(SECRET)
    if not secret:
        remedy = f"Set {SECRET} here and have the proxy send it as X-Forwarded-Secret"
        raise SettingsError("--trust-header", "needs a secret that only the proxy knows", value=header, remedy=remedy)
    return importlib.import_module("ui.auth").forwarded_user(header, secret)
