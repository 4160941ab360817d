"""Calibrates a finished run on what it predicted without having seen it, and stores the result beside the adapter."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lcbm_model.errors import CheckpointError
from lcbm_model.prediction import Prediction, SimulatorIdentity
from lcbm_model.simulator.conformal import ConformalCalibration, Entry, fit_entry
from lcbm_model.training.data import N_BINS, SPLITS, Prepared
from lcbm_model.training.predictions import read_predictions
from lcbm_model.training.probe import probe_pairs

FILE = "calibration.json"
LEAST = 30
"""Held-out rows of a source and metric below which no entry is fitted."""
PART = 12
"""Comparisons are cut into parts of so many rows before they are paired: pages have hundreds."""


def calibrate_run(data: Prepared, run: Path, *, level: float = 0.8) -> dict[str, Any]:
    """Fit intervals and win probabilities and name the file in the adapter's description.

    Validation is what they are fitted on, and training rows that the run scored out of fold.

    Args:
        run: A run's folder, with predictions.npz and adapter/.
        level: Share of truths an interval is meant to hold.

    Returns:
        By "metric/channel": rows, widening in percentile points, both temperatures, and the share of test truths that
        the interval holds.

    Raises:
        CheckpointError: The run is not complete.
    """
    names = ("row", "bins", "joint")
    seen, unseen = read_predictions(run, *names), read_predictions(run, *(f"unseen_{name}" for name in names))
    row = np.concatenate([seen[0], unseen[0]]).astype(np.int64)
    bins = np.concatenate([seen[1], unseen[1].reshape(-1, N_BINS)])
    joint = np.concatenate([seen[2], unseen[2]])
    try:
        spec_file = run / "adapter" / "lcbm.json"
        spec = json.loads(spec_file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(str(run), "is no finished run", value=str(error)) from error
    entries: dict[str, Entry] = {}
    notes: dict[str, Any] = {}
    for key, chosen in _by_channel(data, row):
        test = data.rows.split[row[chosen]] == SPLITS.index("test")
        held, tested = chosen[~test], chosen[test]
        if len(held) < LEAST:
            continue
        metric = key.split("/")[0]
        predictions = [_prediction(metric, p) for p in bins[held]]
        temperature = utility_temperature(data, row[held], joint[held])
        truths = data.rows.percentile[row[held]].astype(float).tolist()
        entries[key] = fit_entry(predictions, truths, level=level, utility_temperature=temperature)
        notes[key] = entries[key].model_dump()
        if len(tested):
            calibration = ConformalCalibration(level=level, entries={key: entries[key]})
            intervals = [calibration.apply(_prediction(metric, p), key.split("/")[1]) for p in bins[tested]]
            inside = [
                (p.low or 0) <= y <= (100 if p.high is None else p.high)
                for p, y in zip(intervals, data.rows.percentile[row[tested]], strict=True)
            ]
            notes[key]["coverage_test"] = round(float(np.mean(inside)), 4)
    if entries:
        text = ConformalCalibration(level=level, entries=entries).model_dump_json(indent=1)
        (run / "adapter" / FILE).write_text(text, "utf-8")
        spec["calibration"] = FILE
        spec_file.write_text(json.dumps(spec, indent=1), "utf-8")
    return notes


def _by_channel(data: Prepared, row: npt.NDArray[np.int64]) -> Iterable[tuple[str, npt.NDArray[np.int64]]]:
    """("metric/channel", positions in `row`) of everything that was predicted."""
    channels: dict[str, list[str]] = data.manifest.get("channels", {})
    found: dict[str, list[npt.NDArray[np.int64]]] = {}
    for s, source in enumerate(data.sources):
        for m, metric in enumerate(data.metrics):
            chosen = np.flatnonzero((data.rows.source[row] == s) & (data.rows.metric[row] == m))
            for channel in channels.get(source, ["post"]) if len(chosen) else []:
                found.setdefault(f"{metric}/{channel}", []).append(chosen)
    for key, parts in found.items():
        yield key, np.concatenate(parts)


def _prediction(metric: str, bins: npt.NDArray[Any]) -> Prediction:
    nobody = SimulatorIdentity(backend="local", checkpoint="training", checkpoint_hash="", tuned=True)
    return Prediction.from_bins(metric, nobody, bins.astype(float).tolist())


def utility_temperature(data: Prepared, row: npt.NDArray[np.int64], utility: npt.NDArray[Any]) -> float:
    """What utilities are divided by so that stated win probabilities are likeliest for the observed winners."""
    from scipy.optimize import minimize_scalar

    i, j, z = probe_pairs(data.rows, row, size=PART, seed=0)
    told = (utility[i] - utility[j]) * np.sign(z)
    if not (told != 0).any():
        return 1.0

    def loss(log_temperature: float) -> float:
        return float(np.logaddexp(0, -told[z != 0] / math.exp(log_temperature)).mean())

    found = minimize_scalar(loss, bounds=(math.log(0.05), math.log(50)), method="bounded")
    return math.exp(float(found.x))
