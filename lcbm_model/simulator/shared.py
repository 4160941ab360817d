"""One simulator for many callers: a queue, one thread that works it off, and batches joined across callers."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType

from lcbm_model.content import Content
from lcbm_model.errors import BackendError, SettingsError
from lcbm_model.metrics import Metric, get_metric
from lcbm_model.prediction import Prediction, SimulatorIdentity
from lcbm_model.simulator.base import Context, Simulator
from lcbm_model.simulator.partial import PartialAnswer
from lcbm_model.simulator.streamed import StreamedSimulator

AT_ONCE = 64
"""Contents of one call of the simulator inside."""
_LOOK_UP_SECONDS = 0.05
"""How often a waiting stream asks whether it is cancelled."""


@dataclass(eq=False)
class _Request:
    """What one caller waits for. Its future stays pending to the end, so that it can be cancelled at any time."""

    contents: Sequence[Content]
    metric: Metric
    context: Context
    tell: Callable[[int, Prediction], None] | None = None
    """Hears of each answer as it comes."""
    future: Future[list[Prediction]] = field(default_factory=Future)
    answers: dict[int, Prediction] = field(default_factory=dict)
    waiting: deque[int] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.waiting.extend(range(len(self.contents)))

    def joins(self, other: _Request) -> bool:
        """Whether both may be scored in one call."""
        return self.metric == other.metric and self.context == other.context

    def finish(self) -> None:
        if self.future.set_running_or_notify_cancel():
            self.future.set_result([self.answers[i] for i in range(len(self.contents))])


Batch = list[tuple[_Request, int]]


class SharedSimulator(StreamedSimulator):
    """`inner` for any number of threads and async tasks, asked by one thread at a time.

    Requests of one metric and context that wait together go into one batch, an equal share of each; requests of other
    metrics and contexts take turns with them. A cancelled request drops out between two batches. Where a joint batch
    fails, each caller's part is asked again alone, so that an error reaches only whom it belongs to.

    Somebody who waits before a screen asks for a few contents. Such quick requests go before longer ones and are not
    joined with them: a joint batch would take as long as the longer one's. Two batches of quick ones never follow each
    other while a longer one waits.

    Args:
        inner: Asked from the queue's own thread.
        at_once: Contents of one call: what a newcomer waits for at most, and what can be joined.
        quick: A request of at most so many contents is quick; 0: none is.

    Raises:
        SettingsError: `at_once` is below 1, or `quick` is negative.
    """

    def __init__(self, inner: Simulator, *, at_once: int = AT_ONCE, quick: int = 0) -> None:
        for name, value, least in (("at_once", at_once, 1), ("quick", quick, 0)):
            if value < least:
                raise SettingsError(name, f"must be at least {least}", value=value)
        self.inner, self.at_once, self.quick = inner, at_once, quick
        self._requests: deque[_Request] = deque()
        self._last_was_quick = False
        self._changed = threading.Condition()
        self._worker: threading.Thread | None = None
        self._closed = False

    @property
    def identity(self) -> SimulatorIdentity:
        """Of the simulator inside."""
        return self.inner.identity

    def submit(
        self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None
    ) -> Future[list[Prediction]]:
        """Stand in line; the future gives what `predict` returns, and `cancel` works until it is there.

        Raises:
            MetricError: Nobody defined the metric.
            BackendError: The simulator was closed.
        """
        return self._enqueue(_Request(list(contents), get_metric(metric), context or Context()))

    def predict(
        self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None
    ) -> list[Prediction]:
        """One prediction per content, in order.

        Raises:
            MetricError: Nobody defined the metric.
            BackendError: The simulator inside is gone (a `PartialAnswer` where some were finished), or was closed.
        """
        future = self.submit(contents, metric, context)
        try:
            return future.result()
        finally:
            future.cancel()  # a caller that was interrupted waits for nothing any more

    async def apredict(
        self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None
    ) -> list[Prediction]:
        """`predict` for async callers; cancelling the task drops what is still waiting."""
        return await asyncio.wrap_future(self.submit(contents, metric, context))

    def _stream(
        self, contents: Sequence[Content], metric: Metric, context: Context | None, cancelled: Callable[[], bool]
    ) -> Iterator[tuple[int, Prediction]]:
        """Batch by batch, in line from this call on; what a cancelled caller still waits for is dropped."""
        heard: queue.SimpleQueue[tuple[int, Prediction] | None] = queue.SimpleQueue()
        request = _Request(list(contents), metric, context or Context(), lambda i, answer: heard.put((i, answer)))
        future = self._enqueue(request)
        future.add_done_callback(lambda _: heard.put(None))
        return _listen(heard, future, cancelled)

    def win_chances(self, predictions: Sequence[Prediction], *, channel: str = "") -> list[float]:
        """Those of the simulator inside; no queue, it costs no pass.

        Raises:
            BackendError: No content could be scored.
        """
        return self.inner.win_chances(predictions, channel=channel)

    def close(self) -> None:
        """Let the running batch end and stop the thread. Who still waits, and who calls later, gets `BackendError`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._worker is not None and self._worker is not threading.current_thread():
            self._worker.join()

    def __enter__(self) -> SharedSimulator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # The queue --------------------------------------------------------------------------------------------------

    def _enqueue(self, request: _Request) -> Future[list[Prediction]]:
        with self._changed:
            if self._closed:
                raise self._was_closed()
            if not request.contents:
                request.finish()
                return request.future
            self._requests.append(request)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="lcbm-shared-simulator", daemon=True)
                self._worker.start()
            self._changed.notify_all()
        return request.future

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._requests or self._closed)
                if self._closed:
                    for request in list(self._requests):
                        self._fail([(request, 0)], self._was_closed())
                    return
                batch = self._next_batch()
            if batch:
                self._score(batch)

    def _next_batch(self) -> Batch:
        """Takes the next contents out of the line: those that join the first request, an equal share of each."""
        self._drop_cancelled()
        if not self._requests:
            return []
        first = self._first()
        self._last_was_quick = self._is_quick(first)
        together = [r for r in self._requests if r.joins(first) and self._is_quick(r) == self._last_was_quick]
        batch: Batch = []
        turns = deque(together)
        while turns and len(batch) < self.at_once:
            request = turns.popleft()
            batch.append((request, request.waiting.popleft()))
            if request.waiting:
                turns.append(request)
        others = [request for request in self._requests if request not in together]
        served = {request for request, _ in batch}
        # Who got nothing of a full batch comes before who did.
        rest = sorted((request for request in together if request.waiting), key=lambda request: request in served)
        self._requests = deque([*others, *rest])
        return batch

    def _first(self) -> _Request:
        """Who is served next: a quick request where one waits, a longer one after that; else who waits longest."""
        wanted = not self._last_was_quick
        return next((r for r in self._requests if self._is_quick(r) == wanted), self._requests[0])

    def _is_quick(self, request: _Request) -> bool:
        return len(request.contents) <= self.quick

    def _drop_cancelled(self) -> None:
        for request in [request for request in self._requests if request.future.cancelled()]:
            self._requests.remove(request)
            request.future.set_running_or_notify_cancel()

    def _score(self, batch: Batch) -> None:
        first = batch[0][0]
        try:
            answers = self.inner.predict([r.contents[i] for r, i in batch], first.metric, first.context)
            if len(answers) != len(batch):
                raise BackendError(f"simulator {self.identity.label}: {len(answers)} answers for {len(batch)} contents")
        except BaseException as error:  # a caller waits: whatever it is, it has to hear of it
            parts = {request: [(r, i) for r, i in batch if r is request] for request, _ in batch}
            if len(parts) == 1:
                self._fail(batch, error)
                return
            for request, part in parts.items():
                if not request.future.cancelled():
                    self._score(part)
            return
        for (request, i), answer in zip(batch, answers, strict=True):
            request.answers[i] = answer
            if request.tell is not None:
                request.tell(i, answer)
        for request in {request: None for request, _ in batch}:
            if len(request.answers) == len(request.contents):
                request.finish()

    def _was_closed(self) -> BackendError:
        return BackendError(f"simulator {self.identity.label}: was closed")

    def _fail(self, batch: Batch, error: BaseException) -> None:
        """The error to the one request of this batch, with what was finished before."""
        request = batch[0][0]
        with self._changed:
            if request in self._requests:
                self._requests.remove(request)
        if isinstance(error, PartialAnswer):
            request.answers.update({i: p for (_, i), p in zip(batch, error.predictions, strict=True)})
        if isinstance(error, BackendError) and any(p.ok for p in request.answers.values()):
            failed = Prediction.failed(request.metric.name, self.identity, str(error))
            kept = [request.answers.get(i, failed) for i in range(len(request.contents))]
            error = PartialAnswer(str(error), kept)
        if request.future.set_running_or_notify_cancel():
            request.future.set_exception(error)


def _listen(
    heard: queue.SimpleQueue[tuple[int, Prediction] | None],
    future: Future[list[Prediction]],
    cancelled: Callable[[], bool],
) -> Iterator[tuple[int, Prediction]]:
    try:
        while not cancelled():
            try:
                news = heard.get(timeout=_LOOK_UP_SECONDS)
            except queue.Empty:
                continue
            if news is None:
                future.result()  # raises what ended it
                return
            yield news
    finally:
        future.cancel()
