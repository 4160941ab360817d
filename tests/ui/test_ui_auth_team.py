"""Running it for a team: logins, single sign-on, a reverse proxy, large uploads, and the door."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from lcbm_model.errors import SettingsError
from tests.ui.browsing import serving
from tests.ui.floors_fake import fake_floors
from tests.ui.tiny_proxy import proxy
from ui.auth import forwarded_user, hash_password
from ui.services import Services

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def house() -> Services:
    """Closed by `serving`."""
    return Services(fake_floors())


def test_a_file_of_users_guards_everything_but_the_health(tmp_path: Path, house: Services) -> None:
    users = tmp_path / "users.txt"
    users.write_text(f"anna:open sesame\nben:{hash_password('secret')}\n")
    with serving(house, door={"auth_file": users}) as url, httpx.Client(base_url=url) as client:
        house.models(20)
        for path in ("config", "gradio_api/info", "gradio_api/queue/data?session_hash=x"):
            assert client.get(path).status_code == 401, path
        assert client.post("gradio_api/upload", files={"files": b"x"}).status_code == 401
        assert client.post("gradio_api/queue/join", json={}).status_code == 401
        assert client.get("health").json()["status"] == "ready"
        wrong = client.post("login", data={"username": "ben", "password": "open sesame"})
        assert wrong.status_code == 400
        assert client.post("login", data={"username": "ben", "password": "secret"}).status_code == 200
        assert client.get("config").json()["username"] == "ben"


def test_single_sign_on_takes_the_name_from_in_front() -> None:
    guarded = {"auth_dependency": forwarded_user("X-Forwarded-User", "tell-nobody")}
    with serving(door=guarded) as url:
        with httpx.Client(base_url=url) as client:
            assert client.get("").status_code == 401
            assert client.get("config").status_code == 401
            assert client.get("config", headers={"X-Forwarded-User": "anna"}).status_code == 401
            forged = {"X-Forwarded-User": "anna", "X-Forwarded-Secret": "guess"}
            assert client.get("config", headers=forged).status_code == 401
        known = {"X-Forwarded-User": "anna", "X-Forwarded-Secret": "tell-nobody"}
        with proxy(url, "/team", known) as public, httpx.Client() as client:
            assert client.get(public).status_code == 200
            assert client.get(f"{public}config").json()["username"] == "anna"


def test_a_secret_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="at least 8"):
        forwarded_user("X-Forwarded-User", "short")
    with pytest.raises(SettingsError, match="no name of a header"):
        forwarded_user("X User\n", "long enough")


def test_behind_a_proxy_under_a_path_page_and_api_work(house: Services) -> None:
    from gradio_client import Client

    with serving(house, door={"root_path": "/lcbm"}) as url, proxy(url, "/lcbm") as public:
        house.models(20)
        with httpx.Client() as browser:
            page = browser.get(public)
            assert page.status_code == 200
            root = browser.get(f"{public}config").json()["root"]
            assert root.rstrip("/") == public.rstrip("/")
            assert browser.get(f"{public}health").status_code == 200
            assert browser.get(f"{public}theme.css").status_code == 200
        client = Client(public, verbose=False)
        [answer] = client.predict(["A pan"], "click_rate", api_name="/score")
        assert answer["metric"] == "click_rate"
        job = client.submit(
            brief={"message": "A pan", "draft": "A pan", "budget": {"rounds": 1, "candidates": 2}}, api_name="/optimize"
        )
        assert list(job)[-1]["phase"] == "done"


class Endless(io.RawIOBase):
    """Two hundred megabytes that nobody has to keep; counts what was read of them."""

    def __init__(self) -> None:
        self.left = 200 * 2**20

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        n = min(len(buffer), self.left)
        buffer[:n] = b"x" * n
        self.left -= n
        return n


def test_two_hundred_megabytes_are_turned_away_at_the_door(tmp_path: Path) -> None:
    with serving() as url:
        body = io.BufferedReader(Endless(), 1 << 20)
        before = _kept(Path(os.environ["GRADIO_TEMP_DIR"]))
        try:
            answer = httpx.post(f"{url}gradio_api/upload", files={"files": ("posts.csv", body)}, timeout=60)
            assert answer.status_code == 413
        except httpx.TransportError:
            pass  # the server closed the door while the file was still arriving
        assert _kept(Path(os.environ["GRADIO_TEMP_DIR"])) == before
        small = httpx.post(f"{url}gradio_api/upload", files={"files": ("posts.csv", b"text\nx\n")})
        assert small.status_code == 200
        # What was uploaded is known to nobody by its name, and nothing beyond the uploads is served.
        [path] = small.json()
        assert Path(path).is_relative_to(os.environ["GRADIO_TEMP_DIR"])
        for other in ("/etc/passwd", str(Path(__file__)), f"{path}/../../../../etc/passwd"):
            assert httpx.get(f"{url}gradio_api/file={other}").status_code in (403, 404)


def _kept(folder: Path) -> int:
    return sum(1 for p in folder.rglob("*") if p.is_file()) if folder.exists() else 0


def test_private_events_of_the_page_cannot_be_called_as_an_api(house: Services) -> None:
    with serving(house) as url:
        house.models(20)
        info = httpx.get(f"{url}gradio_api/info").json()
        assert set(info["named_endpoints"]) == {"/score", "/compare", "/search", "/optimize"}
        assert info["unnamed_endpoints"] == {}


def test_the_app_stays_on_loopback_unless_it_is_guarded_or_told() -> None:
    from ui.app import launch

    with pytest.raises(SettingsError, match="without a password"):
        launch(host="0.0.0.0", port=0, services=Services(fake_floors()), block=False)


def test_single_sign_on_by_the_command_line_needs_its_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from optimizer.cli import run

    monkeypatch.delenv("LCBM_PROXY_SECRET", raising=False)
    assert run(["ui", "--trust-header", "X-Forwarded-User"]) == 2
    assert "LCBM_PROXY_SECRET" in capsys.readouterr().err
    monkeypatch.setenv("LCBM_PROXY_SECRET", "short")
    assert run(["ui", "--trust-header", "X-Forwarded-User"]) == 2
    assert "at least 8" in capsys.readouterr().err
    monkeypatch.setenv("LCBM_PROXY_SECRET", "long enough")
    assert run(["ui", "--trust-header", "X-User", "--auth-file", str(tmp_path / "users.txt")]) == 2
    assert "--auth-file" in capsys.readouterr().err
    assert run(["ui", "--host", "0.0.0.0"]) == 2
    assert "without a password" in capsys.readouterr().err
