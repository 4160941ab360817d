"""Where outcomes are kept: one table over SQLAlchemy, an SQLite file by default, any database by its URL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from sqlalchemy import Column, Float, MetaData, String, Table, Text, create_engine, delete, event, select
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.schema import CreateTable

from lcbm_model.errors import SettingsError
from lcbm_model.write_ahead import write_ahead
from optimizer.loop.folder import store_folder
from optimizer.outcomes.calibration import TeamCalibration
from optimizer.outcomes.record import Outcome, checked

if TYPE_CHECKING:
    from optimizer.outcomes.reporting import OutcomeReport, ScaleOf

FILE = "outcomes.sqlite"
_WAIT_MS = 10_000
"""How long a writer waits for another."""

_META = MetaData()
_OUTCOMES = Table(
    "lcbm_outcomes",
    _META,
    Column("key", String(64), primary_key=True),
    Column("run_id", String(80), index=True),
    Column("metric", String(80), nullable=False),
    Column("channel", String(120), nullable=False),
    Column("value", Float, nullable=False),
    Column("percentile", Float),
    Column("noted_at", String(40), nullable=False),
    Column("record", Text, nullable=False),
)
"""`record` holds the whole outcome as JSON; the columns beside it are for queries by other programs."""
_CALIBRATION = Table(
    "lcbm_team_calibration", _META, Column("id", String(40), primary_key=True), Column("record", Text, nullable=False)
)


def store_url(place: str | Path | None = None, runs: str | Path | None = None) -> str:
    """The store's URL: `place`, else `LCBM_OUTCOMES`, else `outcomes.sqlite` in the folder of runs."""
    named = str(place or os.environ.get("LCBM_OUTCOMES") or store_folder(runs) / FILE)
    return named if "://" in named else f"sqlite:///{Path(named).expanduser()}"


class OutcomeStore:
    """What was published and what came of it.

    Args:
        place: A file, or any SQLAlchemy URL; see `store_url` for the default.
        runs: Folder of runs that the default lies in; None: `LCBM_RUNS`, else ./runs.

    Raises:
        SettingsError: The place cannot be used. A password in the URL is never shown.
    """

    def __init__(self, place: str | Path | None = None, *, runs: str | Path | None = None) -> None:
        try:
            self._url = make_url(store_url(place, runs))
            self._engine = self._connect()
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
            remedy = "Give a file, or a URL such as postgresql+psycopg://user@host/database"
            raise SettingsError("outcomes", f"no database can be reached by that: {type(error).__name__}", remedy=remedy
                                ) from error  # fmt: skip
        with self._asked() as connection:
            for table in (_OUTCOMES, _CALIBRATION):
                connection.execute(CreateTable(table, if_not_exists=True))

    @property
    def name(self) -> str:
        """The place for people, without a password."""
        if self._url.get_backend_name() == "sqlite":
            return self._url.database or ":memory:"
        return self._url.render_as_string(hide_password=True)

    def add(self, *outcomes: Outcome) -> int:
        """Keep outcomes; newer figures of the same candidate and metric replace older ones.

        Returns:
            How many were new.

        Raises:
            InputError: One of them cannot be true; then none is kept.
        """
        good = [checked(outcome) for outcome in outcomes]
        new = 0
        with self._asked() as connection:
            for outcome in good:
                gone = connection.execute(delete(_OUTCOMES).where(_OUTCOMES.c.key == outcome.key)).rowcount
                connection.execute(_OUTCOMES.insert().values(**_row(outcome)))
                new += not gone
        return new

    def list(self, *, metric: str | None = None, run_id: str | None = None) -> tuple[Outcome, ...]:
        """Outcomes, the latest noted first.

        Raises:
            SettingsError: A record was damaged.
        """
        query = select(_OUTCOMES.c.record).order_by(_OUTCOMES.c.noted_at.desc(), _OUTCOMES.c.key)
        if metric is not None:
            query = query.where(_OUTCOMES.c.metric == metric)
        if run_id is not None:
            query = query.where(_OUTCOMES.c.run_id == run_id)
        with self._asked() as connection:
            return tuple(self._read(Outcome, text) for text in connection.execute(query).scalars())

    def report(self, *, metric: str | None = None, scale_of: ScaleOf | None = None) -> OutcomeReport:
        """Predictions beside what happened: see `optimizer.outcomes.reporting.report`."""
        from optimizer.outcomes.reporting import report

        return report(self.list(), metric=metric, scale_of=scale_of)

    def remove(self, key: str) -> bool:
        """Forget one; False where it was not there."""
        with self._asked() as connection:
            return bool(connection.execute(delete(_OUTCOMES).where(_OUTCOMES.c.key == key)).rowcount)

    # The team's own calibration, kept beside what it was fitted on ------------------------------------------------

    def calibration(self) -> TeamCalibration | None:
        """The team's own calibration; None where none was kept."""
        with self._asked() as connection:
            text = connection.execute(select(_CALIBRATION.c.record)).scalars().first()
        return None if text is None else self._read(TeamCalibration, text)

    def keep_calibration(self, calibration: TeamCalibration | None) -> None:
        """Put the team's calibration in the place of the one before; None removes it."""
        with self._asked() as connection:
            connection.execute(delete(_CALIBRATION))
            if calibration is not None:
                row = {"id": calibration.id, "record": calibration.model_dump_json()}
                connection.execute(_CALIBRATION.insert().values(**row))

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    # Inside -------------------------------------------------------------------------------------------------------

    def _connect(self) -> Engine:
        if self._url.get_backend_name() != "sqlite":
            return create_engine(self._url, pool_pre_ping=True, hide_parameters=True)
        if self._url.database and self._url.database != ":memory:":
            folder = Path(self._url.database).parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                problem = f"the folder cannot be made: {error.strerror}"
                raise SettingsError("outcomes", problem, value=str(folder), remedy="Choose another") from error
        engine = create_engine(self._url, connect_args={"timeout": _WAIT_MS / 1000}, hide_parameters=True)

        @event.listens_for(engine, "connect")
        def _prepare(connection: Any, _: Any) -> None:
            connection.execute(f"PRAGMA busy_timeout={_WAIT_MS}")
            write_ahead(connection, _WAIT_MS / 1000)

        return engine

    @contextmanager
    def _asked(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            reason = " ".join(str(getattr(error, "orig", None) or type(error).__name__).split())[:200]
            remedy = "Check that it is a database you may write to"
            raise SettingsError("outcomes", f"cannot be used: {reason}", value=self.name, remedy=remedy) from error

    def _read(self, kind: Any, text: str) -> Any:
        try:
            return kind.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            problem = f"holds a damaged record: {'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise SettingsError("outcomes", problem, value=self.name, remedy="Restore it from a copy") from error


def _row(outcome: Outcome) -> dict[str, Any]:
    return {
        "key": outcome.key,
        "run_id": outcome.run_id,
        "metric": outcome.metric,
        "channel": outcome.channel,
        "value": outcome.value,
        "percentile": outcome.percentile,
        "noted_at": outcome.noted_at.isoformat(),
        "record": outcome.model_dump_json(),
    }
