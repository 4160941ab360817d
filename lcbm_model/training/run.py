"""A whole run by its recipe: prepare, fit, calibrate, plot."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lcbm_model.errors import SettingsError
from lcbm_model.training.settings import Recipe


def train_recipe(
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    report: Callable[[dict[str, Any]], None] = lambda event: None,
) -> dict[str, Any]:
    """Run a recipe from records to a calibrated adapter in `folder`/adapter.

    Args:
        folder: Gets prepared/, state/, log.jsonl, summary.json, predictions.npz, loss.svg and adapter/.
        resume: Go on where a killed run of the same recipe stopped.
        report: Called with each event of the run.

    Returns:
        Name, adapter folder, seconds, best step, rows that readers could not use by kind of problem, figures by
        split/source/metric/read-out, and the calibration.

    Raises:
        SettingsError: A wrong setting, a folder that holds another recipe's run, or several processes started.
        CheckpointError: The base, or the state to resume from, does not fit.
        BackendError: The loss became NaN (the last good state is kept), or memory ran out.
    """
    from lcbm_model.training.base import load_base
    from lcbm_model.training.bases import resolve_base
    from lcbm_model.training.calibrate import calibrate_run
    from lcbm_model.training.corpus_rows import prepare_recipe
    from lcbm_model.training.data import Prepared
    from lcbm_model.training.fit import run_fit
    from lcbm_model.training.plot import plot_log

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        remedy = "Prepare once (lcbm train --prepare-only), then launch lcbm_model.training.fit: docs/training.md"
        raise SettingsError("lcbm train", "runs in one process", value=os.environ["WORLD_SIZE"], remedy=remedy)
    prepared = folder / "prepared"
    if resume and (prepared / "manifest.json").is_file():
        data = Prepared.load(prepared)
        if json.loads(json.dumps(recipe.to_dict())) != data.manifest.get("recipe"):
            remedy = "Resume with the same recipe and changes, or give another --out"
            raise SettingsError(str(folder), "holds a run of another recipe", remedy=remedy)
    else:
        if (folder / "summary.json").is_file() or any((folder / "state").rglob("state.safetensors")):
            remedy = "Add --resume to go on, or give another --out"
            raise SettingsError(str(folder), "already holds a run", remedy=remedy)
        data = prepare_recipe(recipe, told=lambda step: report({"preparing": step}))
        data.save(prepared)
    base = resolve_base(recipe.base)
    lm = load_base(base.folder, data.manifest["base"]["hash"])
    summary = run_fit(data, lm, recipe, folder, resume=resume, report=report)
    calibration = calibrate_run(data, folder)
    plot_log(folder / "log.jsonl", folder / "loss.svg")
    kept = ("name", "seconds", "best_step", "selection", "joint", "figures")
    left_out = data.manifest.get("rows_left_out", {})
    return {
        **{k: summary[k] for k in kept},
        "rows_left_out": left_out,
        "adapter": str(folder / "adapter"),
        "calibration": calibration,
    }
