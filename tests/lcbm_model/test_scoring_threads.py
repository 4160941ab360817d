"""One model for many threads: fair turns, and the answers that one thread alone would get."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lcbm_model.backbone.loader import load_backbone
from lcbm_model.backbone.model import Backbone
from lcbm_model.backbone.turns import Turns
from lcbm_model.content import Content
from lcbm_model.prediction import Prediction
from lcbm_model.simulator.items import Item, Reading, Unread
from lcbm_model.simulator.local import LocalSimulator
from lcbm_model.simulator.scoring import Scorer
from tests.lcbm_model.counted_turns import counted_turns
from tests.lcbm_model.scored_items import adapted, item, read
from tests.lcbm_model.tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return load_backbone(write_tiny_model(tmp_path_factory.mktemp("threads") / "model", layers=5), device="cpu")


def test_a_thread_that_waits_gets_its_turn_between_two_passes() -> None:
    lock, order, waiting, stop = Turns(), [], threading.Event(), threading.Event()

    def greedy() -> None:
        while not stop.is_set():
            with lock, lock:
                order.append("greedy")
                waiting.wait(5)

    def patient() -> None:
        with lock:
            order.append("patient")
            stop.set()

    first = threading.Thread(target=greedy)
    first.start()
    second = threading.Thread(target=patient)
    second.start()
    while len(lock._waiting) < 1:
        pass
    waiting.set()
    for thread in (first, second):
        thread.join(10)
        assert not thread.is_alive()
    assert "patient" in order[:3]


def in_threads(n: int, work: Callable[[int], None]) -> None:
    """Runs `work(0)` .. `work(n - 1)` side by side; the first failure is raised."""
    failures: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    if failures:
        raise failures[0]


def test_many_threads_get_what_one_gets(tmp_path: Path, tiny: Backbone) -> None:
    backbone = adapted(tmp_path / "shared", tiny, bins=0.3, cuts=False)
    scorer, head = Scorer(backbone, pass_tokens=90), backbone.value_head("click_rate")
    work = [[item(f"From: page {n % 3}, ", f"Post: loaf {n} {i}") for i in range(25)] for n in range(6)]
    expected = [read(backbone, items) for items in work]
    found: list[dict[Item, Reading | Unread]] = [{} for _ in work]

    def score(number: int) -> None:
        for part in scorer.read(work[number], head):
            found[number].update(part)

    in_threads(len(work), score)
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for asked, reading in one.items():
            calm = other[asked]
            assert isinstance(reading, Reading)
            assert isinstance(calm, Reading)
            assert reading.utility == pytest.approx(calm.utility, abs=1e-4)
            assert reading.logits == pytest.approx(calm.logits, abs=1e-4)


def test_a_short_call_is_not_kept_waiting_by_a_long_one(tiny: Backbone) -> None:
    simulator = LocalSimulator(tiny, pass_tokens=100)
    long = [Content(text=f"{i} loaves in the window") for i in range(300)]
    finished: dict[str, int] = {}
    started, progress = threading.Event(), [0]

    def work(number: int) -> None:
        if number == 0:
            for _ in simulator.predict_stream(long, "click_rate"):
                progress[0] += 1
                started.set()
        else:
            started.wait(20)
            answers = simulator.predict([Content(text="one bun")], "click_rate")
            finished["at"] = progress[0]
            assert answers[0].ok

    in_threads(2, work)
    assert progress[0] == len(long)
    assert finished["at"] < len(long)


def test_a_single_content_waits_for_the_model_once(tiny: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = counted_turns(tiny, monkeypatch)
    assert LocalSimulator(tiny).predict([Content(text="one bun")], "click_rate")[0].ok
    assert taken.count(1) == 1


def test_a_call_can_be_given_up_between_passes(tiny: Backbone) -> None:
    simulator = LocalSimulator(tiny, pass_tokens=200)
    contents = [Content(text=f"{i} loaves in the window") for i in range(60)]
    given_up = threading.Event()
    got: dict[int, Prediction] = {}
    for index, prediction in simulator.predict_stream(contents, "click_rate", cancelled=given_up.is_set):
        got[index] = prediction
        given_up.set()
    assert 0 < len(got) < len(contents)
    expected = simulator.predict(contents, "click_rate")
    for index, prediction in got.items():
        assert prediction.bins == pytest.approx(expected[index].bins, abs=1e-4)
    assert len(list(simulator.predict_stream(contents, "click_rate"))) == len(contents)
