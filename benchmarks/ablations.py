"""Finished training runs on one prepared folder, compared: what a term, a source or a share of the data is worth.

    lcbm train train_recipes/embedded/smol_probe.yaml --prepare-only --out prepared
    python -m lcbm_model.training.fit prepared --base BASE --runs train_recipes/embedded/ablations.json --out runs
    python benchmarks/ablations.py prepared runs/no-encoder runs/third ...
    lcbm results tables                          docs/ablations.md from what was written

The first run is what the others are compared with, on the test rows that all of them predicted. Figures and their
differences come with 95 % intervals over resampled comparison groups. A run that was prepared in another way (`lcbm
train` keeps that in its folder) is matched by the names of the rows.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from comparing import Ints, compared, tasks
from measuring import machine, run, versions

from lcbm_model.errors import CheckpointError
from lcbm_model.evaluation.benchmark_pages import RECORDED
from lcbm_model.evaluation.benchmark_record import BenchmarkRecord
from lcbm_model.training.data import SPLITS, Prepared
from lcbm_model.training.joint import CENTRES
from lcbm_model.training.predictions import read_predictions
from lcbm_model.training.recipes import recipe_from


def main(arguments: Sequence[str] | None = None) -> None:
    asked = _arguments(arguments)
    data = Prepared.load(asked.prepared)
    runs = {folder.name: _predicted(data, folder, asked.readout) for folder in asked.runs}
    rows = sorted(set.intersection(*(set(found) for found in runs.values())))
    if not rows:
        raise CheckpointError(", ".join(runs), "have no test row in common", remedy="Compare runs on the same data")
    tables = [
        table
        for source, metric, members in tasks(data, np.asarray(rows, dtype=np.int64))
        if (table := compared(data, source, metric, members, runs)) is not None
    ]
    BenchmarkRecord(
        page="ablations",
        title=asked.title,
        command=_command(asked),
        machine=machine(torch.device("cpu")),
        versions=versions(),
        told=(
            f"Test rows that every run predicted; the difference is from `{asked.runs[0].name}`. Intervals: 95 %, over "
            "resampled comparison groups.",
            *(f"`{folder.name}`: {_changes(data, folder)}" for folder in asked.runs),
        ),
        tables=tuple(tables),
    ).save(asked.out)
    print(f"written: {asked.out}")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of finished runs; the first one is compared with")
    parser.add_argument(
        "--readout", choices=("joint", "bins"), default="joint", help="utilities, or the expected bin that is stated"
    )
    parser.add_argument("--title", default="Ablations of the embedded model", help="of the page")
    parser.add_argument("--out", type=Path, default=RECORDED / "ablations.json")
    return parser.parse_args(arguments)


def _command(asked: argparse.Namespace) -> str:
    """What a reader types, without the folders of this machine."""
    readout = "" if asked.readout == "joint" else f" --readout {asked.readout}"
    return f"python benchmarks/ablations.py PREPARED {' '.join(folder.name for folder in asked.runs)}{readout}"


def _predicted(data: Prepared, folder: Path, readout: str) -> Mapping[int, float]:
    """Utilities of the test rows, by row."""
    row, bins, joint = read_predictions(folder, "row", "bins", "joint")
    rows, utility = row.astype(np.int64), bins @ CENTRES if readout == "bins" else joint.astype(np.float64)
    own = Prepared.load(folder / "prepared") if (folder / "prepared").is_dir() else data
    if len(rows) and int(rows.max()) >= len(own.rows):
        raise CheckpointError(str(folder), "is no run on this prepared data", value=f"row {int(rows.max())}")
    test = own.rows.split[rows] == SPLITS.index("test")
    rows, utility = rows[test], utility[test]
    place = rows.tolist() if own is data else _places(data, own, rows)
    return {row: score for row, score in zip(place, utility.tolist(), strict=True) if row >= 0}


def _places(data: Prepared, own: Prepared, rows: Ints) -> list[int]:
    """Rows of `data` that name the same record and metric as those of `own`; -1 where there is none."""
    known = {(name, int(data.rows.metric[row])): row for row, name in enumerate(data.ids)}
    metric = [data.metrics.index(m) if m in data.metrics else -1 for m in own.metrics]
    return [known.get((own.ids[row], metric[own.rows.metric[row]]), -1) for row in rows.tolist()]


def _changes(data: Prepared, folder: Path) -> str:
    """How the run's settings differ from those that the data was prepared with."""
    try:
        mine = _flat(json.loads((folder / "summary.json").read_text("utf-8"))["recipe"])
    except (OSError, KeyError, ValueError) as error:
        raise CheckpointError(str(folder), "has no readable summary.json", value=str(error)) from error
    prepared = _flat(data.manifest["recipe"])
    found = {key: value for key, value in mine.items() if value != prepared.get(key) and key != "run.name"}
    return ", ".join(f"{key} = {json.dumps(value)}" for key, value in found.items()) or "as prepared"


def _flat(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys of a recipe's settings, filled up with what it does not state."""
    settings = recipe_from(recipe).to_dict()
    return {f"{group}.{key}": value for group, values in settings.items() for key, value in values.items()}


if __name__ == "__main__":
    run(main)
