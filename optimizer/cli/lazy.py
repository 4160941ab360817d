"""A command group that imports a command's module only when that command is called.

To add a command: write `optimizer/cli/<name>.py` with a `typer.Typer()` called `app`, and one line in `COMMANDS` of
`optimizer/cli/__init__.py`. An app with a single command is that command; one with several is a group.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import typer.core
import typer.main

from lcbm_model.errors import SettingsError


@dataclass(frozen=True)
class Lazy:
    """A command by its module, and the line that `lcbm --help` shows of it."""

    module: str
    help: str


class LazyGroup(typer.core.TyperGroup):
    """Lists stand-ins that know their help line; imports the real command when it is called by name."""

    def __init__(self, lazy: Mapping[str, Lazy], **settings: Any) -> None:
        stand_ins: dict[str, Any] = {
            name: typer.core.TyperCommand(name=name, help=entry.help) for name, entry in lazy.items()
        }
        super().__init__(commands=stand_ins, **settings)
        self._lazy = lazy

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, stand_in, rest = super().resolve_command(ctx, args)
        return name, load(name, self._lazy[name]) if name and stand_in else stand_in, rest


def load(name: str, lazy: Lazy) -> Any:
    """The real command behind a line of the table.

    Raises:
        SettingsError: Something that the command needs is not installed.
    """
    try:
        app = importlib.import_module(lazy.module).app
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"lcbm {name}",
            "needs a package that is not installed",
            value=error.name,
            remedy="Install lcbm with the extra that brings it, or all of them: pip install 'lcbm[all]'",
        ) from error
    app._add_completion = False  # belongs to `lcbm` as a whole, not to each of its commands
    command = typer.main.get_command(app)
    command.name = name
    return command
