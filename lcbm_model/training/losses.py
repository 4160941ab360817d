"""The loss terms: soft-bin cross-entropy, Bradley-Terry on pairs, a value term, and text.

Legend: B rows, K = 10 behaviour bins. Every function returns a scalar mean, 0 (with a graph) where nothing applies.
`total` is what the sum is divided by instead of the weight of these rows: that of a whole step, where they are a part
of one, so that a step is the same however it is cut into passes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from lcbm_model.training.data import N_BINS


def soft_bins(percentile: Tensor, reliability: Tensor) -> Tensor:
    """`corpus.shrinkage.decile_target` for a batch: sharp where much was measured, flat where little.

    Args:
        percentile: (B,) observed rank, 0..100.
        reliability: (B,) share of the spread that is no luck, 0..1, cut to 0.02..0.98.

    Returns:
        (B, K) rows that sum to 1.
    """
    r = reliability.clamp(0.02, 0.98)[:, None]
    score = torch.special.ndtri((percentile / 100).clamp(0.001, 0.999))[:, None]
    edges = torch.special.ndtri(torch.linspace(0, 1, N_BINS + 1, device=percentile.device)[1:-1])  # (K - 1,)
    below = torch.special.ndtr((edges - r.sqrt() * score) / (1 - r).sqrt())  # (B, K - 1)
    zero, one = torch.zeros_like(below[:, :1]), torch.ones_like(below[:, :1])
    return torch.cat([below, one], dim=1) - torch.cat([zero, below], dim=1)


def bins_loss(
    logits: Tensor, percentile: Tensor, reliability: Tensor, weight: Tensor, *, total: float | None = None
) -> Tensor:
    """Cross-entropy of the digit logits (B, K) against soft bins, weighted mean."""
    per_row = -(soft_bins(percentile, reliability) * F.log_softmax(logits, dim=-1)).sum(-1)
    return _mean(per_row, weight, total)


def expected_percentile(logits: Tensor) -> Tensor:
    """(B, K) digit logits to the expected percentile (B,), 0..100."""
    centres = (torch.arange(N_BINS, device=logits.device) + 0.5) * (100 / N_BINS)
    return logits.softmax(-1) @ centres


def value_loss(logits: Tensor, percentile: Tensor, weight: Tensor, *, total: float | None = None) -> Tensor:
    """Squared error of the expected percentile, both as 0..1."""
    return _mean(((expected_percentile(logits) - percentile) / 100) ** 2, weight, total)


def compared(value: Tensor, noise: Tensor, chunk: Tensor) -> tuple[Tensor, Tensor]:
    """z (B, B) of all pairs, and what each weighs: min(|z|, 4) / 2 once inside a chunk, 0 elsewhere."""
    z = (value[:, None] - value[None]) / torch.sqrt(noise[:, None] ** 2 + noise[None] ** 2).clamp_min(1e-12)
    together = torch.triu(chunk[:, None] == chunk[None], diagonal=1)
    return z, torch.where(together, z.abs().clamp(max=4) / 2, 0.0)


def pair_loss(utility: Tensor, value: Tensor, noise: Tensor, chunk: Tensor, *, total: float | None = None) -> Tensor:
    """Bradley-Terry over all pairs of one chunk, each weighed by its significance.

    For a pair with z = (v_i - v_j) / sqrt(noise_i^2 + noise_j^2) the target is Phi(z), the weight min(|z|, 4) / 2.

    Args:
        utility: (B,) model scores; differences are log-odds of winning.
        value, noise: (B,) outcome and its standard error.
        chunk: (B,) rows of the same number are compared.
    """
    z, weight = compared(value, noise, chunk)
    target = torch.special.ndtr(z)
    loss = F.binary_cross_entropy_with_logits(utility[:, None] - utility[None], target, reduction="none")
    return _mean(loss, weight, total)


def text_loss(logits: Tensor, targets: Tensor, *, total: float | None = None) -> Tensor:
    """Cross-entropy over target tokens only. logits (M, V), targets (M,)."""
    if not len(targets):
        return logits.sum() * 0.0
    return F.cross_entropy(logits.float(), targets, reduction="sum") / (total or len(targets))


def _mean(values: Tensor, weight: Tensor, total: float | None) -> Tensor:
    return (values * weight).sum() / (weight.sum().clamp_min(1e-6) if total is None else max(total, 1e-6))
