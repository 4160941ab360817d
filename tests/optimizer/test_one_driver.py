"""One driver for each run: a second is told so, and nobody who is gone keeps a run."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from lcbm_model.errors import SettingsError, TableError
from optimizer import Decision, resume, stream, stream_resume
from optimizer.campaigns import list_campaigns
from tests.fakes import FakeSimulator
from tests.optimizer.killing import exit_code
from tests.optimizer.parts import Baker, bakery, run


def _parts(store: Path) -> dict[str, Any]:
    return {"simulator": FakeSimulator(), "writers": [Baker()], "store": store}


def _refused(store: str, run_id: str) -> None:
    """A second process; leaves with 2 where it was told that somebody else is driving."""
    try:
        resume(run_id, **_parts(Path(store)))
    except SettingsError as error:
        sys.exit(2 if "somebody else is driving this run" in str(error) else 1)


def _dies_driving(store: str, run_id: str) -> None:
    for event in stream_resume(run_id, **_parts(Path(store))):
        if event.kind == "drafted":
            os.kill(os.getpid(), signal.SIGKILL)


def test_a_second_driver_is_told_and_changes_nothing(tmp_path: Path) -> None:
    run(tmp_path, bakery(approval=True, budget={"rounds": 3}), run_id="a")
    said = Decision(comments={"": "less haste"})
    events = stream_resume("a", decision=said, **_parts(tmp_path))
    next(events)
    with pytest.raises(SettingsError, match=r"somebody else is driving this run \(got 'a'\)\. Wait"):
        resume("a", decision="finish", **_parts(tmp_path))
    assert exit_code(_refused, str(tmp_path), "a") == 2
    result = next(event.result for event in events if event.result)
    assert (result.status, len(result.rounds)) == ("waiting_for_approval", 2)
    assert [d.same_as(said) for d in result.decisions] == [True]


def test_whoever_has_the_last_event_may_go_on(tmp_path: Path) -> None:
    events = stream(bakery(approval=True), run_id="a", **_parts(tmp_path))
    assert next(event.result for event in events if event.result).status == "waiting_for_approval"
    assert resume("a", decision="finish", **_parts(tmp_path)).status == "finished"
    assert [c.run_id for c in list_campaigns(tmp_path)[0]] == ["a"]


@pytest.mark.parametrize("steps", [1, 4])
def test_a_drive_that_was_left_alone_lets_go_of_the_run(tmp_path: Path, steps: int) -> None:
    events = stream(bakery(), run_id="a", **_parts(tmp_path))
    for _ in range(steps):
        next(events)
    del events
    gc.collect()
    assert resume("a", **_parts(tmp_path)).status == "finished"


def test_a_killed_driver_lets_go_of_the_run(tmp_path: Path) -> None:
    run(tmp_path, run_id="a", should_stop=lambda: True)
    assert exit_code(_dies_driving, str(tmp_path), "a") == -signal.SIGKILL
    assert resume("a", **_parts(tmp_path)).status == "finished"


def test_a_run_that_cannot_be_written_to_says_so(tmp_path: Path) -> None:
    run(tmp_path, bakery(approval=True), run_id="a")
    lock = tmp_path / "a" / ".lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()  # nobody, not even root, can open that for writing
    with pytest.raises(SettingsError, match="store: the run's folder cannot be written to"):
        resume("a", **_parts(tmp_path))
    lock.rmdir()
    database = tmp_path / "a" / "checkpoints.sqlite"
    database.write_bytes(b"no database at all, but long enough to look at" * 40)
    with pytest.raises(SettingsError, match="store: cannot be opened"):
        resume("a", **_parts(tmp_path))


def test_two_runs_begun_under_one_id_do_not_mix(tmp_path: Path) -> None:
    """The second begins while the first still loads its parts: it is told, and the first keeps its folder."""
    refused: list[SettingsError] = []

    class Slow(FakeSimulator):
        """While it is asked who it is, somebody else begins."""

        def __getattribute__(self, name: str) -> Any:
            if name == "identity" and begun and not refused:
                with pytest.raises(SettingsError, match="somebody else is driving this run") as told:
                    next(stream(bakery(message="Second"), run_id="a", **_parts(tmp_path)))
                refused.append(told.value)
            return super().__getattribute__(name)

    begun: list[bool] = []
    simulator = Slow()
    begun.append(True)
    assert run(tmp_path, bakery(message="First"), run_id="a", simulator=simulator).status == "finished"
    assert len(refused) == 1
    settings = json.loads((tmp_path / "a" / "run.json").read_text())
    assert settings["brief"]["message"] == "First"


def test_a_run_that_cannot_begin_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="seed: must be a whole number, zero or more"):
        run(tmp_path, bakery(), run_id="a", seed=-1)
    with pytest.raises(TableError):
        run(tmp_path, bakery(), run_id="a", library=tmp_path / "none")
    assert not (tmp_path / "a").exists()
    assert run(tmp_path, bakery(), run_id="a").status == "finished"
