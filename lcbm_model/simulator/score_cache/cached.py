"""A simulator that asks another one only what it has not answered before, in this run or an earlier one."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lcbm_model.content import Content
from lcbm_model.metrics import Metric, get_metric
from lcbm_model.prediction import Prediction, SimulatorIdentity
from lcbm_model.simulator.base import Context, Simulator, StreamingSimulator
from lcbm_model.simulator.partial import PartialAnswer
from lcbm_model.simulator.score_cache.keys import Media, keys_of
from lcbm_model.simulator.score_cache.rows import pack, unpack
from lcbm_model.simulator.score_cache.store import ScoreStore
from lcbm_model.simulator.stream import never, predict_stream
from lcbm_model.simulator.streamed import StreamedSimulator

_WRITTEN_AT_ONCE = 256
_WRITTEN_AFTER = 1.0
"""Seconds: what a killed run may lose."""
_RECENT_MOST = 32_768
"""Answers kept in memory beside the file, two kilobytes each."""


@dataclass(frozen=True)
class _Call:
    """One call, looked up: what is known, and which contents have to be asked."""

    contents: Sequence[Content]
    metric: Metric
    context: Context | None
    identity: SimulatorIdentity
    keys: list[bytes | None]
    known: dict[bytes | None, Prediction]
    places: dict[int, list[int]]
    """The first of equal contents that are not known -> all of them, in order."""

    @property
    def asked(self) -> list[Content]:
        return [self.contents[i] for i in self.places]

    def answers(self, fresh: Sequence[Prediction]) -> list[Prediction]:
        """One prediction per content from those of `asked`."""
        found = {i: one for same, one in zip(self.places.values(), fresh, strict=True) for i in same}
        return [found[i] if i in found else self.known[key] for i, key in enumerate(self.keys)]


class CachedSimulator(StreamedSimulator):
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
        self._recent: OrderedDict[bytes | None, Prediction] = OrderedDict()
        self._recent_lock = threading.Lock()
        self._emptied = self.store.emptied

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
            BackendError: The simulator inside is gone; what it had finished is kept.
            SettingsError: The cache's file belongs to something else.
        """
        call = self._look_up(contents, get_metric(metric), context)
        if not call.places:
            return [call.known[key] for key in call.keys]
        if isinstance(self.inner, StreamingSimulator):  # so that an interrupted call keeps what was finished
            answers = dict(self._answers(call, never))
            return [answers[i] for i in range(len(contents))]
        try:
            fresh = self.inner.predict(call.asked, call.metric, context)
        except PartialAnswer as error:
            self._keep(call, dict(zip(call.places, error.predictions, strict=True)))
            raise PartialAnswer(str(error), call.answers(error.predictions)) from error
        self._keep(call, dict(zip(call.places, fresh, strict=True)))
        return call.answers(fresh)

    def win_chances(self, predictions: Sequence[Prediction], *, channel: str = "") -> list[float]:
        """Those of the simulator inside.

        Raises:
            BackendError: No content could be scored.
        """
        return self.inner.win_chances(predictions, channel=channel)

    def close(self) -> None:
        """Write the last counts and let go of the file."""
        self.store.close()

    def _look_up(self, contents: Sequence[Content], metric: Metric, context: Context | None) -> _Call:
        identity = self.identity
        keys = keys_of(contents, metric, context, identity, self._media)
        known = self._remembered(keys)
        if known:
            self.store.count(identity.model_dump_json(), hits=len(known))
        if missing := [key for key in keys if key and key not in known]:
            read: dict[bytes | None, Prediction] = {}
            for found, row in self.store.find(missing, identity.model_dump_json()).items():
                try:
                    read[found] = unpack(row, metric.name, identity)
                except ValueError:  # whole, but not written by `pack`: scored and written anew
                    continue
            self._remember(read)
            known |= read
        alike: dict[bytes | int, list[int]] = {}
        if len(known) < len(contents):
            for i, key in enumerate(keys):
                if key not in known:
                    alike.setdefault(key or i, []).append(i)
        places = {same[0]: same for same in alike.values()}
        return _Call(contents, metric, context, identity, keys, known, places)

    def _remembered(self, keys: Sequence[bytes | None]) -> dict[bytes | None, Prediction]:
        """Answers read from the file a moment ago: unpacking and checking them again would be most of a look-up."""
        with self._recent_lock:
            if self._emptied != self.store.emptied:
                self._recent.clear()
                self._emptied = self.store.emptied
            recent = self._recent
            return {key: recent[key] for key in keys if key and key in recent}

    def _remember(self, read: Mapping[bytes | None, Prediction]) -> None:
        with self._recent_lock:
            self._recent.update(read)
            while len(self._recent) > _RECENT_MOST:
                self._recent.popitem(last=False)

    def _stream(
        self, contents: Sequence[Content], metric: Metric, context: Context | None, cancelled: Callable[[], bool]
    ) -> Iterator[tuple[int, Prediction]]:
        return self._answers(self._look_up(contents, metric, context), cancelled)

    def _answers(self, call: _Call, cancelled: Callable[[], bool]) -> Iterator[tuple[int, Prediction]]:
        """The known ones first."""
        for i, key in enumerate(call.keys):
            if key in call.known:
                yield i, call.known[key]
        if not call.places:
            return
        first = list(call.places)
        fresh: dict[int, Prediction] = {}
        written = time.monotonic()
        answers = predict_stream(self.inner, call.asked, call.metric, call.context, cancelled=cancelled)
        try:
            for place, prediction in answers:
                fresh[first[place]] = prediction
                if len(fresh) >= _WRITTEN_AT_ONCE or time.monotonic() - written > _WRITTEN_AFTER:
                    self._keep(call, fresh)
                    fresh, written = {}, time.monotonic()
                for i in call.places[first[place]]:
                    yield i, prediction
        finally:
            self._keep(call, fresh)

    def _keep(self, call: _Call, fresh: Mapping[int, Prediction]) -> None:
        """Write new answers, except where a picture has changed while the simulator was looking at it."""
        if not fresh:
            return
        shown = [i for i in fresh if call.contents[i].media]
        again = keys_of([call.contents[i] for i in shown], call.metric, call.context, call.identity, self._media)
        changed = {i for i, key in zip(shown, again, strict=True) if key != call.keys[i]}
        rows: dict[bytes, bytes] = {}
        for i, prediction in fresh.items():
            key, row = call.keys[i], pack(prediction)
            faithful = prediction.metric == call.metric.name and prediction.simulator == call.identity
            if key and row and faithful and i not in changed:
                rows[key] = row
        self.store.put(rows, call.identity.model_dump_json(), misses=len(fresh))
