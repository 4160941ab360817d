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
from lcbm_model.errors import BackendError, CheckpointError, SettingsError
from lcbm_model.generation import perplexity
from lcbm_model.metrics import get_metric
from lcbm_model.simulator import load_simulator
from lcbm_model.training.data import Prepared
from lcbm_model.verbalize import content_prompt
from tests.lcbm_model.tiny_model import write_tiny_model
from tests.lcbm_model.training_rows import tiny_recipe, write_upworthy

torch = pytest.importorskip("torch")

from lcbm_model.backbone.loader import load_backbone  # noqa: E402
from lcbm_model.training.base import load_base  # noqa: E402
from lcbm_model.training.collate import Collator  # noqa: E402
from lcbm_model.training.corpus_rows import prepare_recipe  # noqa: E402
from lcbm_model.training.fit import run_fit  # noqa: E402
from lcbm_model.training.frozen_states import FrozenStates  # noqa: E402
from lcbm_model.training.model import BehaviorModel, half_precision  # noqa: E402
from lcbm_model.training.run import train_recipe  # noqa: E402
from lcbm_model.training.scoring import score_rows  # noqa: E402
from lcbm_model.training.state_store import cached_states  # noqa: E402


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("training") / "base", layers=4)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_upworthy(tmp_path_factory.mktemp("training") / "data")


@pytest.fixture(scope="module")
def prepared(base: Path, rows: Path) -> Prepared:
    return prepare_recipe(tiny_recipe(base, rows))


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


SILENT = {"bins": 0, "value": 0, "pairs": 0, "pairs_bins": 0}
WRITES: dict[str, dict[str, Any]] = {
    "data": {"text_tasks": ["content_write"], "text_examples": 60},
    "lora": {"first_layer": 3},
    "loss": {"bins": 0, "value": 0, "pairs_bins": 0},
    "optim": {"steps": 4, "lr": 0.01},
    "run": {"mix": {"text": 1.0}, "eval_every": 2},
}


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


def test_a_metric_without_validation_rows_stops_the_run_before_it_begins(
    prepared: Prepared, base: Path, tmp_path: Path
) -> None:
    rows = fields_of(prepared.rows)
    rows["split"] = np.where(rows["split"] == 1, 0, rows["split"])
    bad = Prepared(**{**vars(prepared), "rows": type(prepared.rows)(**rows)})
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


def tiny_behavior_model(prepared: Prepared, base: Path, folder: Path, *, rank: int) -> BehaviorModel:
    recipe = tiny_recipe(base, folder, lora={"rank": rank})
    return BehaviorModel(
        load_base(base), digit_ids=prepared.digit_ids, metrics=len(prepared.metrics),
        channels=prepared.pictures.shape[-1], lora=recipe.lora, readout=recipe.readout,
    )  # fmt: skip


def test_frozen_states_stand_for_the_forward_pass(prepared: Prepared, base: Path, tmp_path: Path) -> None:
    model = tiny_behavior_model(prepared, base, tmp_path, rank=0)
    readout = tiny_recipe(base, tmp_path).readout
    chosen = np.flatnonzero(prepared.rows.metric >= 0)[:9]
    collator = Collator(prepared, "cpu", share_prefix=True)
    asked: dict[str, Any] = {"budget": 20_000, "pooled": True, "bins": False}
    direct = score_rows(model, collator, chosen, **asked)
    size = direct.pooled.shape[1]
    collator.frozen = FrozenStates(prepared, readout, tmp_path / "frozen", size=size)
    score_rows(model, collator, chosen[3:], **asked)
    assert collator.frozen.missing(chosen).tolist() == chosen[:3].tolist()
    kept = score_rows(model, collator, chosen, **asked)
    assert torch.allclose(kept.pooled, direct.pooled, atol=1e-5)
    assert np.allclose(kept.utility, direct.utility, atol=1e-5)
    again = FrozenStates(prepared, readout, tmp_path / "frozen", size=size)
    assert torch.equal(again.take(chosen, torch.device("cpu")), kept.pooled)
    found = FrozenStates.kept_in(prepared, readout, tmp_path / "frozen")
    assert found.read(chosen).tolist() == chosen.tolist()
    assert torch.equal(found.take(chosen, torch.device("cpu")), kept.pooled)
    other = replace(readout, layers=(1,))
    with pytest.raises(CheckpointError, match="states of other rows, layers or weights"):
        FrozenStates.kept_in(prepared, other, tmp_path / "frozen")
    with pytest.raises(CheckpointError, match="holds no states of a run"):
        FrozenStates.kept_in(prepared, readout, tmp_path / "elsewhere")
    assert len(FrozenStates(prepared, other, tmp_path / "frozen", size=size).missing(chosen)) == len(chosen)


