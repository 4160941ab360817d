"""`GET /health`: whether the models stand, for load balancers and people who keep the service. It needs no login.

Versions and states only: no path, no name of a user, no text, no setting.
"""

from __future__ import annotations

import time
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ui.services import Services

PATH = "/health"
_PACKAGES = ("lcbm", "gradio", "torch", "transformers")
_CODES = {"ready": 200, "loading": 503, "waiting": 503, "failed": 500}


def health(services: Services, began: float) -> tuple[int, dict[str, Any]]:
    """Status code and body: 200 ready, 503 not yet, 500 where the models could not be loaded.

    Args:
        began: `time.time()` when the app began to listen.
    """
    loading = services.loading
    body: dict[str, Any] = {
        "status": loading.phase,
        "up_seconds": round(time.time() - began),
        "versions": _versions(),
    }
    if loading.phase == "ready":
        identity = services.models().simulator.identity
        body["model"] = {
            "checkpoint": identity.checkpoint,
            "hash": identity.checkpoint_hash[:16],
            "tuned": identity.tuned,
            "calibrated": identity.calibration_id is not None,
        }
    return _CODES[loading.phase], body


def add_health(app: Any, services: Services) -> None:
    """Answer `GET /health` on a FastAPI app, before any of its own routes and outside its login."""
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    began = time.time()

    def answer(_: Request) -> JSONResponse:
        code, body = health(services, began)
        return JSONResponse(body, code, headers={"Cache-Control": "no-store"})

    app.router.routes.insert(0, Route(PATH, answer, methods=["GET", "HEAD"]))


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
