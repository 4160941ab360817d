"""What the guard lets through and what it refuses: false drafts, honest ones, and drafts that stray in meaning.

    python benchmarks/guard.py             writes benchmarks/results/guard.json
    lcbm results tables                    docs/guard-figures.md from what was written

All texts are invented: the briefs and drafts of the tests, and `guard_rewrites.yaml`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from measuring import machine, run, versions

from agents.embedder import load_embedder
from agents.guard import LEAST_MEANING, MeaningScale
from agents.screener import Screener
from agents.writers.base import WritingTask
from lcbm_model.content import Content
from lcbm_model.evaluation.benchmark_record import BenchmarkRecord, Table

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "guard.json"
THRESHOLDS = np.arange(0.05, 0.81, 0.05)


def facts() -> Table:
    """The screener over drafts that are known to be false, and over honest ones."""
    sys.path.insert(0, str(HERE.parent))
    from tests.agents.adversarial_briefs import briefs
    from tests.agents.nasty_drafts import BRIEFS, FALSE, PASSES, TRUE

    made = [(Screener(brief.task), brief) for brief in briefs()]
    own = {name: screener_of(brief) for name, brief in BRIEFS.items()}
    rewrites = [
        bool(screener_of({**brief, "must_keep": brief.get("must_keep", ())}).check(text))
        for brief in yaml.safe_load((HERE / "guard_rewrites.yaml").read_text("utf-8"))
        for text in brief["good"]
    ]
    drafts = {
        f"{len(made)} adversarial briefs, false": [bool(s.check(text)) for s, b in made for _, text in b.bad],
        f"{len(made)} adversarial briefs, honest": [bool(s.check(text)) for s, b in made for text in b.good],
        "tricks thought of later, false": [bool(own[name].check(text)) for name, text in (*FALSE, *PASSES)],
        "beside them, honest": [bool(own[name].check(text)) for name, text in TRUE],
        "rewrites made for the drift budget, honest": rewrites,
    }
    return Table(
        title="Facts",
        told="Built on the adversarial briefs; of the tricks thought of later, those it had missed were then added.",
        columns=("drafts", "n", "refused", "passed"),
        rows=tuple((name, len(found), sum(found), len(found) - sum(found)) for name, found in drafts.items()),
    )


def screener_of(brief: dict[str, Any]) -> Screener:
    task = {"metric": "click_rate", "message": brief["message"], "must_keep": tuple(brief["must_keep"])}
    return Screener(WritingTask.model_validate({**task, "content": Content(text=str(brief["draft"]))}))


def meaning() -> Table:
    """Where the drift budget's default should stand."""
    briefs = yaml.safe_load((HERE / "guard_rewrites.yaml").read_text(encoding="utf-8"))
    embedder = load_embedder()
    found: dict[str, list[float]] = {"good": [], "stray": [], "other": []}
    for brief in briefs:
        scale = MeaningScale(brief["draft"], brief["message"], embedder)
        found["good"] += scale.likeness(brief["good"])
        found["stray"] += scale.likeness(brief["stray"])
        found["other"] += scale.likeness([text for b in briefs if b is not brief for text in b["good"]])
    good, stray, other = (np.array(found[kind]) for kind in ("good", "stray", "other"))
    return Table(
        title="Drift in meaning",
        told=(
            f"{len(good)} honest rewrites, {len(stray)} drafts of the same trade with another message, {len(other)} "
            f"rewrites of other briefs. The default is {LEAST_MEANING}."
        ),
        columns=("least likeness", "honest refused", "another message passed", "other briefs' passed"),
        rows=tuple(
            (f"{limit:.2f}", int((good < limit).sum()), int((stray >= limit).sum()), int((other >= limit).sum()))
            for limit in sorted({*np.round(THRESHOLDS, 2).tolist(), LEAST_MEANING})
        ),
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    record = BenchmarkRecord(
        page="guard-figures",
        title="What the guard refuses",
        command="python benchmarks/guard.py",
        machine=machine(torch.device("cpu")),
        versions=versions(),
        tables=(facts(), meaning()),
    )
    record.save(options.out)
    print(record.markdown())


if __name__ == "__main__":
    run(main)
