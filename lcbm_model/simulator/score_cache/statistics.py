"""What a score cache holds and what it has saved."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lcbm_model.prediction import SimulatorIdentity


class CheckpointStatistics(BaseModel):
    """Scores of one simulator: checkpoint, read-out and calibration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = Field(description="For people: 'lcbm-smol (local, tuned, calibrated)'.")
    checkpoint_hash: str
    entries: int
    hits: int = Field(description="Scores read from the cache.")
    misses: int = Field(description="Scores that had to be made.")


class CacheStatistics(BaseModel):
    """Of the whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path | None = Field(description="None where the cache is switched off.")
    entries: int = 0
    bytes: int = Field(default=0, description="On disk, with what is still to be merged into the file.")
    hits: int = 0
    misses: int = 0
    checkpoints: tuple[CheckpointStatistics, ...] = ()


def read_statistics(db: sqlite3.Connection, path: Path) -> CacheStatistics:
    """Counts by checkpoint, the largest first."""
    rows = db.execute(
        "SELECT identity, hits, misses, ifnull(n, 0) FROM simulators"
        " LEFT JOIN (SELECT simulator, count(*) AS n FROM scores GROUP BY simulator) ON simulator = id"
        " ORDER BY ifnull(n, 0) DESC, id"
    ).fetchall()
    checkpoints = tuple(_of(identity, hits, misses, entries) for identity, hits, misses, entries in rows)
    files = [path, path.with_name(path.name + "-wal")]
    return CacheStatistics(
        path=path,
        entries=int(db.execute("SELECT count(*) FROM scores").fetchone()[0]),
        bytes=sum(file.stat().st_size for file in files if file.exists()),
        hits=sum(c.hits for c in checkpoints),
        misses=sum(c.misses for c in checkpoints),
        checkpoints=checkpoints,
    )


def _of(identity: str, hits: int, misses: int, entries: int) -> CheckpointStatistics:
    try:
        known = SimulatorIdentity.model_validate_json(identity)
        label, digest = known.label, known.checkpoint_hash
    except ValidationError:  # written when an identity had other fields
        label, digest = "another version's simulator", ""
    return CheckpointStatistics(label=label, checkpoint_hash=digest, entries=entries, hits=hits, misses=misses)
