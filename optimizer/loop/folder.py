"""A run on disk: `<store>/<run_id>/` with its settings, its checkpoints, its scores and, if asked, its picture."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lcbm_model.behavior import PercentileScale
from lcbm_model.errors import SettingsError
from lcbm_model.prediction import SimulatorIdentity
from optimizer.brief import Brief

LOCK = ".lock"
"""Held by whoever begins a run or takes its steps."""
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")


class RunSettings(BaseModel):
    """Written once when a run begins: all that a later process needs to go on with it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    brief: Brief
    seed: int
    started: datetime
    simulator: str | None = Field(description="Its name; None: an object was handed in and must be handed in again.")
    identity: SimulatorIdentity
    judge: str | None = Field(default=None, description="Its name; None: an object, or nobody.")
    judge_identity: SimulatorIdentity | None = Field(default=None, description="Of the judge, where there was one.")
    library: str | None = Field(default=None, description="Path it was read from, where it was read from one.")
    had_library: bool = False
    writers: tuple[str, ...] = Field(default=(), description="Their names.")
    scale: PercentileScale | None = None
    evidence: int = 0
    warnings: tuple[str, ...] = Field(default=(), description="Known before the first step: library rows left out.")

    def with_picture(self, picture: Path) -> RunSettings:
        """The same with the brief's picture at another place."""
        return self.model_copy(update={"brief": self.brief.model_copy(update={"picture": picture})})


class RunFolder:
    """Paths of one run; made before anything is spent, so that a bad place is found first."""

    def __init__(self, store: str | Path | None, run_id: str) -> None:
        if not _RUN_ID.fullmatch(run_id):
            remedy = "Use letters, digits, '-' and '_', at most 80"
            raise SettingsError("run_id", "is not a name for a run", value=run_id, remedy=remedy)
        self.run_id = run_id
        self.path = store_folder(store) / run_id
        self.settings_file = self.path / "run.json"
        self.checkpoints = self.path / "checkpoints.sqlite"
        self.scores = self.path / "scores.sqlite"
        self.result = self.path / "result.json"
        self._kept: Path | None = None

    def create(self) -> None:
        """Make the folder of a new run.

        Raises:
            SettingsError: A run of that id exists, or the place cannot be written to.
        """
        if self.settings_file.exists():
            raise SettingsError(
                "run_id", f"a run of that id exists in {self.path.parent}", value=self.run_id, remedy="Resume it"
            )
        writable_folder(self.path, "store")

    def discard(self) -> None:
        """Take a folder away again in which no run began; by whoever holds its lock."""
        if self.settings_file.exists():
            return
        if self._kept is not None:
            self._kept.unlink(missing_ok=True)
        if all(path.name == LOCK for path in self.path.iterdir()):
            (self.path / LOCK).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # the next one who wants this id is in it already
                self.path.rmdir()

    def keep_picture(self, file: Path) -> Path:
        """A copy of the brief's picture or video inside the folder: it goes wherever the run goes, and when it goes.

        Raises:
            SettingsError: The folder cannot hold it.
        """
        self._kept = self.path.resolve() / f"picture-{secrets.token_hex(4)}{file.suffix.lower()}"
        try:
            shutil.copyfile(file, self._kept)
        except OSError as error:
            problem = f"cannot hold the brief's picture: {error.strerror}"
            remedy = "Make room there, or choose another folder"
            raise SettingsError("store", problem, value=str(self.path), remedy=remedy) from error
        return self._kept

    def write_settings(self, settings: RunSettings) -> None:
        """Whole or not at all, whenever the process dies. A picture of the run's own is named without its folder, so
        that the store may be moved."""
        if self._kept is not None and settings.brief.picture == self._kept:
            settings = settings.with_picture(Path(self._kept.name))
        part = self.settings_file.with_suffix(".part")
        part.write_text(settings.model_dump_json(indent=1), encoding="utf-8")
        part.replace(self.settings_file)

    def read_settings(self) -> RunSettings:
        """Settings of a run that began earlier.

        Raises:
            SettingsError: There is none, or its file is damaged.
        """
        try:
            settings = RunSettings.model_validate_json(self.settings_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            known = sorted(p.parent.name for p in self.path.parent.glob("*/run.json"))[-5:]
            remedy = f"Known runs: {', '.join(known)}" if known else "Name the store it was begun in"
            raise SettingsError(
                "run_id", f"no such run in {self.path.parent}", value=self.run_id, remedy=remedy
            ) from None
        except (OSError, ValidationError, UnicodeDecodeError) as error:
            raise SettingsError(str(self.settings_file), f"cannot be read: {error}", remedy="Begin anew") from error
        picture = settings.brief.picture
        return settings.with_picture(self.path.resolve() / picture) if picture else settings


def store_folder(store: str | Path | None) -> Path:
    """Where runs live: the argument, else `LCBM_RUNS`, else `./runs`."""
    return Path(store or os.environ.get("LCBM_RUNS") or "runs").expanduser()


def new_run_id() -> str:
    """Sortable by time, unique without asking anybody."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def writable_folder(path: Path, where: str) -> Path:
    """The folder, made where it is missing and proven writable.

    Raises:
        SettingsError: It cannot be made or written to.
    """
    probe = path / f".write-test-{secrets.token_hex(4)}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        remedy = "Choose a folder you may write to"
        raise SettingsError(where, f"cannot be written to: {error.strerror}", value=str(path), remedy=remedy) from error
    return path


def open_database(path: Path) -> Any:
    """An SQLite connection whose work is on disk after every commit.

    Raises:
        SettingsError: It cannot be opened or written to, or is no database.
    """
    import sqlite3

    connection = None
    try:
        connection = sqlite3.connect(path, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        remedy = "Check that the file is whole and that you may write there"
        raise SettingsError("store", f"cannot be opened: {error}", value=str(path), remedy=remedy) from error
    return connection
