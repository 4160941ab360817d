"""Stage two: fit one or more runs on a prepared folder. Needs torch, transformers, peft and accelerate only.

    python -m lcbm_model.training.fit PREPARED --base BASE --runs runs.json --out OUT

`runs.json` is a list of settings that differ from the prepared recipe, each a mapping of dotted keys:
[{"run.name": "all", "optim.lr": 2e-4}, {"run.name": "a", "run.half": "a"}].
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lcbm_model.errors import LcbmError, SettingsError
from lcbm_model.training.base import load_base
from lcbm_model.training.checkpoint import TrainState
from lcbm_model.training.closing_probe import training_rows
from lcbm_model.training.collate import Collator
from lcbm_model.training.cross_text import fit_cross_text
from lcbm_model.training.data import Prepared
from lcbm_model.training.distil_text import distil_text_towers
from lcbm_model.training.evaluate import group_figures
from lcbm_model.training.export import export_adapter
from lcbm_model.training.frozen_states import FrozenStates
from lcbm_model.training.joint import CENTRES, JointHead, fit_joint
from lcbm_model.training.model import BehaviorModel
from lcbm_model.training.predictions import FILE
from lcbm_model.training.probe import fit_probe, probe_pairs, standardise
from lcbm_model.training.processes import Processes
from lcbm_model.training.scoring import score_rows
from lcbm_model.training.selection import pick_rows
from lcbm_model.training.settings import Recipe
from lcbm_model.training.state_store import cached_states
from lcbm_model.training.text_tower import TextTower, fit_text_tower
from lcbm_model.training.trainer import Report, Trainer, told_memory, write_log
from lcbm_model.training.variants import read_variants


def run_fit(
    data: Prepared,
    lm: Any,
    recipe: Recipe,
    out: Path,
    *,
    resume: bool = False,
    save: bool = True,
    shared: Path | None = None,
    text_encoder: Path | None = None,
    report: Report = lambda event: None,
    processes: Processes | None = None,
) -> dict[str, Any]:
    """One whole run: start the heads from a probe, train, tune a text encoder, join all with a closing probe, evaluate,
    export.

    Where nothing of the language model is tuned (`Recipe.heads_only`), heads are fitted on its frozen states.

    Args:
        text_encoder: Folder of the text encoder's weights (default: the packaged one).
        shared: Folder for what runs on the same prepared data share: frozen/ and states/ (default: `out`).
        processes: That do the run together (default: as a launcher started them). One writes, all read `out`.

    Returns:
        The run's summary, as written to `summary.json`.

    Raises:
        SettingsError: A setting that the data or the base do not allow.
        CheckpointError: The state to resume from is damaged.
        BackendError: The loss became NaN, or memory ran out.
    """
    started = time.monotonic()
    data.check()
    if recipe.run.shuffled:
        data = data.shuffled(seed=recipe.run.seed)
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.run.seed)
    if recipe.run.threads:
        torch.set_num_threads(recipe.run.threads)
    processes = processes or Processes.launched()
    device = processes.device
    torch.set_float32_matmul_precision("high")
    channels = int(data.pictures.shape[-1])
    model = BehaviorModel(
        lm, digit_ids=data.digit_ids, metrics=len(data.metrics), channels=channels,
        lora=recipe.lora, readout=recipe.readout,
    )  # fmt: skip
    model.to(device)
    collator = Collator(data, device, share_prefix=recipe.optim.share_prefix, processes=processes)
    size = model.head.weight.shape[-1]
    shared = shared or out
    kept = shared / "frozen"
    if processes.count > 1:
        kept = kept / f"process-{processes.index}"
    collator.frozen = FrozenStates(data, recipe.readout, kept, size=size)
    if processes.leads and not resume:
        (out / "log.jsonl").unlink(missing_ok=True)
    told = both(write_log(out / "log.jsonl"), report) if processes.leads else quiet
    encoders: dict[str, Any] = {
        "device": device,
        "folder": text_encoder,
        "resume": resume,
        "save": save,
        "report": told,
    }
    encoders["write"] = processes.leads
    first, state, read = None, TrainState(), TrainState()
    with told_memory():
        if not recipe.heads_only:
            first, state = _train(model, data, recipe, collator, out, shared / "states", told, resume=resume, save=save)
        tower = None
        if recipe.text_encoder.rank:
            tower, read = fit_text_tower(data, recipe, out / "state" / "text_encoder", **encoders)
        crossed = None
        if tower is not None and recipe.text_encoder.cross_fit:
            crossed = fit_cross_text(data, recipe, out / "state" / "text_encoder", **encoders)
            if recipe.text_encoder.distil_steps:
                teachers = [tower, *crossed.towers.values()]
                tower, read = distil_text_towers(
                    teachers, data, recipe, out / "state" / "text_encoder" / "mean", **encoders
                )
        trained = time.monotonic() - started
        round_weights(model)
        told({"fitting": "heads"})
        joint = fit_joint(model, data, collator, recipe, digits=recipe.digits, tower=tower, crossed=crossed)
        told({"fitting": "figures"})
        figures, predictions = closing_figures(model, joint, data, collator, recipe, tower)
    summary = {
        "name": recipe.run.name,
        "recipe": recipe.to_dict(),
        "seconds_training": round(trained, 1),
        "seconds": round(time.monotonic() - started, 1),
        "selection_at_start": first,
        "best_step": state.best_step,
        "selection": state.best_score,
        "text_encoder": {"best_step": read.best_step, "selection": read.best_score} if tower else None,
        "joint": joint.notes,
        "figures": figures,
    }
    if processes.leads:
        (out / "summary.json").write_text(json.dumps(summary, indent=1), "utf-8")
        arrays: dict[str, Any] = predictions
        np.savez_compressed(out / FILE, **arrays)
    # Every process hands its pieces of the weights over, one writes.
    export_adapter(model, joint, data, recipe, summary, out / "adapter", tower=tower, write=processes.leads)
    return summary


def _train(
    model: BehaviorModel,
    data: Prepared,
    recipe: Recipe,
    collator: Collator,
    out: Path,
    states: Path,
    report: Report,
    *,
    resume: bool,
    save: bool,
) -> tuple[float | None, TrainState]:
    """Start the heads, train; the selection figure at the start (None when resumed) and where the run ended."""
    if recipe.optim.cache_states and recipe.lora.first_layer > 0:
        read = min((*recipe.readout.layers, *recipe.readout.last_layers))
        if read < recipe.lora.first_layer:
            remedy = f"Read layers from {recipe.lora.first_layer} on, or switch optim.cache_states off"
            raise SettingsError("readout.layers", "names a layer below the cached ones", value=read, remedy=remedy)
        collator.store = cached_states(
            model, data, collator, states,
            layer=recipe.lora.first_layer, budget=recipe.optim.micro_tokens, report=report,
        )  # fmt: skip
    if recipe.scores_stay:
        pass  # the closing read-out fits the heads
    elif recipe.readout.init == "probe":
        start_heads(model, data, collator, recipe)
    else:
        standardise_heads(model, data, collator, recipe)
    if not recipe.reads_frozen:
        collator.frozen = None  # from here on the tower learns
    trainer = Trainer(
        model, data, recipe,
        collator=collator, folder=out / "state" if save else None, report=report,
    )  # fmt: skip
    first = None if resume and trainer.resume() else trainer.evaluate()
    return first, trainer.fit()


def quiet(event: dict[str, Any]) -> None:
    """A report to nobody: of several processes one speaks."""


def both(one: Report, other: Report) -> Report:
    """A report that tells two listeners."""

    def tell(event: dict[str, Any]) -> None:
        one(event)
        other(event)

    return tell


def round_weights(model: BehaviorModel) -> None:
    """Round adapters and connector to the bfloat16 they are stored in, so that figures are those of the files."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("connector") or (parameter.requires_grad and not name.startswith("head")):
                parameter.copy_(parameter.to(torch.bfloat16))


