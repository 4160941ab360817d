"""Models in the background, runs by id, cancel flags, uploads, the form and the door."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lcbm_model.content import Content
from lcbm_model.errors import BackendError, InputError, LcbmError
from optimizer.brief import Brief, Budget
from optimizer.defaults import TWINS
from tests.fakes import FakeSimulator
from tests.ui.floors_fake import fake_floors
from ui.floors import Floors, real_floors
from ui.runs import Marks, Run
from ui.services import Limits, Services, decision_of

BRIEF = Brief(message="A pan", draft="A pan", budget=Budget(rounds=2, candidates=3))


def floors(**changes: object) -> Floors:
    made = fake_floors()
    return Floors(**{**made.__dict__, **changes})  # type: ignore[arg-type]


@pytest.fixture
def services() -> Iterator[Services]:
    made = Services(fake_floors(pace=0.01), Limits(kept_runs=3))
    yield made
    made.close()


def test_models_load_in_the_background_and_say_so() -> None:
    go = threading.Event()

    def slow() -> FakeSimulator:
        go.wait(10)
        return FakeSimulator()

    services = Services(floors(load_simulator=slow))
    assert services.loading.phase == "waiting"
    services.start()
    assert services.loading.phase == "loading"
    go.set()
    assert services.models(10).simulator.identity.checkpoint == "fake"
    assert services.loading.phase == "ready"
    services.close()


def test_a_model_that_cannot_be_loaded_is_said_and_tried_again() -> None:
    tries: list[int] = []

    def broken_once() -> FakeSimulator:
        tries.append(1)
        if len(tries) == 1:
            raise BackendError("weights are gone")
        return FakeSimulator()

    services = Services(floors(load_simulator=broken_once))
    with pytest.raises(LcbmError, match="weights are gone"):
        services.models(10)
    assert services.loading.phase == "failed"
    assert services.models(10).simulator
    services.close()


def test_a_run_goes_to_its_end_and_can_be_saved(services: Services) -> None:
    run = services.start_run(BRIEF, library=None, owner="tab")
    seen = list(run.follow(0.2))
    assert seen[-1].done
    assert seen[-1].result is not None
    assert seen[-1].result.status == "finished"
    assert len(seen[-1].result.rounds) == 2
    files = services.downloads(run)
    assert {p.name for p in files.values()} == {"result.json", "candidates.csv", "report.html"}
    assert all(p.stat().st_size for p in files.values())


def test_stop_keeps_the_best() -> None:
    services = Services(fake_floors(pace=0.05))
    brief = BRIEF.model_copy(update={"budget": Budget(rounds=50, candidates=2)})
    run = services.start_run(brief, library=None, owner="tab")
    for now in run.follow(0.2):
        if now.event and now.event.rounds:
            run.stop()
            break
    last = list(run.follow(0.2))[-1]
    assert last.result is not None
    assert last.result.status == "stopped"
    assert last.result.best is not None
    assert len(last.result.rounds) < 5
    services.close()


def test_one_run_a_tab_and_a_closed_tab_stops_its_own_only() -> None:
    services = Services(fake_floors(pace=0.05), Limits(runs_at_once=2))
    long = BRIEF.model_copy(update={"budget": Budget(rounds=50, candidates=2)})
    first = services.start_run(long, library=None, owner="one")
    with pytest.raises(InputError, match="already going"):
        services.start_run(BRIEF, library=None, owner="one")
    second = services.start_run(BRIEF, library=None, owner="two")
    assert services.let_go("one") == 1
    assert first.wait(10)
    assert second.wait(10)
    assert first.result is not None
    assert first.result.status == "stopped"
    assert second.result is not None
    assert second.result.status == "finished"
    services.close()


def test_a_run_waits_for_a_free_slot_and_can_be_stopped_there() -> None:
    services = Services(fake_floors(pace=0.05), Limits(runs_at_once=1))
    long = BRIEF.model_copy(update={"budget": Budget(rounds=50, candidates=2)})
    first = services.start_run(long, library=None, owner="one")
    while first.snapshot().queued:
        time.sleep(0.01)
    second = services.start_run(BRIEF, library=None, owner="two")
    assert second.snapshot().queued
    second.stop()
    assert second.wait(10)
    assert "waited for its turn" in (second.snapshot().error or "")
    first.stop()
    assert first.wait(10)
    services.close()


def test_one_thread_drives_run_after_run() -> None:
    drivers = []
    loop = fake_floors().stream

    def stream(*args: Any, **parts: Any) -> Iterator[object]:
        drivers.append(threading.get_ident())
        yield from loop(*args, **parts)

    services = Services(floors(stream=stream))
    for number in range(3):
        run = services.start_run(BRIEF, library=None, owner=f"tab {number}")
        assert run.wait(10)
    assert len(drivers) == 3
    assert len(set(drivers)) == 1
    services.close()


def test_a_run_stopped_in_line_never_begins() -> None:
    begun = []
    run = Run(id="r", owner="tab", brief=BRIEF)
    run.stop()
    run.drive(lambda: iter(begun.append("now") or []))
    assert run.done
    assert not begun
    assert run.snapshot().error


def test_a_failing_loop_ends_the_run_with_words_and_frees_the_slot() -> None:
    def fail(*_: object, **__: object) -> Iterator[object]:
        raise BackendError("endpoint is down")
        yield

    services = Services(floors(stream=fail))
    for _ in range(2):
        run = services.start_run(BRIEF, library=None, owner="tab")
        assert run.wait(10)
        assert run.snapshot().error == "endpoint is down"
    services.close()


def test_old_runs_and_their_files_are_forgotten(services: Services) -> None:
    runs = []
    for _ in range(5):
        run = services.start_run(BRIEF, library=None, owner="tab")
        assert run.wait(10)
        services.downloads(run)
        runs.append(run)
    assert services.run(runs[0].ticket) is None
    assert not (services.scratch / runs[0].ticket).exists()
    assert services.run(runs[-1].ticket) is runs[-1]


def test_scores_grow_bit_by_bit_and_end_in_order() -> None:
    services = Services(fake_floors(each=0.005), Limits(told_every=0.02))
    contents = [Content(text="x" * i) for i in range(1, 41)]
    *before, last = list(services.score(contents, "shares"))
    counts = [sum(p is not None for p in so_far) for so_far in before]
    assert counts == sorted(counts)
    assert len(set(counts)) > 1
    assert last == FakeSimulator(spread=11.0).predict(contents, "shares")
    services.close()


def test_a_long_job_does_not_keep_others_waiting() -> None:
    services = Services(fake_floors(each=0.01))
    services.models(10)
    long = services.score([Content(text=f"{'x' * i} one") for i in range(400)], "shares")  # four seconds of work
    worker = threading.Thread(target=lambda: list(long))
    worker.start()
    time.sleep(0.2)
    began = time.monotonic()
    [answer] = services.predict([Content(text="a short question")], "click_rate")
    assert time.monotonic() - began < 1.0
    assert answer.ok
    assert worker.is_alive()
    worker.join(20)
    services.close()


def test_a_cancelled_job_ends_early() -> None:
    services = Services(fake_floors(each=0.01), Limits(told_every=0.0))
    gone = threading.Event()
    seen = 0
    for so_far in services.score([Content(text="x" * i) for i in range(1, 200)], "shares", cancelled=gone.is_set):
        seen = sum(p is not None for p in so_far)
        gone.set()
    assert 0 < seen < 199
    services.close()


def test_a_person_is_asked_after_each_round_and_heard() -> None:
    services = Services(fake_floors())
    brief = BRIEF.model_copy(update={"approval": True, "budget": Budget(rounds=3, candidates=3)})
    run = services.start_run(brief, library=None, owner="tab")
    assert run.wait(10)
    assert run.phase == "waiting"
    assert list(run.follow())[-1].waiting
    first, second, third = [c.id for c in run.candidates if c.round == 1]
    run.marks.edits[first] = "A pan in my own words, and rather a long line at that"
    run.marks.vetoed.add(second)
    run.marks.kept.add(third)
    noted = services.go_on(run, comment="shorter")
    assert noted.comments == {"": "shorter"}
    with pytest.raises(InputError, match="does not wait"):
        services.go_on(run)
    assert run.wait(10)
    assert not run.marks
    mine = next(c for c in run.candidates if c.writer == "human" and c.round == 2)
    assert mine.text.startswith("A pan in my own words")
    assert mine.parent == first
    services.go_on(run, "finish")
    assert run.wait(10)
    assert run.done
    assert run.result is not None
    assert run.result.status == "finished"
    assert len(run.result.rounds) == 2
    services.close()


def test_the_app_asks_one_twin_and_lets_the_other_judge() -> None:
    real = real_floors()
    judge = real.load_judge()
    assert judge is not None
    assert (real.load_simulator().identity.checkpoint, judge.identity.checkpoint) == TWINS


def test_the_real_loop_hears_a_person_between_rounds() -> None:
    real = real_floors()
    services = Services(floors(stream=real.stream, resume=real.resume, check=real.check))
    brief = Brief(
        message="A pan for onions",
        draft="A pan",
        approval=True,
        least_meaning=0,
        budget=Budget(rounds=3, candidates=3, patience=9),
    )
    run = services.start_run(brief, library=None, owner="tab")
    assert run.wait(60)
    assert run.phase == "waiting", run.snapshot().error
    drafted = [c.id for c in run.candidates if c.round == 1]
    run.marks.edits[drafted[0]] = "A pan for onions in my own words"
    run.marks.vetoed.add(drafted[1])
    run.marks.comments[drafted[2]] = "warmer"
    services.go_on(run)
    assert run.wait(60)
    assert any(c.writer == "human" and c.text.endswith("my own words") for c in run.candidates), run.snapshot().error
    services.go_on(run, "finish")
    assert run.wait(60)
    assert run.done
    assert run.result is not None
    assert run.result.status == "finished"
    assert run.result.decisions[0].comments[drafted[2]] == "warmer"
    assert next(c for c in run.result.candidates if c.id == drafted[1]).vetoed
    services.close()


def test_closing_ends_the_queue() -> None:
    services = Services(fake_floors())
    models = services.models(10)
    services.predict([Content(text="a pan")], "click_rate")
    services.close()
    with pytest.raises(BackendError, match="closed"):
        models.simulator.predict([Content(text="a pan")], "click_rate")


def test_a_closing_app_begins_nothing() -> None:
    services = Services(fake_floors())
    services.models(10)
    services.close()
    with pytest.raises(InputError, match="closing"):
        services.start_run(BRIEF, library=None, owner="late")


def test_notes_become_a_decision_the_loop_understands() -> None:
    from optimizer.decision import Decision

    noted = Marks(edits={"r1-00": "mine"}, kept={"r1-01"}, vetoed={"r1-02"}, comments={"r1-01": "warmer", "": "short"})
    made = Decision.of(dict(decision_of(noted, "continue")))
    assert made.edits == {"r1-00": "mine"}
    assert made.vetoed == ("r1-02",)
    assert made.comments["r1-01"] == "Approved: go on in this direction. warmer"
    assert made.comments[""] == "short"


def test_a_tab_that_comes_back_finds_its_run_and_one_that_does_not_frees_it() -> None:
    services = Services(fake_floors(pace=0.05), Limits(grace_seconds=0.3, runs_at_once=2))
    long = BRIEF.model_copy(update={"budget": Budget(rounds=50, candidates=2)})
    kept = services.start_run(long, library=None, owner="one")
    services.leave("one")
    assert services.arrive("one again", kept.ticket) is kept
    lost = services.start_run(long, library=None, owner="two")
    services.leave("two")
    assert lost.wait(10)
    assert lost.result is not None
    assert lost.result.status == "stopped"
    assert kept.busy
    assert services.arrive("three", "never heard of") is None
    kept.stop()
    assert kept.wait(10)
    services.close()


def test_the_same_file_is_built_once(tmp_path: Path) -> None:
    built: list[str] = []
    real = fake_floors().load_library

    def counted(path: Path, metric: str) -> object:
        built.append(metric)
        return real(path, metric)

    services = Services(floors(load_library=counted))
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("text,clicks,impressions\na pan,3,100\na pot,many,100\n")
    one, two = (services.library(tmp_path / n, "click_rate") for n in ("a.csv", "b.csv"))
    assert one is two
    assert built == ["click_rate"]
    assert [r.row for r in one.rejected] == [2]
    services.close()


def test_close_removes_every_file() -> None:
    services = Services(fake_floors())
    assert services.scratch.exists()
    services.close()
    assert not services.scratch.exists()
