"""Invented rows and a tiny base for the tests of training: texts with 'bright' do better."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lcbm_model.training.recipes import recipe_from
from lcbm_model.training.settings import Recipe
from tests.lcbm_model.tiny_model import write_tiny_model

TINY: dict[str, Any] = {
    "data": {"sources": ["upworthy"], "text_examples": 12, "max_length": 1000},
    "lora": {"rank": 4, "dropout": 0.0},
    "readout": {"layers": [2], "last_layers": [3], "probe_rows": 200},
    "optim": {"steps": 2, "tokens_per_step": 3000, "micro_tokens": 6000, "group_size": 4},
    "run": {"name": "tiny", "mix": {"upworthy": 1.0, "text": 0.3}, "eval_every": 1, "save_every": 1, "threads": 1},
}


def words(rng: np.random.Generator, n: int = 7) -> str:
    """A line of invented words, so that no two lines are near-duplicates."""
    syllables = ("ba", "do", "ki", "lu", "me", "no", "pa", "ri", "so", "tu", "ve", "za")
    return " ".join("".join(rng.choice(syllables, 3)) for _ in range(n))


def write_upworthy(folder: Path, *, tests: int = 30, leak: bool = False, at_risk: int = 0) -> Path:
    """`upworthy.parquet` with arms of A/B tests; `leak` puts one headline of train into test to the letter; the first
    `at_risk` tests were not randomised well."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, rows = np.random.default_rng(0), []
    for test in range(tests):
        split = "train" if test < tests * 0.6 else "validation" if test < tests * 0.8 else "test"
        for arm in range(3):
            bright = arm == 0
            rows.append(
                {
                    "clickability_test_id": f"t{test}",
                    "story_id": test,
                    "test_week": 201410,
                    "eyecatcher_id": f"e{test}",
                    "headline": f"{words(rng)} {'bright' if bright else 'dull'}",
                    "lede": "",
                    "excerpt": "",
                    "impressions": 3000,
                    "clicks": int(rng.binomial(3000, 0.02 + 0.03 * bright)),
                    "randomization_imbalance_risk": test < at_risk,
                    "split": split,
                }
            )
    if leak:
        rows[-1]["headline"] = rows[0]["headline"]
    pl.DataFrame(rows).write_parquet(folder / "upworthy.parquet")
    return folder


SILENT = {"bins": 0, "value": 0, "pairs": 0, "pairs_bins": 0}
"""Weights of a loss that no term of behaviour takes part in."""
WRITES: dict[str, dict[str, Any]] = {
    "data": {"text_tasks": ["content_write"], "text_examples": 60},
    "lora": {"first_layer": 3},
    "loss": {"bins": 0, "value": 0, "pairs_bins": 0},
    "optim": {"steps": 4, "lr": 0.01},
    "run": {"mix": {"text": 1.0}, "eval_every": 2},
}
"""Changes of the tiny recipe for a run that learns to write alone, above the blocks that heads read."""


def tiny_recipe(base_folder: Path, data_folder: Path, /, **groups: dict[str, Any]) -> Recipe:
    """The tiny recipe with some settings changed, by group."""
    raw = {name: {**TINY.get(name, {}), **groups.get(name, {})} for name in {*TINY, *groups}}
    raw["base"] = {"model": str(base_folder), **groups.get("base", {})}
    raw["data"] = {**raw["data"], "folder": str(data_folder)}
    return recipe_from(raw)


def encoder_recipe(folder: Path, **encoder: Any) -> Recipe:
    """Heads on frozen states beside a small text encoder with some settings changed, on invented headlines."""
    settings = {"rank": 2, "steps": 8, "tokens_per_step": 400, "eval_every": 4, "max_tokens": 24, "cross_fit": True}
    return tiny_recipe(
        write_tiny_model(folder / "base", layers=4), write_upworthy(folder / "data", tests=60),
        lora={"rank": 0}, optim={"steps": 0}, data={"text_examples": 0}, text_encoder={**settings, **encoder},
        run={"mix": {"upworthy": 1.0}, "threads": 1},
    )  # fmt: skip