def standardise_heads(model: BehaviorModel, data: Prepared, collator: Collator, recipe: Recipe) -> None:
    """Fix the scale of the pooled states from a sample of training rows."""
    rows = data.select(split="train", half=recipe.run.half, fraction=recipe.run.fraction)
    rows = rows[data.rows.metric[rows] >= 0]
    sample = np.random.default_rng(recipe.run.seed).permutation(rows)[: min(2000, recipe.readout.probe_rows)]
    states = score_rows(
        model, collator, sample, budget=recipe.optim.micro_tokens, pooled=True, bins=False, cached=True
    ).pooled
    assert states is not None
    model.head.mean, model.head.scale = (t.clone() for t in standardise(states))


def start_heads(model: BehaviorModel, data: Prepared, collator: Collator, recipe: Recipe) -> None:
    """Start every metric's head from a pairwise logistic fit on the untuned states."""
    standardise_heads(model, data, collator, recipe)
    for metric in range(len(data.metrics)):
        rows = training_rows(data, recipe, metric)
        if not len(rows):
            continue
        i, j, z = probe_pairs(data.rows, rows, size=recipe.readout.probe_group, seed=recipe.run.seed)
        bf16, budget = recipe.run.precision == "bf16", recipe.optim.micro_tokens
        states = score_rows(
            model, collator, rows, budget=budget, pooled=True, bins=False, bf16=bf16, cached=True
        ).pooled
        assert states is not None
        standard = (states - model.head.mean) / model.head.scale
        weights = fit_probe(standard, i, j, z, l2=recipe.readout.probe_l2[-2:][0], least_z=recipe.readout.probe_least_z)
        with torch.no_grad():
            model.head.weight[metric] = weights * weights.numel() ** 0.5