def test_shuffled_outcomes_stay_in_their_group_and_test_keeps_its_own(prepared: Prepared) -> None:
    rows, found = prepared.rows, prepared.shuffled(seed=0).rows
    test = rows.split == 2
    assert test.any()
    assert np.array_equal(found.value[test], rows.value[test])
    assert (found.value != rows.value)[~test & (rows.metric >= 0)].mean() > 0.3
    for group in np.unique(rows.pair_group):
        members = np.flatnonzero(rows.pair_group == group)
        outcomes = [sorted(zip(r.value[members], r.percentile[members], strict=True)) for r in (rows, found)]
        assert outcomes[0] == outcomes[1]
    assert np.array_equal(found.row_keys, rows.row_keys), "the texts stay"
    assert np.array_equal(found.value[rows.metric < 0], rows.value[rows.metric < 0])


def test_half_precision_gives_the_weights_back(prepared: Prepared, base: Path, tmp_path: Path) -> None:
    model = tiny_behavior_model(prepared, base, tmp_path, rank=2)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    with half_precision(model, "cpu", enabled=True):
        kinds = {p.dtype for p in model.lm.parameters() if not p.requires_grad}
        assert kinds == {torch.bfloat16}
        assert {p.dtype for p in model.trainable().values()} == {torch.float32}
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())


def test_in_half_precision_every_pass_sees_the_adapters_of_its_step(
    prepared: Prepared, base: Path, tmp_path: Path
) -> None:
    model = tiny_behavior_model(prepared, base, tmp_path, rank=2)
    torch.nn.init.normal_(model.head.weight, generator=torch.Generator().manual_seed(0))
    batch = Collator(prepared, "cpu").batch(np.flatnonzero(prepared.rows.metric >= 0)[:6])
    with half_precision(model, "cpu", enabled=True):
        first = model(batch).utility
        first.sum().backward()
        with torch.no_grad():
            for name, parameter in model.trainable().items():
                if "lora_B" in name:
                    parameter.add_(0.5)
        second = model(batch).utility
    with half_precision(model, "cpu", enabled=True):
        afresh = model(batch).utility
    assert not torch.allclose(first, second, rtol=0.01)
    assert torch.allclose(second, afresh, rtol=1e-3)


def test_shared_prefixes_and_cached_states_change_nothing(prepared: Prepared, base: Path, tmp_path: Path) -> None:
    model = tiny_behavior_model(prepared, base, tmp_path, rank=0)
    plain, shared = Collator(prepared, "cpu"), Collator(prepared, "cpu", share_prefix=True)
    chosen = np.random.default_rng(0).permutation(len(prepared.rows))[:40]
    batch = shared.batch(chosen[prepared.rows.metric[chosen] >= 0])
    assert batch.shared_ids is not None
    assert batch.shared_ids.shape[1] > 100
    whole, parted = (score_rows(model, c, chosen, budget=20_000, pooled=True) for c in (plain, shared))
    assert np.allclose(whole.bins, parted.bins, atol=1e-5)
    assert torch.allclose(whole.pooled, parted.pooled, atol=1e-4)
    for collator in (plain, shared):
        collator.store = cached_states(model, prepared, collator, tmp_path / "states", layer=1, budget=20_000)
        cached = score_rows(model, collator, chosen, budget=20_000, pooled=True, cached=True)
        assert torch.allclose(whole.pooled, cached.pooled, atol=0.02)  # states are kept in float16
        assert not torch.equal(whole.pooled, cached.pooled)


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
    bad = Prepared(**{**vars(prepared), "rows": type(rows)(**{**fields_of(rows), "value": broken})})
    recipe = tiny_recipe(base, tmp_path, readout={"init": "zero"})
    with pytest.raises(BackendError, match=r"not finite at step 1 .* Lower optim\.lr"):
        run_fit(bad, load_base(base), recipe, tmp_path / "run")
    kept = load_file(tmp_path / "run" / "state" / "state.safetensors")
    assert kept
    assert all(torch.isfinite(tensor).all() for tensor in kept.values())


def fields_of(rows: Any) -> dict[str, Any]:
    from dataclasses import fields

    return {f.name: getattr(rows, f.name) for f in fields(rows)}


def test_another_base_is_refused(prepared: Prepared, base: Path, tmp_path: Path) -> None:
    other = write_tiny_model(tmp_path / "other", layers=4, seed=1)
    with pytest.raises(CheckpointError, match="not the base the data was prepared for"):
        load_base(other, prepared.manifest["base"]["hash"])
    with pytest.raises(CheckpointError, match="no GGUF and no safetensors"):
        load_base(tmp_path)


