"""One simulator, many callers: joined, fair, cancellable, each with its own errors."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future

import pytest

from lcbm_model.content import Content
from lcbm_model.errors import BackendError, MetricError, SettingsError
from lcbm_model.metrics import Metric
from lcbm_model.prediction import Prediction
from lcbm_model.simulator import StreamingSimulator
from lcbm_model.simulator.base import Context, Known, Simulator
from lcbm_model.simulator.partial import PartialAnswer
from lcbm_model.simulator.shared import SharedSimulator
from tests.conformance.simulator import SimulatorConformance
from tests.event_loops import run_apart
from tests.fakes import FakeSimulator

WAIT = 20.0
"""Seconds until a test that hangs is given up."""


class Gated(FakeSimulator):
    """Scores a batch only when told to; remembers who was in it. A text holding `explode` brings the batch down."""

    def __init__(self, *, open_gate: bool = False) -> None:
        super().__init__()
        self.batches: list[list[str]] = []
        self.begun = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)
        self.open_gate = open_gate
        self.threads: set[int] = set()

    def predict(
        self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None
    ) -> list[Prediction]:
        self.threads.add(threading.get_ident())
        self.batches.append([c.text for c in contents])
        self.begun.release()
        if not self.open_gate:
            assert self.gate.acquire(timeout=WAIT)
        if any("explode" in c.text for c in contents):
            raise BackendError("exploded")
        return super().predict(contents, metric, context)

    def wait_for_batch(self) -> None:
        assert self.begun.acquire(timeout=WAIT)

    def let_through(self, n: int = 1) -> None:
        self.gate.release(n)


def contents(name: str, n: int) -> list[Content]:
    return [Content(text=f"{name}{i}") for i in range(n)]


@pytest.fixture
def gated() -> Gated:
    return Gated()


@pytest.fixture
def shared(gated: Gated) -> Iterator[SharedSimulator]:
    with SharedSimulator(gated, at_once=4) as simulator:
        yield simulator
        gated.let_through(1000)


def busy(shared: SharedSimulator, gated: Gated) -> Future[list[Prediction]]:
    """A first request that is being scored, so that all that follow wait together."""
    first = shared.submit(contents("first", 1), "likes")
    gated.wait_for_batch()
    return first


class TestShared(SimulatorConformance):
    @pytest.fixture
    def simulator(self) -> Iterator[Simulator]:
        with SharedSimulator(FakeSimulator(), at_once=2) as simulator:
            yield simulator

    @pytest.fixture
    def unscorable(self) -> Content:
        return Content(text="broken")


def test_requests_that_wait_together_are_joined_in_equal_shares(gated: Gated, shared: SharedSimulator) -> None:
    busy(shared, gated)
    a, b = shared.submit(contents("a", 5), "shares"), shared.submit(contents("b", 2), "shares")
    gated.let_through(3)
    assert [len(f.result(WAIT)) for f in (a, b)] == [5, 2]
    assert gated.batches[1:] == [["a0", "b0", "a1", "b1"], ["a2", "a3", "a4"]]
    assert a.result() == FakeSimulator().predict(contents("a", 5), "shares")
    assert b.result() == FakeSimulator().predict(contents("b", 2), "shares")


def test_a_full_batch_serves_next_whom_it_left_out(gated: Gated, shared: SharedSimulator) -> None:
    busy(shared, gated)
    futures = [shared.submit(contents(name, 2), "shares") for name in "abcdef"]
    gated.let_through(4)
    assert all(len(f.result(WAIT)) == 2 for f in futures)
    assert gated.batches[1:] == [["a0", "b0", "c0", "d0"], ["e0", "f0", "a1", "b1"], ["c1", "d1", "e1", "f1"]]


def test_other_metrics_and_contexts_take_turns(gated: Gated, shared: SharedSimulator) -> None:
    busy(shared, gated)
    known = Context(examples=(Known(text="x", percentile=9),))
    asked = [("a", "shares", None), ("b", "likes", None), ("c", "shares", known), ("d", "shares", Context())]
    futures = [shared.submit(contents(name, 5), metric, context) for name, metric, context in asked]
    gated.let_through(10)
    answers = [f.result(WAIT) for f in futures]
    assert [p[0].metric for p in answers] == ["shares", "likes", "shares", "shares"]
    first_letters = [{text[0] for text in batch} for batch in gated.batches[1:]]
    assert first_letters[:3] == [{"a", "d"}, {"b"}, {"c"}]  # no request waits for another to end
    assert {frozenset(s) for s in first_letters} == {frozenset("ad"), frozenset("b"), frozenset("c")}


@pytest.fixture
def hasty(gated: Gated) -> Iterator[SharedSimulator]:
    """Like `shared`, and requests of one or two contents go first."""
    with SharedSimulator(gated, at_once=4, quick=2) as simulator:
        yield simulator
        gated.let_through(1000)


def test_a_quick_request_goes_before_a_long_one_and_alone(gated: Gated, hasty: SharedSimulator) -> None:
    long = hasty.submit(contents("long", 9), "shares")
    gated.wait_for_batch()
    quick = hasty.submit(contents("quick", 2), "shares")
    gated.let_through(2)
    assert len(quick.result(WAIT)) == 2
    gated.let_through(2)
    assert len(long.result(WAIT)) == 9
    assert [len(batch) for batch in gated.batches] == [4, 2, 4, 1]
    assert gated.batches[1] == ["quick0", "quick1"]


def test_quick_requests_never_keep_a_long_one_waiting_for_two_batches(gated: Gated, hasty: SharedSimulator) -> None:
    busy(hasty, gated)
    long = hasty.submit(contents("long", 8), "shares")
    quick = [hasty.submit(contents(name, 2), metric) for name in "abc" for metric in ("likes", "shares", "comments")]
    gated.let_through(100)
    assert all(len(f.result(WAIT)) == 2 for f in quick)
    assert len(long.result(WAIT)) == 8
    order = "".join("l" if batch[0].startswith("long") else "q" for batch in gated.batches[1:])
    assert order == "lqlqqqqq"  # the first of all was a quick one too


def test_a_cancelled_request_drops_out_between_batches(gated: Gated, shared: SharedSimulator) -> None:
    first = busy(shared, gated)
    a, b = shared.submit(contents("a", 50), "shares"), shared.submit(contents("b", 3), "shares")
    gated.let_through()
    gated.wait_for_batch()  # a and b are in it
    assert a.cancel()
    gated.let_through(2)
    assert len(b.result(WAIT)) == 3
    assert first.done()
    assert sum(text.startswith("a") for batch in gated.batches for text in batch) == 2
    with pytest.raises(CancelledError):
        a.result(WAIT)


def test_one_callers_failure_is_not_anothers(gated: Gated, shared: SharedSimulator) -> None:
    busy(shared, gated)
    good = shared.submit(contents("good", 2), "shares")
    bad = shared.submit([Content(text="explode")], "shares")
    item = shared.submit([Content(text="broken"), Content(text="fine")], "shares")
    gated.let_through(100)
    assert all(p.ok for p in good.result(WAIT))
    assert [p.error for p in item.result(WAIT)] == ["cannot be scored", None]
    with pytest.raises(BackendError, match="exploded"):
        bad.result(WAIT)


def test_what_was_finished_before_a_failure_comes_with_it(gated: Gated, shared: SharedSimulator) -> None:
    texts = [*contents("a", 4), Content(text="explode"), *contents("b", 5)]
    future = shared.submit(texts, "shares")
    gated.let_through(2)
    with pytest.raises(PartialAnswer, match="exploded") as caught:
        future.result(WAIT)
    assert [p.ok for p in caught.value.predictions] == [True] * 4 + [False] * 6
    assert len(gated.batches) == 2  # the rest was not asked any more


def test_unexpected_errors_and_short_answers_reach_the_caller() -> None:
    class Odd(FakeSimulator):
        def predict(self, contents: Sequence[Content], *_: object) -> list[Prediction]:  # type: ignore[override]
            if contents[0].text == "short":
                return []
            raise ZeroDivisionError("odd")

    with SharedSimulator(Odd()) as shared:
        with pytest.raises(ZeroDivisionError):
            shared.predict(contents("a", 1), "shares")
        with pytest.raises(BackendError, match="0 answers for 1"):
            shared.predict([Content(text="short")], "shares")


def test_many_threads_get_their_own_answers_from_one_thread() -> None:
    inner = Gated(open_gate=True)
    wrong: list[str] = []

    with SharedSimulator(inner, at_once=8) as shared:

        def call(name: str, metric: str) -> None:
            for n in range(1, 12):
                mine = contents(name * n, n)
                if shared.predict(mine, metric) != FakeSimulator().predict(mine, metric):
                    wrong.append(name)

        threads = [threading.Thread(target=call, args=(n, m)) for n in "abcdef" for m in ("shares", "likes")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT)
            assert not thread.is_alive()
    assert not wrong
    assert len(inner.threads) == 1
    assert max(map(len, inner.batches)) <= 8
    assert sum(map(len, inner.batches)) == 12 * sum(range(1, 12))


def test_async_callers_share_and_cancel(gated: Gated, shared: SharedSimulator) -> None:
    async def together() -> tuple[list[Prediction], bool]:
        one = asyncio.create_task(shared.apredict(contents("one", 2), "shares"))
        two = asyncio.create_task(shared.apredict(contents("two", 50), "shares"))
        await asyncio.sleep(0.05)
        two.cancel()
        await asyncio.sleep(0)
        gated.let_through(3)
        answers = await asyncio.wait_for(one, WAIT)
        try:
            await two
        except asyncio.CancelledError:
            return answers, True
        return answers, False

    busy(shared, gated)
    answers, cancelled = run_apart(together())
    assert answers == FakeSimulator().predict(contents("one", 2), "shares")
    assert cancelled
    assert gated.batches[1:] == [["one0", "one1"]]


def test_a_stream_hears_of_each_batch_as_it_ends(gated: Gated, shared: SharedSimulator) -> None:
    assert isinstance(shared, StreamingSimulator)
    stop = threading.Event()
    stream = shared.predict_stream(contents("a", 20), "shares", cancelled=stop.is_set)
    gated.let_through()
    assert [next(stream)[0] for _ in range(4)] == [0, 1, 2, 3]
    gated.wait_for_batch()
    stop.set()
    assert list(stream) == []
    gated.let_through(100)
    assert len(shared.predict(contents("b", 1), "shares")) == 1
    assert sum(text.startswith("a") for batch in gated.batches for text in batch) == 8


def test_a_whole_stream_and_one_that_fails(gated: Gated, shared: SharedSimulator) -> None:
    gated.let_through(100)
    found = dict(shared.predict_stream(contents("a", 10), "shares"))
    assert [found[i] for i in range(10)] == FakeSimulator().predict(contents("a", 10), "shares")
    stream = shared.predict_stream([*contents("a", 4), Content(text="explode")], "shares")
    assert len([next(stream) for _ in range(4)]) == 4
    with pytest.raises(BackendError, match="exploded"):
        next(stream)
    with pytest.raises(MetricError):
        shared.predict_stream([], "clik_rate")


def test_closing_ends_the_running_batch_and_tells_who_waits(gated: Gated) -> None:
    shared = SharedSimulator(gated, at_once=4)
    first = busy(shared, gated)
    waiting = shared.submit(contents("late", 2), "shares")
    closer = threading.Thread(target=shared.close)
    closer.start()
    gated.let_through()
    closer.join(WAIT)
    assert first.result(WAIT)[0].ok
    with pytest.raises(BackendError, match="was closed"):
        waiting.result(WAIT)
    with pytest.raises(BackendError, match="was closed"):
        shared.predict(contents("a", 1), "shares")
    shared.close()


def test_nothing_asked_starts_no_thread() -> None:
    before = threading.active_count()
    with SharedSimulator(FakeSimulator()) as shared:
        assert shared.predict([], "shares") == []
        assert threading.active_count() == before
    for setting in ({"at_once": 0}, {"quick": -1}):
        with pytest.raises(SettingsError, match=next(iter(setting))):
            SharedSimulator(FakeSimulator(), **setting)
