"""A simulator that asks another one only what it has not answered before, in this run or an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lcbm_model.content import Content
from lcbm_model.metrics import Metric, get_metric
from lcbm_model.prediction import Prediction, SimulatorIdentity
from lcbm_model.simulator.base import Context, Simulator
from lcbm_model.simulator.score_cache.keys import Media, keys_of
from lcbm_model.simulator.score_cache.rows import pack, unpack
from lcbm_model.simulator.score_cache.store import ScoreStore


class CachedSimulator:
    """`inner` with its scores on disk. Answers equal `inner`'s in every field.

    Failures are never kept. A content whose media cannot be read, and so has no hash, is handed through each time.

    Args:
        inner: Any simulator whose identity names its weights: a hosted model that may change behind its name does not.
        store: An SQLite file ("*.sqlite"), or an open store that several simulators share.
    """

    def __init__(self, inner: Simulator, store: str | Path | ScoreStore) -> None:
        self.inner = inner
        self.store = store if isinstance(store, ScoreStore) else ScoreStore(store)
        self._media = Media()

    @property
    def identity(self) -> SimulatorIdentity:
        """Of the simulator inside."""
        return self.inner.identity

    def predict(
        self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None
    ) -> list[Prediction]:
        """One prediction per content, in order; equal contents are asked once.

        Raises:
            MetricError: Nobody defined the metric.
            BackendError: The simulator inside is gone.
            SettingsError: The cache's file belongs to something else.
        """
        asked, identity = get_metric(metric), self.identity
        keys = keys_of(contents, asked, context, identity, self._media)
        known = self._read(keys, asked, identity)
        # One content for each key; those without a key stand for themselves.
        missing = {key or i: i for i, key in reversed(list(enumerate(keys))) if key not in known}
        order = sorted(missing.values())
        fresh = self.inner.predict([contents[i] for i in order], asked, context) if order else []
        answers = dict(zip(order, fresh, strict=True))
        self._keep(contents, keys, answers, asked, context, identity)
        return [known[key] if key in known else answers[missing[key or i]] for i, key in enumerate(keys)]

    def win_chances(self, predictions: Sequence[Prediction], *, channel: str = "") -> list[float]:
        """Those of the simulator inside.

        Raises:
            BackendError: No content could be scored.
        """
        return self.inner.win_chances(predictions, channel=channel)

    def compare(self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None) -> list[float]:
        """`predict` from the cache, then `win_chances` of the simulator inside.

        Raises:
            BackendError: No content could be scored.
        """
        predictions = self.predict(contents, metric, context)
        return self.win_chances(predictions, channel=contents[0].channel if contents else "")

    def close(self) -> None:
        """Write the last counts and let go of the file."""
        self.store.close()

    def _read(
        self, keys: Sequence[bytes | None], metric: Metric, identity: SimulatorIdentity
    ) -> dict[bytes | None, Prediction]:
        rows = self.store.find([key for key in keys if key], identity.model_dump_json())
        known: dict[bytes | None, Prediction] = {}
        for key, row in rows.items():
            known[key] = unpack(row, metric.name, identity)
        return known

    def _keep(
        self,
        contents: Sequence[Content],
        keys: Sequence[bytes | None],
        answers: dict[int, Prediction],
        metric: Metric,
        context: Context | None,
        identity: SimulatorIdentity,
    ) -> None:
        """Write new answers, except where a picture has changed while the simulator was looking at it."""
        if not answers:
            return
        after = keys_of([contents[i] for i in answers], metric, context, identity, self._media)
        rows = {}
        for key, i in zip(after, answers, strict=True):
            prediction = answers[i]
            faithful = prediction.metric == metric.name and prediction.simulator == identity
            row = pack(prediction) if faithful else None
            if key and key == keys[i] and row is not None:
                rows[key] = row
        self.store.put(rows, identity.model_dump_json(), misses=len(answers))