def closing_figures(
    model: BehaviorModel,
    joint: JointHead,
    data: Prepared,
    collator: Collator,
    recipe: Recipe,
    tower: TextTower | None = None,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Figures on validation and test, by 'split/source/metric/readout', and the scores behind them; "unseen_..." are
    training rows as probes score them that were fitted without their groups."""
    figures: dict[str, Any] = {}
    names = ("row", "bins", "head", "joint", "unseen_row", "unseen_bins", "unseen_joint")
    kept: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for split in ("validation", "test"):
        for name, rows in pick_rows(data, split, recipe.run.final_rows).items():
            digits = joint.cuts is None
            scores = score_rows(
                model, collator, rows,
                budget=recipe.optim.micro_tokens, pooled=True, bins=digits, bf16=recipe.run.final_precision == "bf16",
            )  # fmt: skip
            metric = data.rows.metric[rows]
            joined = joint.utility(scores, metric, tower.states(rows) if tower else None)
            bins = scores.bins if digits else joint.bin_probabilities(joined, metric)
            readouts = {"bins": bins @ CENTRES, "head": scores.utility, "joint": joined}
            for readout, values in readouts.items() if digits else [("joint", joined)]:
                figures[f"{split}/{name}/{readout}"] = {
                    k: round(v, 5) for k, v in group_figures(data.rows, rows, values.astype(np.float64)).items()
                }
            kept["row"].append(rows)
            kept["bins"].append(bins)
            kept["head"].append(scores.utility)
            kept["joint"].append(joined)
    for number, unseen in joint.unseen.items():
        kept["unseen_row"].append(unseen.rows)
        kept["unseen_bins"].append(joint.bin_probabilities(unseen.utility, np.full(len(unseen.rows), number)))
        kept["unseen_joint"].append(unseen.utility)
    return figures, {name: np.concatenate(parts) if parts else np.zeros(0) for name, parts in kept.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the fitting stage."""
    parser = argparse.ArgumentParser(prog="python -m lcbm_model.training.fit", description=__doc__)
    parser.add_argument("prepared", type=Path, help="prepared folder")
    parser.add_argument("--base", type=Path, required=True, help="folder of the base weights (safetensors or GGUF)")
    parser.add_argument("--text-encoder", type=Path, help="folder of the text encoder (default: the packaged one)")
    parser.add_argument("--runs", type=Path, help="JSON list of runs (default: the prepared recipe once)")
    parser.add_argument("--only", nargs="*", help="names of the runs to do")
    parser.add_argument("--out", type=Path, required=True, help="folder of results")
    parser.add_argument("--resume", action="store_true", help="go on where a killed run stopped")
    parser.add_argument("--deadline", type=float, help="seconds after which no further run is started")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    processes = Processes.launched()

    def say(told: dict[str, Any]) -> None:
        if processes.leads:
            print(json.dumps(told), flush=True)

    try:
        data = Prepared.load(options.prepared)
        recipes = read_variants(options.runs, data.manifest["recipe"], metrics=data.metrics, only=options.only)
        lm = load_base(options.base, data.manifest.get("base", {}).get("hash"))
        for recipe in recipes:
            if options.deadline and processes.agreed(time.monotonic() - started) > options.deadline:
                say({"skipped": recipe.run.name, "reason": "deadline"})
                continue
            summary = run_fit(
                data, copy.deepcopy(lm), recipe, options.out / recipe.run.name,
                resume=options.resume, shared=options.out, text_encoder=options.text_encoder, processes=processes,
            )  # fmt: skip
            say({k: v for k, v in summary.items() if k != "recipe"})
    except LcbmError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        raise SystemExit(error.exit_code) from error
    processes.part()


if __name__ == "__main__":
    main()
