"""`GET /health` and what is deleted on schedule."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from lcbm_model.errors import BackendError
from tests.fakes import FakeSimulator
from tests.ui.floors_fake import fake_floors
from ui.floors import Floors
from ui.health import add_health, health
from ui.retention import Sweeper
from ui.services import Services


def test_it_says_loading_then_ready_with_versions_and_no_more() -> None:
    go = threading.Event()

    def slow() -> FakeSimulator:
        go.wait(10)
        return FakeSimulator()

    services = Services(Floors(**{**fake_floors().__dict__, "load_simulator": slow}))
    began = time.time() - 5
    code, body = health(services, began)
    assert (code, body["status"]) == (503, "waiting")
    services.start()
    assert health(services, began)[0] == 503
    go.set()
    services.models(10)
    code, body = health(services, began)
    assert (code, body["status"]) == (200, "ready")
    assert body["model"]["checkpoint"] == "fake"
    assert set(body) == {"status", "up_seconds", "versions", "model"}
    assert body["up_seconds"] >= 5
    assert "gradio" in body["versions"]
    assert str(services.scratch) not in str(body)
    services.close()


def test_a_failure_is_said_without_its_words() -> None:
    def broken() -> FakeSimulator:
        raise BackendError("no weights in /secret/place")

    services = Services(Floors(**{**fake_floors().__dict__, "load_simulator": broken}))
    services.start()
    for _ in range(100):
        if services.loading.phase == "failed":
            break
        time.sleep(0.05)
    code, body = health(services, time.time())
    assert (code, body["status"]) == (500, "failed")
    assert "secret" not in str(body)
    services.close()


def test_the_route_answers_before_all_others() -> None:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    services = Services(fake_floors())
    services.models(10)
    app = FastAPI()
    app.get("/{anything}")(lambda anything: {"caught": anything})
    add_health(app, services)
    with TestClient(app) as client:
        answer = client.get("/health")
        assert answer.json()["status"] == "ready"
        assert answer.headers["cache-control"] == "no-store"
        assert client.head("/health").status_code == 200
        assert client.post("/health").status_code in (404, 405)
    services.close()


def test_old_uploads_go_and_new_ones_stay(tmp_path: Path) -> None:
    old, new = tmp_path / "a" / "old.csv", tmp_path / "b" / "new.csv"
    outside = tmp_path.parent / f"{tmp_path.name}-outside.txt"
    outside.write_text("not mine")
    for file in (old, new):
        file.parent.mkdir()
        file.write_text("x")
    link = tmp_path / "a" / "link"
    link.symlink_to(outside)
    past = time.time() - 7200
    os.utime(old, (past, past))
    os.utime(link, (past, past), follow_symlinks=False)
    os.utime(outside, (past, past))
    sweeper = Sweeper([tmp_path, tmp_path / "nowhere"], keep=3600)
    assert sweeper.sweep() == 2
    assert not old.exists()
    assert not link.is_symlink()
    assert new.exists()
    assert outside.exists()
    os.utime(tmp_path / "a", (past, past))
    assert sweeper.sweep() == 0
    assert not (tmp_path / "a").exists()


def test_it_sweeps_by_itself(tmp_path: Path) -> None:
    file = tmp_path / "old.csv"
    file.write_text("x")
    past = time.time() - 100
    os.utime(file, (past, past))
    sweeper = Sweeper([tmp_path], keep=50, every=0.05)
    sweeper.start()
    sweeper.start()
    for _ in range(100):
        if not file.exists():
            break
        time.sleep(0.05)
    sweeper.stop()
    assert not file.exists()
