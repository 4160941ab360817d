"""README and docs are run as they stand: every `bash` line and every `python` block, in a copy of the examples."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```(bash|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def blocks(page: Path) -> list[tuple[str, str]]:
    return FENCE.findall(page.read_text(encoding="utf-8"))


def run(command: list[str], folder: Path, data: str) -> None:
    environment = {**os.environ, "LCBM_DATA": data, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=lambda p: p.name)
def test_every_example_runs(page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    found = blocks(page)
    needs_data = any("$LCBM_DATA" in code or "LCBM_DATA" in code for _, code in found)
    data = str(request.getfixturevalue("data_dir")) if needs_data else ""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for language, code in found:
        if language == "python":
            run([sys.executable, "-c", code], tmp_path, data)
            continue
        for line in code.replace("\\\n", " ").splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            words = shlex.split(line.replace("$LCBM_DATA", data), comments=True)
            assert words[0] in {"lcbm", "python"}, f"{page.name} shows a command this test cannot run: {line}"
            program = sys.executable if words[0] == "python" else str(Path(sys.executable).with_name("lcbm"))
            run([program, *words[1:]], tmp_path, data)


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"
