"""A run with a picture goes on after its upload is gone: a day later, and after the app was started anew."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from optimizer.brief import Brief, Budget
from tests.fakes import FakeSimulator
from tests.lcbm_model.films import write_film
from tests.optimizer.parts import Baker
from tests.ui.floors_fake import fake_floors
from ui.campaigns_service import CampaignsService
from ui.desk import Desk
from ui.floors import Floors, real_floors
from ui.retention import Sweeper
from ui.runs import Run
from ui.services import Limits, Services
from ui.uploads import checked_picture, checked_video


def floors() -> Floors:
    """The real loop over fakes."""
    real = real_floors()
    fakes = replace(fake_floors(judge=False), load_simulator=FakeSimulator, load_writers=lambda _: (Baker(),))
    return replace(fakes, stream=real.stream, resume=real.resume)


def waiting(services: Services, upload: Path, owner: str = "tab") -> Run:
    """A run that waits for a person after its first round."""
    brief = Brief(
        message="A copper pan for omelettes",
        draft="A copper pan",
        picture=upload,
        approval=True,
        least_meaning=0,
        budget=Budget(rounds=3, candidates=3, patience=9),
    )
    run = services.start_run(brief, library=None, owner=owner)
    assert run.wait(60)
    assert run.phase == "waiting", run.snapshot().error
    return run


def upload(services: Services, tmp_path: Path, kind: str = "picture") -> Path:
    if kind == "video":
        film = write_film(tmp_path / "pan.mp4", [(200, 30, 30)])
        return checked_video(film, services.scratch / "uploads")
    Image.new("RGB", (64, 64), "teal").save(tmp_path / "pan.png")
    return checked_picture(tmp_path / "pan.png", services.scratch / "uploads")


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    made = Services(floors(), store=tmp_path / "runs")
    yield made
    made.close()


@pytest.mark.parametrize("kind", ["picture", "video"])
def test_an_answer_of_the_next_day_is_heard(services: Services, tmp_path: Path, kind: str) -> None:
    shown = upload(services, tmp_path, kind)
    run = waiting(services, shown)
    day_before = time.time() - 25 * 3600
    os.utime(shown, (day_before, day_before))
    assert Sweeper([services.scratch / "uploads"]).sweep() == 1
    services.go_on(run)
    assert run.wait(60)
    assert run.snapshot().error is None
    assert run.result is not None
    assert len(run.result.rounds) == 2
    draft = run.candidates[-1]
    asked = {"action": "score", "ticket": run.ticket, "id": draft.id, "text": f"{draft.text}, edited"}
    assert "html" in Desk(services).answer(asked)
    assert run.brief.picture is not None
    assert run.brief.picture.is_file()


def test_a_run_goes_on_in_an_app_started_anew(tmp_path: Path) -> None:
    first = Services(floors(), store=tmp_path / "runs")
    run = waiting(first, upload(first, tmp_path))
    first.close()
    second = Services(floors(), store=tmp_path / "runs")
    again = CampaignsService(second).resume(run.id, owner="tab")
    assert again.wait(60)
    assert again.snapshot().error is None
    assert again.result is not None
    assert len(again.result.rounds) == 2
    second.close()


def test_a_picture_that_is_gone_all_the_same_is_named(services: Services, tmp_path: Path) -> None:
    run = waiting(services, upload(services, tmp_path))
    [kept] = (tmp_path / "runs" / run.id).glob("picture-*.png")
    kept.unlink()
    services.go_on(run)
    assert run.wait(60)
    error = run.snapshot().error or ""
    assert error.startswith(f"{Path(kept).name}: the brief's picture cannot be read any more")
    assert "begin a new run" in error


def test_a_forgotten_run_takes_its_copy_along(tmp_path: Path) -> None:
    services = Services(floors(), Limits(kept_runs=1))
    assert services.store is not None
    first = waiting(services, upload(services, tmp_path), owner="one")
    [kept] = services.store.glob(f"{first.id}/picture-*.png")
    waiting(services, upload(services, tmp_path), owner="two")
    assert services.run(first.ticket) is None
    assert not kept.parent.exists()
    services.close()
