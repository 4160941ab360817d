"""Forward passes in training: halves of precision, shared beginnings, states that are kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lcbm_model.errors import CheckpointError
from lcbm_model.training.data import Prepared
from tests.lcbm_model.training_rows import tiny_recipe

torch = pytest.importorskip("torch")

from lcbm_model.training.base import load_base  # noqa: E402
from lcbm_model.training.collate import Collator  # noqa: E402
from lcbm_model.training.frozen_states import FrozenStates  # noqa: E402
from lcbm_model.training.model import BehaviorModel, half_precision  # noqa: E402
from lcbm_model.training.scoring import score_rows  # noqa: E402
from lcbm_model.training.state_store import cached_states  # noqa: E402
from lcbm_model.training.trainer import Trainer  # noqa: E402


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


@pytest.mark.parametrize("what", ["pictures", "tower"])
def test_states_read_of_other_pictures_are_read_anew(prepared: Prepared, base: Path, tmp_path: Path, what: str) -> None:
    readout, rows = tiny_recipe(base, tmp_path).readout, np.arange(4)
    FrozenStates(prepared, readout, tmp_path, size=3).put(rows, torch.ones(4, 3))
    assert not len(FrozenStates(prepared, readout, tmp_path, size=3).missing(rows))
    if what == "pictures":
        other = replace(prepared, pictures=np.full((1, 2, 3), 200, dtype=np.uint8))
    else:
        other = replace(prepared, manifest={**prepared.manifest, "base": {"vision_hash": "another"}})
    assert len(FrozenStates(other, readout, tmp_path, size=3).missing(rows)) == 4


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


def _gradients(base: Path, rows: Path, prepared: Prepared, **optim: Any) -> tuple[dict[str, Any], dict[str, float]]:
    """Of one step on behaviour and words, and its terms."""
    recipe = tiny_recipe(
        base, rows, lora={"rank": 2, "dropout": 0.0}, run={"mix": {"upworthy": 1.0, "text": 1.0}},
        optim={"tokens_per_step": 4000, "clip": 1e9, **optim},
    )  # fmt: skip
    torch.manual_seed(0)
    model = BehaviorModel(
        load_base(base), digit_ids=prepared.digit_ids, metrics=len(prepared.metrics),
        channels=prepared.pictures.shape[-1], lora=recipe.lora, readout=recipe.readout,
    )  # fmt: skip
    for name, parameter in sorted(model.trainable().items()):
        generator = torch.Generator().manual_seed(len(name))
        parameter.data.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    collator = Collator(prepared, "cpu", share_prefix=recipe.optim.share_prefix)
    trainer = Trainer(model, prepared, recipe, collator=collator)
    found: dict[str, Any] = {}

    def keep() -> None:
        found.update({name: p.grad.clone() for name, p in model.trainable().items() if p.grad is not None})

    trainer._optimizer.step = keep  # type: ignore[assignment,method-assign]
    terms, _ = trainer._step(0)
    return found, terms


@pytest.mark.parametrize("cut", [{"micro_tokens": 500}, {"micro_tokens": 1500}, {"share_prefix": True}])
def test_a_step_is_the_same_however_it_is_cut_into_passes(
    prepared: Prepared, base: Path, rows: Path, cut: dict[str, Any]
) -> None:
    whole, told = _gradients(base, rows, prepared, micro_tokens=100_000)
    parts, said = _gradients(base, rows, prepared, **{"micro_tokens": 100_000, **cut})
    assert {"bins", "pairs", "text"} <= set(told)
    assert said == pytest.approx(told, rel=1e-3, abs=1e-4)
    for name, gradient in whole.items():
        assert torch.allclose(parts[name], gradient, rtol=1e-2, atol=1e-4 * float(gradient.abs().max()) + 1e-7), name
