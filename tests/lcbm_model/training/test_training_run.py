"""Whole runs on a tiny random model: from records to an adapter that the simulator reads back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lcbm_model.content import Communicator, Content
from lcbm_model.corpus.registry import get_reader
from lcbm_model.errors import BackendError, SettingsError
from lcbm_model.generation import perplexity
from lcbm_model.metrics import get_metric
from lcbm_model.simulator import load_simulator
from lcbm_model.training.data import Prepared
from lcbm_model.verbalize import content_prompt
from tests.lcbm_model.tiny_model import write_tiny_model
from tests.lcbm_model.training_rows import WRITES, tiny_recipe

torch = pytest.importorskip("torch")

from lcbm_model.backbone.loader import load_backbone  # noqa: E402
from lcbm_model.training.base import load_base  # noqa: E402
from lcbm_model.training.fit import run_fit  # noqa: E402
from lcbm_model.training.run import train_recipe  # noqa: E402


def saved_utilities(run: Path) -> dict[str, float]:
    data = Prepared.load(run / "prepared")
    with np.load(run / "predictions.npz") as arrays:
        return {data.ids[r]: float(u) for r, u in zip(arrays["row"], arrays["joint"], strict=True)}


def reloaded_utilities(run: Path, rows: Path, names: set[str]) -> dict[str, float]:
    records = [r for r in get_reader("upworthy").read(rows / "upworthy.parquet") if r.id in names]
    simulator = load_simulator(run / "adapter", device="cpu", calibrated=False)
    answers = simulator.predict([r.content for r in records], "click_rate")
    return {r.id: float(a.utility or 0) for r, a in zip(records, answers, strict=True)}


TEXT_ENCODER = {"rank": 2, "steps": 3, "tokens_per_step": 300, "eval_every": 2, "head_lr": 0.1, "max_tokens": 24}


@pytest.mark.parametrize("kind", ["tuned", "heads", "upper layers", "text only", "no digits", "text encoder", "kernel"])
def test_reloaded_scores_equal_the_saved_ones(kind: str, base: Path, rows: Path, tmp_path: Path) -> None:
    changes: dict[str, dict[str, Any]] = {
        "tuned": {},
        "heads": {"lora": {"rank": 0}, "optim": {"steps": 0, "share_prefix": True}, "readout": {"last_layers": [1]}},
        "text encoder": {"text_encoder": TEXT_ENCODER},
        "kernel": {
            "lora": {"rank": 0},
            "optim": {"steps": 0},
            "readout": {"kernel": 16, "kernel_rank": 6, "probe_least_z": 0.0, "probe_l2": [100.0]},
        },
        "no digits": {"loss": {"bins": 0, "value": 0, "pairs_bins": 0}, "run": {"precision": "bf16"}},
        "text only": {"base": {"architecture": "causal"}, "optim": {"share_prefix": True}},
        "upper layers": {"lora": {"first_layer": 2}, "optim": {"cache_states": True, "share_prefix": True}},
    }[kind]
    if kind == "text only":
        base = write_tiny_model(tmp_path / "base", stamp=False)
    found = train_recipe(tiny_recipe(base, rows, **changes), tmp_path)
    saved = saved_utilities(tmp_path)
    reloaded = reloaded_utilities(tmp_path, rows, set(saved))
    assert len(saved) > 10
    assert reloaded == pytest.approx(saved, abs=1e-5)
    assert len(set(saved.values())) > 5
    spec = json.loads((tmp_path / "adapter" / "lcbm.json").read_text())
    assert (spec["base_hash"] == "0" * 64) == (kind != "text only")
    assert (tmp_path / "adapter" / "connector.safetensors").exists() == (kind != "text only")
    assert spec["training"]["recipe"]["run"]["name"] == "tiny"
    heads_alone = kind in ("heads", "kernel")
    assert (tmp_path / "adapter" / "adapter_model.safetensors").exists() != heads_alone
    assert (tmp_path / "adapter" / "kernels.safetensors").exists() == (kind == "kernel")
    assert (tmp_path / "states" / "states.json").exists() == (kind == "upper layers")
    assert (tmp_path / "adapter" / "text_encoder.safetensors").exists() == (kind == "text encoder")
    assert "test/upworthy/click_rate/joint" in found["figures"]
    assert (tmp_path / "loss.svg").exists() != heads_alone


def test_adapters_above_the_heads_teach_to_write_and_change_no_score(base: Path, rows: Path, tmp_path: Path) -> None:
    found = train_recipe(tiny_recipe(base, rows, **WRITES), tmp_path / "writes")
    heads = {**WRITES, "lora": {"rank": 0}, "optim": {"steps": 0}}
    train_recipe(tiny_recipe(base, rows, **heads), tmp_path / "heads")
    saved = saved_utilities(tmp_path / "writes")
    assert saved == pytest.approx(saved_utilities(tmp_path / "heads"), abs=1e-6)
    assert reloaded_utilities(tmp_path / "writes", rows, set(saved)) == pytest.approx(saved, abs=1e-5)
    events = [json.loads(line) for line in (tmp_path / "writes" / "log.jsonl").read_text().splitlines()]
    held = [e["validation"]["text/answers/words"] for e in events if "validation" in e]
    assert held[-1]["loss_per_token"] < held[0]["loss_per_token"]
    assert held[-1]["token_likelihood"] == pytest.approx(np.exp(-held[-1]["loss_per_token"]))
    assert found["best_step"] == 4

    setting = Content(text="", channel="headline", communicator=Communicator(name="Upworthy"))
    prompt = content_prompt(setting, get_metric("click_rate"), 90)
    plain, tuned = (load_backbone(name, device="cpu") for name in (base, tmp_path / "writes" / "adapter"))
    assert perplexity(tuned, prompt, "kilume dosori bright") < perplexity(plain, prompt, "kilume dosori bright")


def test_where_nothing_can_be_measured_the_last_step_is_kept(base: Path, rows: Path, tmp_path: Path) -> None:
    few = {**WRITES, "data": {"text_tasks": ["content_write"], "text_examples": 9}}
    assert train_recipe(tiny_recipe(base, rows, **few), tmp_path)["best_step"] == 4
    events = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {str(event["validation"]) for event in events if "validation" in event} == {"{}"}


def test_outcomes_that_hardly_differ_choose_no_step(prepared: Prepared, base: Path, rows: Path, tmp_path: Path) -> None:
    """Validation has rows, and none that is told from another: the latest weights count, and nothing stops early."""
    held = prepared.rows.split == 1
    alike = {name: np.where(held, 50, getattr(prepared.rows, name)) for name in ("value", "percentile")}
    types = {name: column.astype(getattr(prepared.rows, name).dtype) for name, column in alike.items()}
    data = replace(prepared, rows=replace(prepared.rows, **types))
    recipe = tiny_recipe(base, rows, optim={"steps": 3}, run={"patience": 1})
    found = run_fit(data, load_base(base), recipe, tmp_path, save=False)
    assert found["selection_at_start"] is None
    assert found["best_step"] == 3


def test_an_adapter_holds_nothing_of_an_earlier_run(prepared: Prepared, base: Path, rows: Path, tmp_path: Path) -> None:
    run_fit(prepared, load_base(base), tiny_recipe(base, rows), tmp_path, save=False)
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()
    run_fit(prepared, load_base(base), tiny_recipe(base, rows, lora={"rank": 0}), tmp_path, save=False)
    assert not (tmp_path / "adapter" / "adapter_model.safetensors").exists()
    assert not load_backbone(tmp_path / "adapter", device="cpu").adapter.lora
    steps = [json.loads(line).get("step") for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert 1 not in steps, "the log is that of the last run"
    (tmp_path / "prepared").mkdir()
    with pytest.raises(SettingsError, match="already holds a run"):
        train_recipe(tiny_recipe(base, rows), tmp_path)


def test_a_metric_without_validation_rows_stops_the_run_before_it_begins(
    prepared: Prepared, base: Path, tmp_path: Path
) -> None:
    split = np.where(prepared.rows.split == 1, 0, prepared.rows.split)
    bad = replace(prepared, rows=replace(prepared.rows, split=split))
    with pytest.raises(SettingsError, match=r"no row in the validation split .*'click_rate'"):
        run_fit(bad, load_base(base), tiny_recipe(base, tmp_path), tmp_path / "run")


def test_a_head_without_trained_digits_states_bins_of_its_own(base: Path, rows: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(base, rows, lora={"rank": 0}, data={"max_held": 40, "text_examples": 0})
    train_recipe(recipe, tmp_path)
    simulator = load_simulator(tmp_path / "adapter", device="cpu", calibrated=False)
    contents = [
        Content(text=f"{i} kibado", channel="headline", communicator=Communicator(name="Upworthy")) for i in range(6)
    ]
    answers = simulator.predict(contents, "click_rate")
    by_utility = sorted(answers, key=lambda a: a.utility or 0)
    expected = [a.expected for a in by_utility]
    assert expected == sorted(expected)
    assert all(sum(a.bins) == pytest.approx(1) for a in answers)


class Killed(Exception):
    pass


def test_a_killed_run_ends_like_an_unbroken_one(base: Path, rows: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(base, rows, lora={"dropout": 0.2}, optim={"steps": 4, "ema": 0.5})
    whole = train_recipe(recipe, tmp_path / "whole")

    def kill(event: dict[str, Any]) -> None:
        if event.get("step") == 3 and "selection" in event:
            raise Killed

    with pytest.raises(Killed):
        train_recipe(recipe, tmp_path / "broken", report=kill)
    with pytest.raises(SettingsError, match="already holds a run"):
        train_recipe(recipe, tmp_path / "broken")
    resumed = train_recipe(recipe, tmp_path / "broken", resume=True)
    assert resumed["figures"] == whole["figures"]
    assert saved_utilities(tmp_path / "broken") == saved_utilities(tmp_path / "whole")
    other = tiny_recipe(base, rows, optim={"lr": 1.0})
    with pytest.raises(SettingsError, match="another recipe"):
        train_recipe(other, tmp_path / "broken", resume=True)


def test_a_run_killed_before_its_first_saved_state_still_knows_its_start(
    base: Path, rows: Path, tmp_path: Path
) -> None:
    worse = {"steps": 3, "lr": 0.5, "head_lr": 0.5, "connector_lr": 0.5}
    recipe = tiny_recipe(base, rows, loss={"text": 0.0}, optim=worse, run={"save_every": 100, "patience": 9})
    whole = train_recipe(recipe, tmp_path / "whole")

    def kill(event: dict[str, Any]) -> None:
        if event.get("step") == 2 and "selection" in event:
            raise Killed

    with pytest.raises(Killed):
        train_recipe(recipe, tmp_path / "broken", report=kill)
    resumed = train_recipe(recipe, tmp_path / "broken", resume=True)
    for key in ("best_step", "selection", "figures"):
        assert resumed[key] == whole[key], key


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_state(
    prepared: Prepared, base: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    rows = prepared.rows
    broken = rows.value.copy()
    broken[rows.split == 0] = np.nan
    bad = replace(prepared, rows=replace(rows, value=broken))
    recipe = tiny_recipe(base, tmp_path, readout={"init": "zero"})
    with pytest.raises(BackendError, match=r"not finite at step 1 .* Lower optim\.lr"):
        run_fit(bad, load_base(base), recipe, tmp_path / "run")
    kept = load_file(tmp_path / "run" / "state" / "state.safetensors")
    assert kept
    assert all(torch.isfinite(tensor).all() for tensor in kept.values())
