"""The algebra of the loss terms, the ordered cuts and the samplers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcbm_model.behavior import N_BINS
from lcbm_model.corpus.shrinkage import decile_target
from lcbm_model.training import data as training_data

torch = pytest.importorskip("torch")

from lcbm_model.training import losses  # noqa: E402
from lcbm_model.training.collate import ChunkSampler, micro_batches  # noqa: E402
from lcbm_model.training.joint import fit_cuts  # noqa: E402
from lcbm_model.training.probe import fit_probe  # noqa: E402

REAL = st.floats(-3, 3, width=32)
FEW = settings(max_examples=40, deadline=None)


def test_bins_are_counted_alike() -> None:
    assert training_data.N_BINS == N_BINS


@FEW
@given(percentile=st.floats(0, 100), reliability=st.floats(0, 1))
def test_soft_bins_are_the_corpus_target(percentile: float, reliability: float) -> None:
    found = losses.soft_bins(torch.tensor([percentile]).double(), torch.tensor([reliability]).double())[0]
    assert found.tolist() == pytest.approx(decile_target(percentile, reliability), abs=1e-5)
    assert float(found.sum()) == pytest.approx(1)


@FEW
@given(utility=st.lists(REAL, min_size=2, max_size=6), shift=REAL)
def test_pair_loss_knows_differences_only(utility: list[float], shift: float) -> None:
    u = torch.tensor(utility).double()
    value, noise = torch.arange(len(u)).double(), torch.ones(len(u)).double()
    chunk = torch.zeros(len(u)).long()
    one, other = (losses.pair_loss(x, value, noise, chunk) for x in (u, u + shift))
    assert float(one) == pytest.approx(float(other), abs=1e-9)
    turned = losses.pair_loss(u.flip(0), value.flip(0), noise, chunk)
    assert float(one) == pytest.approx(float(turned), abs=1e-9)


def test_pair_loss_compares_inside_a_chunk_only() -> None:
    value, noise = torch.tensor([0.0, 5.0]), torch.ones(2)
    together = losses.pair_loss(torch.tensor([1.0, 0.0]), value, noise, torch.tensor([0, 0]))
    apart = losses.pair_loss(torch.tensor([1.0, 0.0]), value, noise, torch.tensor([0, 1]))
    right = losses.pair_loss(torch.tensor([0.0, 1.0]), value, noise, torch.tensor([0, 0]))
    assert float(apart) == 0
    assert float(right) < float(together)


@FEW
@given(logits=st.lists(REAL, min_size=10, max_size=10), percentile=st.floats(0, 100))
def test_bins_loss_is_least_at_its_target(logits: list[float], percentile: float) -> None:
    p, r, one = torch.tensor([percentile]), torch.tensor([0.7]), torch.ones(1)
    target = losses.soft_bins(p, r)
    best = losses.bins_loss(target.clamp_min(1e-30).log(), p, r, one)
    assert float(losses.bins_loss(torch.tensor([logits]), p, r, one)) >= float(best) - 1e-5


def test_terms_without_rows_are_nothing() -> None:
    logits = torch.zeros(0, 5, requires_grad=True)
    assert losses.text_loss(logits, torch.zeros(0).long()).item() == 0
    assert float(losses.bins_loss(torch.zeros(2, 10), torch.zeros(2), torch.zeros(2), torch.zeros(2))) == 0


@FEW
@given(
    utility=st.lists(REAL, min_size=30, max_size=60),
    noise=st.integers(0, 1000),
)
def test_cuts_rise_and_a_higher_utility_is_never_worse(utility: list[float], noise: int) -> None:
    u = torch.tensor(utility)
    percentile = torch.from_numpy(np.random.default_rng(noise).uniform(0, 100, len(u)).astype(np.float32))
    slope, cuts = fit_cuts(u, percentile)
    assert slope >= 0
    assert bool((cuts.diff() > 0).all())


def test_cuts_follow_a_utility_that_knows() -> None:
    percentile = torch.linspace(0, 100, 400)
    slope, cuts = fit_cuts(percentile / 25, percentile)
    assert slope > 5
    assert float(cuts[4] / slope) == pytest.approx(2.0, abs=0.2)


def test_a_probe_finds_the_direction_that_wins() -> None:
    rng = np.random.default_rng(0)
    states = torch.from_numpy(rng.normal(size=(200, 6)).astype(np.float32))
    i, j = np.arange(0, 200, 2), np.arange(1, 200, 2)
    z = ((states[i] - states[j])[:, 2] * 3).numpy()
    weights = fit_probe(states, i, j, z, l2=0.01, least_z=0.5)
    assert int(weights.abs().argmax()) == 2
    assert float(weights[2]) > 0
    assert not fit_probe(states, i, j, z * 0, l2=0.01, least_z=0.5).any()


@FEW
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8), size=st.integers(1, 5), seed=st.integers(0, 9))
def test_an_epoch_shows_every_row_once(sizes: list[int], size: int, seed: int) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.arange(len(groups)) + 100
    alike = groups % 2 if seed % 2 else None
    sampler = ChunkSampler(rows, groups, np.full(len(rows), 7), size=size, seed=seed, alike=alike)
    chunks = sampler.take(0, sampler.chunks)
    assert sorted(np.concatenate(chunks).tolist()) == rows.tolist()
    assert all(len(c) <= size and len(set(groups[c - 100].tolist())) == 1 for c in chunks)


@FEW
@given(lengths=st.lists(st.integers(1, 50), min_size=1, max_size=20), budget=st.integers(1, 200))
def test_micro_batches_cut_no_chunk_and_keep_the_budget(lengths: list[int], budget: int) -> None:
    chunks = [np.array([i]) for i in range(len(lengths))]
    kinds = np.arange(len(lengths)) % 2
    found = list(micro_batches(chunks, kinds, np.array(lengths), budget))
    assert sorted(np.concatenate([rows for rows, _ in found]).tolist()) == list(range(len(lengths)))
    for rows, _ in found:
        assert len({int(k) for k in kinds[rows]}) == 1
        assert len(rows) == 1 or len(rows) * max(lengths[r] for r in rows) <= budget
