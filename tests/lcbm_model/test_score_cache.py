"""Scores kept between runs: the same answers, asked once, never for anything else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcbm_model.behavior import PercentileScale
from lcbm_model.content import Communicator, Content, Scene
from lcbm_model.errors import BackendError
from lcbm_model.metrics import Metric, get_metric
from lcbm_model.prediction import Prediction
from lcbm_model.simulator import EnsembleSimulator, StreamingSimulator
from lcbm_model.simulator.base import Context, Known, Simulator
from lcbm_model.simulator.partial import PartialAnswer
from lcbm_model.simulator.score_cache import CachedSimulator, with_score_cache
from lcbm_model.simulator.score_cache.rows import FLOATS, pack, unpack
from lcbm_model.simulator.shared import SharedSimulator
from lcbm_model.simulator.stream import never
from tests.conformance.simulator import SimulatorConformance
from tests.fakes import FakeSimulator
from tests.lcbm_model.recording import IDENTITY, ONE, Recording


class Streaming(FakeSimulator):
    """Hands out one prediction at a time, the last first; fails where `fail_at` have been given."""

    def __init__(self, fail_at: int | None = None) -> None:
        super().__init__()
        self.fail_at = fail_at

    def predict_stream(
        self,
        contents: Sequence[Content],
        metric: str | Metric,
        context: Context | None = None,
        *,
        cancelled: Callable[[], bool] = never,
    ) -> Iterator[tuple[int, Prediction]]:
        name = get_metric(metric).name
        for given_out, i in enumerate(reversed(range(len(contents)))):
            if given_out == self.fail_at:
                raise BackendError("gone")
            if cancelled():
                return
            yield i, self._one(contents[i], name)


class TestCached(SimulatorConformance):
    @pytest.fixture
    def simulator(self, cached: Callable[..., CachedSimulator]) -> Simulator:
        return cached(FakeSimulator())

    @pytest.fixture
    def unscorable(self) -> Content:
        return Content(text="broken")


class TestCachedStream(SimulatorConformance):
    @pytest.fixture
    def simulator(self, cached: Callable[..., CachedSimulator]) -> Simulator:
        return cached(Streaming())

    @pytest.fixture
    def unscorable(self) -> Content:
        return Content(text="broken")


numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(numbers, max_size=12), st.fixed_dictionaries({n: st.none() | numbers for n in FLOATS if n != "level"}))
def test_a_row_gives_back_every_bit_of_a_prediction(bins: list[float], fields: dict[str, float | None]) -> None:
    fields = {"level": 0.5, **fields}
    before = Prediction.model_construct(metric="shares", simulator=IDENTITY, bins=tuple(bins), error=None, **fields)
    row = pack(before)
    assert row is not None
    after = unpack(row, "shares", IDENTITY)
    assert after.simulator == IDENTITY
    for name in Prediction.model_fields:
        for one, other in zip(_many(getattr(before, name)), _many(getattr(after, name)), strict=True):
            same_nan = isinstance(one, float) and math.isnan(one) and math.isnan(other)
            assert same_nan or (one == other and str(one) == str(other)), name  # by str: -0.0 is not 0.0


def _many(value: object) -> Sequence[object]:
    return value if isinstance(value, tuple) else (value,)


def test_a_row_names_every_field_there_is() -> None:
    assert {*FLOATS, "metric", "simulator", "bins", "error"} == set(Prediction.model_fields)


@pytest.mark.parametrize("row", [b"", b"\0", b"\xff" * 40, b"\0\0\xff\xff", b"\x01\x00\x00\x00"])
def test_a_row_that_nobody_packed_is_refused(row: bytes) -> None:
    with pytest.raises(ValueError):
        unpack(row, "shares", IDENTITY)


def test_only_what_is_new_is_asked_once_and_in_order(cached: Callable[..., CachedSimulator]) -> None:
    contents = [Content(text=text) for text in ("a", "bb", "a", "ccc", "bb")]
    first = cached()
    answers = first.predict(contents[:3], "shares")
    second = cached()
    assert second.predict(contents, "shares") == FakeSimulator().predict(contents, "shares")
    assert second.predict(contents, "shares")[:3] == answers
    assert first.inner.texts == [["a", "bb"]]
    assert second.inner.texts == [["ccc"]]


def test_what_is_remembered_is_counted_bounded_and_forgotten(
    cached: Callable[..., CachedSimulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lcbm_model.simulator.score_cache.cached._RECENT_MOST", 3)
    inner = Recording()
    simulator = cached(inner)
    many = [ONE.model_copy(update={"text": f"Loaf number {i}"}) for i in range(8)]
    first = simulator.predict(many, "click_rate")
    for _ in range(3):  # from the file, then some from memory
        assert simulator.predict(many, "click_rate") == first
    simulator.predict([ONE], "click_rate")
    hits = sum(c.hits for c in simulator.store.statistics().checkpoints)
    assert hits == 24
    simulator.store.clear()
    assert simulator.predict(many, "click_rate") == first
    assert [len(texts) for texts in inner.texts] == [8, 1, 8]


def test_failures_are_asked_again(cached: Callable[..., CachedSimulator]) -> None:
    simulator = cached()
    for _ in range(2):
        good, bad = simulator.predict([Content(text="fine"), Content(text="broken")], "shares")
        assert good.ok
        assert bad.error == "cannot be scored"
    assert simulator.inner.texts == [["fine", "broken"], ["broken"]]


EVERY_FIELD = {
    "text": "other",
    "channel": "post",
    "title": "t",
    "topic": "t",
    "format": "video",
    "communicator": Communicator(name="n", followers=3),
    "audience": "a",
    "date": "2024-01-02",
    "scenes": (Scene(caption="c"),),
}


def test_the_list_of_fields_below_is_whole() -> None:
    assert {*EVERY_FIELD, "media"} == set(Content.model_fields)


@pytest.mark.parametrize("field", EVERY_FIELD)
def test_another_content_is_another_score(cached: Callable[..., CachedSimulator], field: str) -> None:
    other = Content.model_validate({**ONE.model_dump(), field: EVERY_FIELD[field]})
    simulator = cached()
    simulator.predict([ONE], "shares")
    simulator.predict([other], "shares")
    assert len(simulator.inner.texts) == 2


def test_another_metric_context_or_simulator_is_another_score(cached: Callable[..., CachedSimulator]) -> None:
    cached().predict([ONE], "shares")
    own = get_metric("shares").model_copy(update={"verb": "pass it on"})
    known = (Known(text="x", percentile=9),)
    scale = PercentileScale.fit([1, 2])
    asked = [("likes", None), (own, None), ("shares", Context(examples=known)), ("shares", Context(scale=scale))]
    for metric, context in asked:
        simulator = cached()
        simulator.predict([ONE], metric, context)
        assert len(simulator.inner.texts) == 1, metric
    same = cached()
    same.predict([ONE], "shares", Context())  # the same as none
    assert same.inner.texts == []
    for change in ({"checkpoint_hash": "1"}, {"calibration_id": "c"}, {"precision": "bfloat16"}, {"readout": "x"}):
        inner = Recording()
        inner.identity = inner.identity.model_copy(update=change)
        cached(inner).predict([ONE], "shares")
        assert len(inner.texts) == 1, change


def test_other_code_is_another_score(cached: Callable[..., CachedSimulator], monkeypatch: pytest.MonkeyPatch) -> None:
    from lcbm_model.simulator.score_cache import keys

    cached().predict([ONE], "shares")
    before = keys.code_fingerprint()
    monkeypatch.setattr(keys, "_version", lambda name: "another")
    keys.code_fingerprint.cache_clear()
    try:
        assert keys.code_fingerprint() != before
        simulator = cached()
        simulator.predict([ONE], "shares")
        assert len(simulator.inner.texts) == 1
    finally:
        keys.code_fingerprint.cache_clear()


def test_an_answer_under_another_name_is_not_kept(cached: Callable[..., CachedSimulator]) -> None:
    class Renamed(Recording):
        def predict(self, *call: object) -> list[Prediction]:  # type: ignore[override]
            other = self.identity.model_copy(update={"checkpoint": "other"})
            return [p.model_copy(update={"simulator": other}) for p in super().predict(*call)]  # type: ignore[arg-type]

    simulator = cached(Renamed())
    for _ in range(2):
        assert simulator.predict([ONE], "shares")[0].simulator.checkpoint == "other"
    assert len(simulator.inner.texts) == 2


def test_what_was_finished_before_a_failure_is_kept(cached: Callable[..., CachedSimulator]) -> None:
    contents = [Content(text="x" * n) for n in range(1, 6)]
    with pytest.raises(BackendError, match="gone"):
        cached(Streaming(fail_at=3)).predict(contents, "shares")
    after = cached()
    after.predict(contents, "shares")
    assert after.inner.texts == [["x", "xx"]]


def test_the_finished_part_of_a_server_that_died_is_kept(cached: Callable[..., CachedSimulator]) -> None:
    contents = [Content(text="x" * n) for n in range(1, 6)]

    class Dying(FakeSimulator):
        def predict(
            self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None
        ) -> list[Prediction]:
            done = super().predict(contents, metric, context)
            failed = Prediction.failed("shares", self.identity, "not reached")
            raise PartialAnswer("gone", [done[0], *[failed] * (len(done) - 1)])

    cached().predict(contents[3:], "shares")
    with pytest.raises(PartialAnswer) as caught:
        cached(Dying()).predict(contents, "shares")
    assert [p.ok for p in caught.value.predictions] == [True, False, False, True, True]
    after = cached()
    after.predict(contents, "shares")
    assert after.inner.texts == [["xx", "xxx"]]


def test_a_stream_gives_the_known_first_and_every_index_once(cached: Callable[..., CachedSimulator]) -> None:
    contents = [Content(text=text) for text in ("a", "bb", "a", "ccc", "bb")]
    cached().predict(contents[3:4], "shares")
    for inner in (Streaming(), FakeSimulator()):
        simulator = cached(inner)
        assert isinstance(simulator, StreamingSimulator)
        found = list(simulator.predict_stream(contents, "shares"))
        assert sorted(i for i, _ in found) == [0, 1, 2, 3, 4]
        answers = FakeSimulator().predict(contents, "shares")
        assert all(answers[i] == prediction for i, prediction in found)
        assert found[0][0] == 3 or inner.calls == 0


def test_a_cancelled_or_abandoned_stream_keeps_what_it_gave(cached: Callable[..., CachedSimulator]) -> None:
    contents = [Content(text="x" * n) for n in range(1, 7)]
    given_out: list[int] = []
    stream = cached(Streaming()).predict_stream(contents, "shares", cancelled=lambda: len(given_out) >= 2)
    given_out.extend(i for i, _ in _counted(stream, given_out))
    abandoned = cached(Streaming()).predict_stream(contents, "shares")
    for _ in range(3):
        next(abandoned)
    abandoned.close()  # type: ignore[attr-defined]
    after = cached()
    after.predict(contents, "shares")
    assert after.inner.texts == [["x", "xx", "xxx"]]


def _counted(stream: Iterator[tuple[int, Prediction]], seen: list[int]) -> Iterator[tuple[int, Prediction]]:
    for i, prediction in stream:
        seen.append(i)
        yield i, prediction


def test_comparisons_are_the_inner_simulators(cached: Callable[..., CachedSimulator]) -> None:
    contents = [Content(text="x" * n) for n in (10, 40, 60)]
    simulator = cached()
    fresh, again = simulator.compare(contents, "shares"), simulator.compare(contents, "shares")
    assert fresh == again == FakeSimulator().compare(contents, "shares")
    assert len(simulator.inner.texts) == 1


def test_the_users_cache_is_off_in_tests_and_never_holds_hosted_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, hosted = FakeSimulator(), FakeSimulator()
    assert with_score_cache(fake) is fake
    monkeypatch.setenv("LCBM_SCORE_CACHE", str(tmp_path))
    hosted.identity = hosted.identity.model_copy(update={"backend": "openai_compatible"})
    both = EnsembleSimulator([fake, hosted])
    assert with_score_cache(hosted) is hosted
    assert with_score_cache(both) is both
    with SharedSimulator(both) as queued:
        assert with_score_cache(queued) is queued
    kept = with_score_cache(fake)
    assert isinstance(kept, CachedSimulator)
    assert kept.store.path == tmp_path / "scores.sqlite"
    assert with_score_cache(kept) is kept
    assert not list(tmp_path.iterdir())  # nothing is written before something is scored
