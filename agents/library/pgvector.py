"""A library that a team shares: the same search over PostgreSQL with the pgvector extension.

One table a library, its columns those of the posts' frame and `vector`; one row a library in `lcbm_libraries` with
what its folder's manifest would say. Publishing replaces a library in one transaction: whoever searches meanwhile sees
the old one. Search is exact; libraries beyond 200,000 posts get an HNSW index, which serves searches without a filter,
for an index walked under a filter loses results.
"""

from __future__ import annotations

import json
import re
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import sqlalchemy as sa
from pgvector.sqlalchemy import Vector

from agents.embedder import Embedder, load_embedder
from agents.library.filters import Condition, OneOf, conditions_of
from agents.library.index import normalised
from agents.library.indexes import FLAT_ROWS
from agents.library.records import Hit, Post
from lcbm_model.behavior import PercentileScale
from lcbm_model.errors import BackendError, LibraryError, MetricError, SettingsError
from lcbm_model.metrics import Metric, get_metric, register_metric

if TYPE_CHECKING:
    from pathlib import Path

    from agents.library.evidence import Evidence
    from agents.library.library import Library

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_AT_ONCE = 1000
WALKED = 200
"""Candidates kept while the HNSW index is walked (`hnsw.ef_search`)."""
_META = sa.MetaData()
CATALOGUE = sa.Table(
    "lcbm_libraries",
    _META,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("manifest", sa.Text, nullable=False),
)
_TYPES: dict[Any, Any] = {pl.String: sa.Text, pl.Date: sa.Date, pl.Float64: sa.Double}


