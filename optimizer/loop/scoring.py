"""Scores of one run: asked of the simulator once, kept in SQLite, so that a step that runs again costs nothing."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from lcbm_model.content import Content
from lcbm_model.prediction import Prediction, SimulatorIdentity
from lcbm_model.simulator.base import Context, Simulator


class ScoreCache:
    """Key to JSON value in one SQLite file (":memory:" for none). Committed at every write."""

    def __init__(self, path: str | Path) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False)
        self._db.execute("CREATE TABLE IF NOT EXISTS scores (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        self._db.commit()

    def get(self, key: str) -> str | None:
        row = self._db.execute("SELECT value FROM scores WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else None

    def put(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO scores VALUES (?, ?)", (key, value))
        self._db.commit()

    def close(self) -> None:
        self._db.close()


class Scorer:
    """A simulator bound to one metric, with a cache in front.

    Keys hold the simulator's identity, the content (with the bytes of its picture), the metric and the context:
    a score is never read back for anything else than what it was made for.
    """

    def __init__(self, simulator: Simulator, metric: str, cache: ScoreCache) -> None:
        self.simulator, self.metric, self._cache = simulator, metric, cache

    @property
    def identity(self) -> SimulatorIdentity:
        return self.simulator.identity

    @property
    def calibrated(self) -> bool:
        """Whether intervals were fitted on held-out behaviour, so that their lower ends may be selected on."""
        return self.identity.tuned and self.identity.calibration_id is not None

    def predict(self, contents: Sequence[Content], context: Context) -> list[Prediction]:
        """One prediction per content, in order; failed ones are not kept, so that they can be tried again.

        Raises:
            BackendError: The simulator is gone.
        """
        keys = [self._key(content, context) for content in contents]
        known = {key: self._cache.get(key) for key in keys}
        missing = [i for i, key in enumerate(keys) if known[key] is None]
        fresh = self.simulator.predict([contents[i] for i in missing], self.metric, context) if missing else []
        answers = {i: Prediction.model_validate_json(value) for i, key in enumerate(keys) if (value := known[key])}
        for i, prediction in zip(missing, fresh, strict=True):
            answers[i] = prediction
            if prediction.ok:
                self._cache.put(keys[i], prediction.model_dump_json())
        return [answers[i] for i in range(len(keys))]

    def win(self, challenger: Prediction, champion: Prediction, *, channel: str) -> float:
        """Probability 0..1 that `challenger` does better than `champion`: both scored before, so it costs nothing."""
        return float(self.simulator.win_chances([challenger, champion], channel=channel)[0])

    def _key(self, content: Content, context: Context) -> str:
        parts = [
            self.identity.model_dump(mode="json"),
            content.content_hash(),
            self.metric,
            context.model_dump(mode="json"),
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
