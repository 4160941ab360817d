"""Who may watch, answer and stop a run: whoever holds its ticket, and nobody by its name."""

from __future__ import annotations

import time

import pytest

from lcbm_model.errors import InputError
from optimizer.brief import Brief
from optimizer.events import RunEvent
from tests.ui.floors_fake import fake_floors
from ui.desk import Desk
from ui.run_book import NOBODY, RunBook
from ui.runs import Run
from ui.services import Limits, Services

BRIEF = Brief(message="A pan", draft="A pan", approval=True)


def book(grace: float = 60.0, kept: int = 24) -> tuple[RunBook, list[tuple[str, bool]]]:
    """A book, and what it forgot: tickets, and whether a run of the same id stays."""
    gone: list[tuple[str, bool]] = []
    return RunBook(
        Limits(grace_seconds=grace, kept_runs=kept), lambda run, stays: gone.append((run.ticket, stays))
    ), gone


def waiting(run: Run) -> Run:
    """The run after a round."""
    run.drive(lambda: iter([RunEvent(run_id=run.id, kind="waiting", round=1, message="waits")]))
    assert run.phase == "waiting"
    return run


def test_the_name_of_a_run_opens_nothing() -> None:
    runs, _ = book()
    run = Run(id="in-the-list", owner="anna", brief=BRIEF)
    runs.admit(run)
    assert run.ticket != Run(id="in-the-list", owner="anna", brief=BRIEF).ticket
    for guess in (run.id, "", None):
        assert runs.get(guess) is None
        assert runs.arrive("ben", guess) is None
    assert run.owner == "anna"
    assert runs.arrive("anna reloaded", run.ticket) is run
    assert run.owner == "anna reloaded"


def test_notes_need_the_ticket_too() -> None:
    services = Services(fake_floors())
    run = services.start_run(BRIEF, library=None, owner="anna")
    assert run.wait(20)
    veto = {"action": "mark", "kind": "veto", "on": True, "id": run.candidates[-1].id}
    assert Desk(services).answer({**veto, "ticket": run.id})["gone"]
    assert not run.marks
    assert Desk(services).answer({**veto, "ticket": run.ticket})["vetoed"]
    services.close()


def test_a_stored_run_is_under_way_once() -> None:
    runs, _ = book()
    runs.admit(Run(id="a", owner="anna", brief=BRIEF))
    with pytest.raises(InputError, match="in another session"):
        runs.admit(Run(id="a", owner="ben", brief=BRIEF))
    with pytest.raises(InputError, match="in this tab"):
        runs.admit(Run(id="a", owner="anna", brief=BRIEF))
    with pytest.raises(InputError, match="one is already going"):
        runs.admit(Run(id="b", owner="anna", brief=BRIEF))


def test_a_run_that_waits_is_its_sessions_until_that_has_gone() -> None:
    runs, _ = book(grace=0.05)
    run = waiting(Run(id="a", owner="anna", brief=BRIEF))
    runs.admit(run)
    again = Run(id="a", owner="ben", brief=BRIEF)
    with pytest.raises(InputError, match="session that began it"):
        runs.admit(again)
    assert runs.waiting("a", "ben") is None
    assert runs.waiting("a", "anna") is run
    runs.leave("anna")
    for _ in range(100):
        if run.owner == NOBODY:
            break
        time.sleep(0.05)
    runs.admit(again)
    assert runs.get(again.ticket) is again
    assert runs.arrive("anna", run.ticket) is None  # taken up by a colleague meanwhile


def test_a_tab_that_comes_back_in_time_keeps_its_run() -> None:
    runs, _ = book()
    run = waiting(Run(id="a", owner="anna", brief=BRIEF))
    runs.admit(run)
    runs.leave("anna")
    assert runs.arrive("anna", run.ticket) is run
    assert runs.let_go("somebody") == 0
    assert run.owner == "anna"
    assert runs.close() == [run]


def test_a_tab_that_was_lost_twice_comes_back_once() -> None:
    """Each lost connection says so; the timer of the first must not outlive the return."""
    runs, _ = book(grace=0.2)
    run = waiting(Run(id="a", owner="anna", brief=BRIEF))
    runs.admit(run)
    runs.leave("anna")
    runs.leave("anna")
    assert runs.arrive("anna", run.ticket) is run
    time.sleep(0.5)
    assert run.owner == "anna"


def test_an_owner_answers_one_run_at_a_time() -> None:
    runs, _ = book()
    first = waiting(Run(id="a", owner="anna", brief=BRIEF))
    for run in (first, Run(id="b", owner="anna", brief=BRIEF)):
        runs.admit(run)
    with pytest.raises(InputError, match="one is already going"):
        runs.check_turn(first)


def test_the_files_of_a_stored_run_stay_while_it_is_known() -> None:
    runs, gone = book(kept=2)
    ended, again, other = (Run(id=name, owner=name, brief=BRIEF) for name in ("a", "a", "b"))
    ended.stop()
    for run in (ended, again, other):
        runs.admit(run)
    assert gone == [(ended.ticket, True)]
    for run in (again, other):
        run.stop()
    runs.admit(Run(id="c", owner="c", brief=BRIEF))
    assert gone[1:] == [(again.ticket, False)]
