"""The package is light to import, and the demo's road touches no network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.optimizer.parts import Baker, FakeLibrary, bakery, run

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "transformers", "faiss", "gradio", "langgraph", "polars", "matplotlib", "sentence_transformers"}


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("import optimizer", set()),
        ("import optimizer; optimizer.Brief; optimizer.OptimizationResult; optimizer.RunEvent", set()),
        ("from optimizer import optimize, stream, resume, score, compare", set()),
        ("import optimizer; optimizer.Library", set()),
    ],
)
def test_imports_stay_light(statement: str, allowed: set[str]) -> None:
    code = f"import sys\n{statement}\nprint(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == str(sorted(allowed))


def test_the_public_face_is_whole() -> None:
    import optimizer

    assert set(optimizer.__all__) == {
        "Brief",
        "Budget",
        "Decision",
        "Library",
        "Objective",
        "OptimizationResult",
        "RunEvent",
        "compare",
        "optimize",
        "resume",
        "score",
        "stream",
        "stream_resume",
    }
    assert all(getattr(optimizer, name) is not None for name in optimizer.__all__)
    assert dir(optimizer) == sorted(optimizer.__all__)
    with pytest.raises(AttributeError):
        _ = optimizer.nonsense


def test_a_whole_run_opens_no_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the run reached for the network")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(AssertionError):
        socket.create_connection(("127.0.0.1", 9))
    result = run(tmp_path, bakery(), writers=[Baker()], library=FakeLibrary())
    for name in ("r.json", "r.csv", "r.html"):
        assert result.save(tmp_path / name).exists()
    assert result.status == "finished"


@pytest.mark.slow
def test_the_bundled_demo_runs_offline_with_the_real_models(tmp_path: Path) -> None:
    """The real command on the real brief, in a process where every socket refuses to connect."""
    code = f"""
import socket, sys
def refuse(*_, **__):
    raise OSError("sockets are blocked")
for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, refuse)
socket.getaddrinfo = refuse
from optimizer.cli import main
main(["optimize", "examples/kupfer_brief.yaml", "--library", "examples/kupfer_library.csv", "--out", {str(tmp_path)!r},
      "--store", {str(tmp_path / "runs")!r}, "--rounds", "1", "--candidates", "4"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert "Report: " in done.stdout
    for name in ("result.json", "report.html", "candidates.csv"):
        assert (tmp_path / name).stat().st_size > 0
