"""Scores of one run: asked of the simulator once, kept in SQLite, so that a step that runs again costs nothing."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from lcbm_model.content import Content
from lcbm_model.errors import PictureError
from lcbm_model.metrics import Metric, get_metric
from lcbm_model.prediction import Prediction, SimulatorIdentity
from lcbm_model.simulator.base import Context, Simulator
from lcbm_model.simulator.first_look import first_look


class ScoreCache:
    """What a run asked for and got: key to JSON value in one SQLite file (":memory:" for none).

    Committed at every write, so that a kill loses no answer.
    """

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


class Remembering:
    """A `Simulator` that asks the one inside only for what this run has not asked yet.

    Keys hold the simulator's identity, the content (with the bytes of its picture), the metric and the context:
    a score is never read back for anything else than what it was made for.
    """

    def __init__(self, inner: Simulator, cache: ScoreCache) -> None:
        self.inner, self._cache = inner, cache

    @property
    def identity(self) -> SimulatorIdentity:
        return self.inner.identity

    def predict(
        self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None
    ) -> list[Prediction]:
        """One prediction per content, in order; failed ones are not kept, so that they can be tried again.

        Raises:
            BackendError: The simulator is gone.
            PictureError: A picture is gone.
        """
        name, setting = get_metric(metric).name, context or Context()
        keys = [self._key(content, name, setting) for content in contents]
        known = {key: self._cache.get(key) for key in keys}
        missing = {key: i for i, key in reversed(list(enumerate(keys))) if known[key] is None}
        asked = sorted(missing.values())
        fresh = self.inner.predict([contents[i] for i in asked], metric, setting) if asked else []
        answers = {key: Prediction.model_validate_json(value) for key, value in known.items() if value is not None}
        for i, prediction in zip(asked, fresh, strict=True):
            answers[keys[i]] = prediction
            if prediction.ok:
                self._cache.put(keys[i], prediction.model_dump_json())
        return [answers[key] for key in keys]

    def win_chances(self, predictions: Sequence[Prediction], *, channel: str = "") -> list[float]:
        """Those of the simulator inside.

        Raises:
            BackendError: No content could be scored.
        """
        return self.inner.win_chances(predictions, channel=channel)

    def compare(self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None) -> list[float]:
        """`predict`, then `win_chances`.

        Raises:
            BackendError: No content could be scored.
        """
        channel = contents[0].channel if contents else ""
        return self.win_chances(self.predict(contents, metric, context), channel=channel)

    def _key(self, content: Content, metric: str, context: Context) -> str:
        parts = [
            self.identity.model_dump(mode="json"),
            _hash_of(content),
            metric,
            context.model_dump(mode="json"),
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _hash_of(content: Content) -> str:
    try:
        return content.content_hash()
    except OSError as error:
        remedy = "Put the file back there and resume the run, or begin a new run with another picture"
        problem = f"the brief's picture cannot be read any more: {error.strerror}"
        raise PictureError(str(error.filename), problem, remedy=remedy) from error


class Scorer:
    """A simulator bound to one metric, with the run's memory under it.

    Args:
        simulator: An ensemble is taken apart, so that its members are asked, remembered and counted one by one.
        metric: The brief's own.
        cache: The run's memory.
    """

    def __init__(self, simulator: Simulator, metric: str, cache: ScoreCache) -> None:
        members = members_of(simulator)
        self.simulator, self.metric = simulator, metric
        self.members = tuple(Remembering(member, cache) for member in members)
        self.remembering = Remembering(_together(self.members, simulator) if members else simulator, cache)

    @property
    def identity(self) -> SimulatorIdentity:
        return self.simulator.identity

    @property
    def cost(self) -> int:
        """Simulator calls that one content takes: one, or one for each member of an ensemble."""
        return max(len(self.members), 1)

    @property
    def calibrated(self) -> bool:
        """Whether intervals were fitted on held-out behaviour, so that their lower ends may be selected on."""
        return self.identity.tuned and self.identity.calibration_id is not None

    def predict(self, contents: Sequence[Content], context: Context, metric: str | None = None) -> list[Prediction]:
        """One prediction per content, in order.

        Args:
            metric: Another than the brief's own.

        Raises:
            BackendError: The simulator is gone.
            PictureError: A picture is gone.
        """
        return self.remembering.predict(contents, metric or self.metric, context)

    def predict_first(self, contents: Sequence[Content], context: Context) -> list[Prediction]:
        """The same by an ensemble's first member alone.

        Raises:
            BackendError: The member is gone.
            PictureError: A picture is gone.
        """
        return self.members[0].predict(contents, self.metric, context)

    def first_look(self, contents: Sequence[Content], metric: str | None = None) -> list[float] | None:
        """What a first look foretells of each content, percentile points, for no call; None where there is none.

        Only differences between the contents of one brief mean something.

        Args:
            metric: Another than the brief's own.
        """
        return first_look(self.simulator, contents, metric or self.metric)

    def win(self, challenger: Prediction, champion: Prediction, *, channel: str) -> float:
        """Probability 0..1 that `challenger` does better than `champion`: both scored before, so it costs nothing."""
        return float(self.simulator.win_chances([challenger, champion], channel=channel)[0])


class Counting(Remembering):
    """A scorer as a `Simulator` that counts its calls.

    Args:
        known: Contents that were scored, and counted, before.

    Attributes:
        calls: New contents asked for, times the models asked; the same when a killed step runs again, although the
            cache then knows them.
    """

    def __init__(self, scorer: Scorer, *, known: Sequence[Content]) -> None:
        self.inner, self._cache = scorer.remembering.inner, scorer.remembering._cache
        self._cost, self._known, self.calls = scorer.cost, list(known), 0

    def predict(
        self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None
    ) -> list[Prediction]:
        """As `Remembering.predict`, counted."""
        for content in contents:
            if content not in self._known:
                self._known.append(content)
                self.calls += self._cost
        return super().predict(contents, metric, context)


def members_of(simulator: Simulator) -> tuple[Simulator, ...]:
    """The members of an ensemble of several, each with the score cache that lies under the whole; empty of others."""
    from lcbm_model.simulator.ensemble import EnsembleSimulator
    from lcbm_model.simulator.score_cache import CachedSimulator

    whole = simulator.inner if isinstance(simulator, CachedSimulator) else simulator
    if not isinstance(whole, EnsembleSimulator) or len(whole.members) < 2:
        return ()
    if isinstance(simulator, CachedSimulator):
        return tuple(CachedSimulator(member, simulator.store) for member in whole.members)
    return whole.members


def _together(members: Sequence[Simulator], whole: Simulator) -> Simulator:
    """The ensemble again, of members that remember; its identity is the same."""
    from lcbm_model.simulator.ensemble import EnsembleSimulator

    return EnsembleSimulator(members, name=whole.identity.checkpoint)