def test_leaks_are_dropped_from_files_and_refused_in_a_corpus(base: Path, tmp_path: Path) -> None:
    from lcbm_model.corpus.build import build, plan
    from lcbm_model.corpus.store import (
        file_sha256,
        read_manifest,
        read_records,
        write_manifest,
        write_records,
    )

    raw = write_upworthy(tmp_path / "raw", leak=True)
    clean = prepare_recipe(tiny_recipe(base, raw))
    assert clean.manifest["leaks_dropped"] == {"exact": 1}
    corpus = tmp_path / "corpus"
    build(plan([raw]), corpus)
    same = prepare_recipe(tiny_recipe(base, corpus))
    assert sorted(same.ids) == sorted(clean.ids)

    manifest = read_manifest(corpus)
    path = corpus / manifest.sources[0].file
    records = list(read_records(path))
    held = next(r for r in records if r.split == "test")
    first = records[0].model_copy(update={"content": held.content})
    write_records([first, *records[1:]], path)
    entry = manifest.sources[0].model_copy(update={"sha256": file_sha256(path)})
    write_manifest(manifest.model_copy(update={"sources": (entry,)}), corpus)
    with pytest.raises(SettingsError, match="give held-out ones away"):
        prepare_recipe(tiny_recipe(base, corpus))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"data": {"sources": ["reddit"]}}, "holds no such source"),
        ({"data": {"sources": ["table"]}}, "needs a file"),
        ({"data": {"max_length": 20}}, "no record gave an example"),
        ({"readout": {"layers": [9]}}, "names no layer of the base"),
        ({"lora": {"targets": ["q_proj", "v_pro"]}}, r"lora\.targets: names no layer to tune .*'v_pro'.*v_proj"),
        ({**WRITES, "run": {"mix": {"upworthy": 1.0}}, "loss": SILENT}, "no term learns from what run.mix shows"),
        ({**WRITES, "loss": {**SILENT, "text": 0.0}}, "no term learns from what run.mix shows"),
        ({"lora": {"targets": []}}, r"lora\.targets: names no layer to tune"),
        ({"lora": {"first_layer": 3}, "optim": {"cache_states": True}}, "below the cached ones"),
        ({"run": {"mix": {"reddit": 1.0}}}, "source that was not prepared"),
        ({"run": {"select_on": {"reddit": 1.0}}}, r"select_on: names a source that was not prepared.*Known: text, up"),
        ({"run": {"select_on": {"upworthy": 0.0}}}, "weighs nothing that is measured here.*Weigh one of: upworthy"),
        ({**WRITES, "run": {**WRITES["run"], "select_on": {"upworthy": 1}}}, "measured here.*Weigh one of: text"),
        ({"base": {"architecture": "causal"}, "data": {"sources": ["upworthy"], "max_length": 30}}, "no record gave"),
    ],
)
def test_settings_that_the_data_or_the_base_do_not_allow(
    changes: dict[str, Any], problem: str, base: Path, rows: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=problem):
        train_recipe(tiny_recipe(base, rows, **changes), tmp_path)


def test_pictures_that_would_be_cut_stop_the_run(prepared: Prepared, base: Path, tmp_path: Path) -> None:
    from lcbm_model.metrics import get_metric
    from lcbm_model.training.bases import prompt_encoder, resolve_base
    from lcbm_model.training.prepare import Encoder
    from lcbm_model.verbalize import IMAGE, Prompt

    prompts = prompt_encoder(resolve_base(tiny_recipe(base, tmp_path).base))
    encoder = Encoder(prompts, end_id=0, max_length=60)
    with pytest.raises(SettingsError, match="picture tokens would be cut"):
        encoder(Prompt(shared=f"{IMAGE} seen", own="x: y", pictures=(tmp_path / "a.png",)))
    assert get_metric("click_rate")
    rows = fields_of(prepared.rows)
    rows["picture"] = np.zeros_like(rows["picture"])
    rows["picture_at"] = rows["own_start"] - 3
    shown = Prepared(
        **{**vars(prepared), "rows": type(prepared.rows)(**rows), "pictures": np.zeros((1, 64, 4), np.uint8)}
    )
    with pytest.raises(SettingsError, match="64 picture tokens do not fit"):
        shown.check()


def test_nothing_to_learn_from_stops_the_run(prepared: Prepared) -> None:
    rows = fields_of(prepared.rows)
    rows["split"] = np.ones_like(rows["split"])
    held = Prepared(**{**vars(prepared), "rows": type(prepared.rows)(**rows)})
    with pytest.raises(SettingsError, match="no supervised token"):
        held.check()