class PostgresLibrary:
    """A published library. A `Retriever`: the loop takes it as it takes a `Library`.

    Connections are pooled; `close()` closes them, and so does the end of the object.
    """

    def __init__(self, engine: sa.Engine, name: str, manifest: Mapping[str, Any], embedder: Embedder) -> None:
        """Use `open` or `publish`."""
        self._engine, self._embedder, self._manifest = engine, embedder, manifest
        self.close = weakref.finalize(self, engine.dispose)
        self.name = name
        self.metrics = tuple(register_metric(Metric(**m)).name for m in manifest["metrics"])
        columns = {column: _TYPES[getattr(pl, kind)] for column, kind in manifest["columns"].items()}
        self._table = _table(name, columns, manifest["embedder"]["dimension"])

    @classmethod
    def publish(cls, library: Library, url: str, name: str) -> PostgresLibrary:
        """Put a library into a database, in place of one of that name.

        Args:
            url: Of a database whose user may create tables: `postgresql://user@host/database`.
            name: Letters, digits and underscores, beginning with a letter.

        Raises:
            SettingsError: A URL or name that is none.
            LibraryError: The database has no pgvector extension and the user may not create it.
            BackendError: The database cannot be reached, or refused.
        """
        frame, embedder = library.frame, library.embedder
        kinds = {column: _kind(kind) for column, kind in frame.schema.items()}
        manifest = {
            "embedder": {"name": embedder.name, "hash": embedder.hash, "dimension": embedder.dimension},
            "metrics": [get_metric(m).model_dump() for m in library.metrics],
            "columns": kinds,
            "posts": len(library),
            "usual": library.usual_similarity,
        }
        table = _table(_checked(name), {c: _TYPES[getattr(pl, k)] for c, k in kinds.items()}, embedder.dimension)
        with _engine(url) as engine, engine.begin() as connection:
            _prepare(connection)
            # Two who publish at once: the second waits until the first is done.
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"lcbm {name}"})
            table.drop(connection, checkfirst=True)
            table.create(connection)
            for start in range(0, len(library), _AT_ONCE):
                connection.execute(sa.insert(table), list(_rows(library, start)))
            if len(library) > FLAT_ROWS:
                connection.execute(sa.text(f"CREATE INDEX ON {table.name} USING hnsw (vector vector_ip_ops)"))
            connection.execute(sa.delete(CATALOGUE).where(CATALOGUE.c.name == name))
            connection.execute(sa.insert(CATALOGUE), {"name": name, "manifest": json.dumps(manifest)})
        return cls(engine, name, manifest, embedder)  # the pool connects anew when it is asked

    @classmethod
    def open(cls, url: str, name: str, *, embedder: Embedder | str | Path | None = None) -> PostgresLibrary:
        """Open a published library.

        Args:
            embedder: The one it was built with; the packaged MiniLM by default.

        Raises:
            SettingsError: A URL or name that is none.
            LibraryError: No such library, or one made by another embedder.
            BackendError: The database cannot be reached.
        """
        _checked(name)
        model = load_embedder(embedder)
        with _engine(url) as engine, engine.connect() as connection:
            found = None
            if sa.inspect(connection).has_table(CATALOGUE.name):
                found = connection.scalar(sa.select(CATALOGUE.c.manifest).where(CATALOGUE.c.name == name))
        if found is None:
            raise LibraryError(f"library {name!r}", "is not in this database", remedy="Publish it first")
        manifest = json.loads(found)
        made = manifest["embedder"]
        if (made["hash"], made["dimension"]) != (model.hash, model.dimension):
            raise LibraryError(
                f"library {name!r}",
                f"was made by the embedder {made['name']!r} ({made['hash'][:12]}), its vectors mean nothing to another",
                value=f"{model.name} ({model.hash[:12]})",
                remedy=f"Open it with {made['name']!r}, or publish it anew with this one",
            )
        return cls(engine, name, manifest, model)

    def search(
        self,
        query: str,
        k: int = 5,
        *,
        metric: str | None = None,
        min_percentile: float | None = None,
        channel: str | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> list[Hit]:
        """As `Library.search`, by words.

        Raises:
            MetricError, LibraryError: As there.
            BackendError: The database cannot be reached.
        """
        name = self._measured(metric)
        if not query.strip():
            raise LibraryError("query", "is empty", value=query, remedy="Say what the posts should be about")
        if k < 1:
            raise LibraryError("k", "must be at least 1", value=k)
        conditions = conditions_of(
            list(self._manifest["columns"]), name, min_percentile=min_percentile, channel=channel, filters=filters
        )
        vector = normalised(self._embedder.embed([query.encode("utf-8", "replace").decode("utf-8")]))[0]
        found = self._nearest(vector, k, conditions)
        hits = []
        for row in found:
            post = Post.from_row(row)
            figures = {"value": post.values.get(name), "percentile": post.percentiles.get(name)}
            hits.append(Hit(post=post, similarity=float(row["similarity"]), metric=name, **figures))
        return hits

    def evidence_for(self, texts: Sequence[str], *, k: int = 20, **conditions: Any) -> list[Evidence]:
        """For each text, where the most similar posts with a result landed: as `Library.evidence_for`."""
        from agents.library.evidence import weigh

        given = []
        filters = {"percentile": (0, 100), **(conditions.pop("filters", None) or {})}
        for text in texts:
            hits = self.search(text, k, filters=filters, **conditions)
            near, ranks = [h.similarity for h in hits], [h.percentile or 0.0 for h in hits]
            name = self._measured(conditions.get("metric"))
            given.append(weigh(near, ranks, [h.post.id for h in hits], metric=name, usual=self._manifest["usual"]))
        return given

    def scale(self, metric: str | None = None, channel: str | None = None) -> PercentileScale | None:
        """As `Library.scale`."""
        from agents.library.ingest import channel_key

        name = self._measured(metric)
        column = self._table.c[f"value.{name}"]
        query = sa.select(column).where(column.is_not(None))
        if channel is not None:
            query = query.where(self._table.c["channel"] == channel_key(channel))
        with _speaking(self._engine), self._engine.connect() as connection:
            values = connection.scalars(query).all()
        return PercentileScale.fit(values, higher_is_better=get_metric(name).higher_is_better) if values else None

    @property
    def metric(self) -> str:
        """The main metric."""
        return self.metrics[0]

    def __len__(self) -> int:
        return int(self._manifest["posts"])

    def __repr__(self) -> str:
        return f"PostgresLibrary({self.name!r}, {len(self)} posts, {', '.join(self.metrics)})"

    def _nearest(self, vector: np.ndarray, k: int, conditions: list[Condition]) -> list[dict[str, Any]]:
        distance = self._table.c.vector.max_inner_product(vector)  # the negative inner product
        columns = [self._table.c[name] for name in self._manifest["columns"]]
        query = sa.select(*columns, (-distance).label("similarity")).where(*(self._sql(c) for c in conditions))
        # An expression instead of the plain distance keeps the planner from walking the index.
        exact = query.order_by(distance + 0.0, self._table.c.row).limit(k)
        with _speaking(self._engine), self._engine.begin() as connection:
            if not conditions and len(self) > FLAT_ROWS and k <= WALKED:
                connection.execute(sa.text(f"SET LOCAL hnsw.ef_search = {WALKED}"))
                found = connection.execute(query.order_by(distance).limit(k)).mappings().all()
                if len(found) == k:
                    return [dict(row) for row in found]
            return [dict(row) for row in connection.execute(exact).mappings()]

    def _sql(self, condition: Condition) -> sa.ColumnElement[bool]:
        column = self._table.c[condition.column]
        if isinstance(condition, OneOf):
            return column.in_(condition.values)
        ends: list[sa.ColumnElement[bool]] = [column.is_not(None)]
        if condition.low is not None:
            ends.append(column >= condition.low)
        if condition.high is not None:
            ends.append(column <= condition.high)
        return sa.and_(*ends)

    def _measured(self, metric: str | None) -> str:
        name = self.metric if metric is None else get_metric(metric).name
        if name not in self.metrics:
            remedy = f"Measured there: {', '.join(self.metrics)}"
            raise MetricError("metric", "no post of this library was measured in it", value=name, remedy=remedy)
        return name


def _table(name: str, columns: Mapping[str, Any], dimension: int) -> sa.Table:
    return sa.Table(
        f"lcbm_library_{name}",
        sa.MetaData(),
        sa.Column("row", sa.BigInteger, primary_key=True, autoincrement=False),
        *(sa.Column(column, kind) for column, kind in columns.items()),
        sa.Column("vector", Vector(dimension), nullable=False),
    )


def _rows(library: Library, start: int) -> Iterator[dict[str, Any]]:
    part = library.frame[start : start + _AT_ONCE]
    vectors = library.index.vectors[start : start + _AT_ONCE]
    for i, row in enumerate(part.iter_rows(named=True)):
        # PostgreSQL's texts cannot hold the character NUL.
        plain = {c: v.replace("\0", "\ufffd") if isinstance(v, str) else v for c, v in row.items()}
        yield {"row": start + i, **plain, "vector": vectors[i]}


def _kind(kind: pl.DataType) -> str:
    if kind.is_integer():
        return "Float64"  # whole numbers up to 2**53, which no count of people exceeds
    return {pl.Date: "Date", pl.Float64: "Float64"}.get(type(kind), "String")


def _prepare(connection: sa.Connection) -> None:
    try:
        with connection.begin_nested():
            connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS vector"))
    except sa.exc.DBAPIError as error:
        remedy = "Install pgvector on the server and let an administrator run: CREATE EXTENSION vector"
        raise LibraryError("database", "has no pgvector extension", remedy=remedy) from error
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('lcbm catalogue'))"))
    _META.create_all(connection)


@contextmanager
def _engine(url: str) -> Iterator[sa.Engine]:
    """An engine whose connections are closed at the end; it stays usable."""
    try:
        address = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise SettingsError("database", "is no URL", remedy="Write postgresql://user@host/database") from error
    if address.get_backend_name() != "postgresql":
        raise SettingsError("database", "is no PostgreSQL", value=address.drivername, remedy="Use postgresql://")
    engine = sa.create_engine(address.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    try:
        with _speaking(engine):
            yield engine
    finally:
        engine.dispose()


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        remedy = "Use up to 40 small letters, digits and underscores, beginning with a letter"
        raise SettingsError("library name", "cannot name a table", value=name, remedy=remedy)
    return name


@contextmanager
def _speaking(engine: sa.Engine) -> Iterator[None]:
    """The database's own errors as ours, without the password."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        where = engine.url.render_as_string(hide_password=True)
        reason = " ".join(str(error.orig).split())[:300]
        raise BackendError(f"{where}: the database failed: {reason}") from error
