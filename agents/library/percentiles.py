"""Ranks inside a channel, once rates that few people stand behind have been pulled towards the channel's own.

A rate of 2 in 40 is hardly a fact. Rates with known exposures are replaced, for ranking only, by their posterior mean
under a beta prior fitted to the channel (beta-binomial maximum likelihood): the fewer the exposures, the nearer to the
channel's mean. The raw value stays beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy.optimize import minimize
from scipy.special import betaln, digamma, expit, logit

from lcbm_model.behavior import PercentileScale
from lcbm_model.metrics import Metric, get_metric

_MIN_POSTS = 3
"""Fewer posts carry no prior: their rates stay as they are."""
_FIT_SAMPLE = 20_000
"""Posts a prior is fitted on at most; two parameters need no more."""


def rank(frame: pl.DataFrame, metrics: Sequence[str]) -> pl.DataFrame:
    """Adds `ranked.NAME` (the value that is ranked) and `percentile.NAME`: 0..100 inside the channel, 100 the best.

    Args:
        frame: Posts with `channel`, `value.NAME` and `exposure.NAME`.
    """
    _, codes = np.unique(frame["channel"].to_numpy(), return_inverse=True)
    order = np.argsort(codes, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    for name in metrics:
        metric = get_metric(name)
        values = frame[f"value.{name}"].fill_null(np.nan).to_numpy()
        exposures = frame[f"exposure.{name}"].fill_null(np.nan).to_numpy()
        ranked, percentiles = np.full(len(values), np.nan), np.full(len(values), np.nan)
        for group in groups:
            here = group[~np.isnan(values[group])]
            if here.size:
                ranked[here] = _ranked_values(metric, values[here], exposures[here])
                scale = PercentileScale.fit(ranked[here], higher_is_better=metric.higher_is_better)
                percentiles[here] = np.interp(ranked[here], scale.values, scale.percentiles)
        frame = frame.with_columns(
            pl.Series(f"ranked.{name}", ranked).fill_nan(None),
            pl.Series(f"percentile.{name}", percentiles).fill_nan(None),
        )
    return frame


def _ranked_values(metric: Metric, values: np.ndarray, exposures: np.ndarray) -> np.ndarray:
    return shrink(values, exposures) if metric.kind == "rate" else values


def shrink(values: np.ndarray, exposures: np.ndarray) -> np.ndarray:
    """Posterior mean rates of one group under a beta prior fitted to it.

    Args:
        values: (N,) rates 0..1.
        exposures: (N,) people behind each rate; NaN or 0 where unknown: that rate stays.

    Returns:
        (N,) rates 0..1. With fewer than three usable posts, or all rates equal, the values themselves.
    """
    known = np.flatnonzero(np.isfinite(exposures) & (exposures > 0))
    if known.size < _MIN_POSTS or np.ptp(values[known]) == 0:
        return values
    n = exposures[known]
    k = values[known] * n
    step = -(-known.size // _FIT_SAMPLE)
    alpha, beta = fit_beta(k[::step], n[::step])
    shrunk = values.copy()
    shrunk[known] = (k + alpha) / (n + alpha + beta)
    return shrunk


def fit_beta(k: np.ndarray, n: np.ndarray) -> tuple[float, float]:
    """Beta prior (alpha, beta) that makes counts `k` of exposures `n` most likely.

    Args:
        k: (N,) counts, 0 <= k <= n.
        n: (N,) exposures, above 0.
    """

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        mean, strength = expit(x[0]), np.exp(x[1])
        alpha, beta = mean * strength, (1 - mean) * strength
        value = float(np.mean(betaln(k + alpha, n - k + beta)) - betaln(alpha, beta))
        both = np.mean(digamma(n + strength)) - digamma(strength)
        by_alpha = np.mean(digamma(k + alpha)) - digamma(alpha) - both
        by_beta = np.mean(digamma(n - k + beta)) - digamma(beta) - both
        by_mean = strength * mean * (1 - mean) * (by_alpha - by_beta)
        return -value, -np.array([by_mean, alpha * by_alpha + beta * by_beta])

    start = logit(np.clip(k.sum() / n.sum(), 1e-6, 1 - 1e-6))
    # Strength is a number of imagined exposures: 0.1 is no prior at all, 1e6 is "all posts are alike".
    bounds = [(-14.0, 14.0), (np.log(0.1), np.log(1e6))]
    # TNC and not L-BFGS-B: the latter calls BLAS for two numbers, whose threads fight on a busy machine.
    best = minimize(loss, np.array([start, np.log(np.median(n) + 1)]), method="TNC", jac=True, bounds=bounds)
    mean, strength = float(expit(best.x[0])), float(np.exp(best.x[1]))
    return mean * strength, (1 - mean) * strength


def scale_of(frame: pl.DataFrame, metric: str, channel: str | None) -> PercentileScale | None:
    """Scale over a channel's values as measured (over all channels for None); None where nothing was measured.

    Not over the values that were ranked: those lie nearer together than anything that is measured, so a new post's
    rate, placed among them, would nearly always come out as a winner or a loser.
    """
    here = frame if channel is None else frame.filter(pl.col("channel") == channel)
    values = here[f"value.{metric}"].drop_nulls()
    if not len(values):
        return None
    return PercentileScale.fit(values.to_list(), higher_is_better=get_metric(metric).higher_is_better)
