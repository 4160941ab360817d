"""Empirical-Bayes shrinkage and percentiles: a rate from 40 impressions is not a fact.

Every source states how much of what it measured is signal by its reliability, the share of the variance between
items that the measurement itself explains, 0..1. A reliability of 0.5 says that half the spread is luck.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from lcbm_model.behavior import N_BINS, PercentileScale

Array = npt.NDArray[np.float64]

MIN_RELIABILITY, MAX_RELIABILITY = 0.02, 0.98
COUNT_RELIABILITY = 0.9
"""For counts without exposure (shares, scores): one draw whose noise cannot be estimated from the file."""

_EDGES = special.ndtri(np.linspace(0, 1, N_BINS + 1))
"""Normal scores of the bin edges, from minus to plus infinity."""


@dataclass(frozen=True)
class BetaPrior:
    """Beta prior of a rate: `mean` 0..1 and `strength`, the exposures it is worth."""

    mean: float
    strength: float


def fit_beta_prior(counts: Array, exposures: Array, means: Array | None = None) -> BetaPrior:
    """Fit the prior of rates by maximum likelihood of the beta-binomial.

    Args:
        counts: (N,) clicks and the like, each at most its exposure.
        exposures: (N,) impressions and the like.
        means: (N,) known prior mean of each item (such as its test's pooled rate); then only the strength is fitted
            and `mean` is the overall rate.

    Raises:
        ValueError: No item with an exposure.
    """
    counts, exposures = np.asarray(counts, dtype=np.float64), np.asarray(exposures, dtype=np.float64)
    used = exposures > 0
    if not used.any():
        raise ValueError("no exposure at all: a rate cannot be made of these rows")
    counts, exposures = counts[used], exposures[used]
    overall = (counts.sum() + 0.5) / (exposures.sum() + 1.0)
    fixed = None if means is None else np.clip(np.asarray(means, dtype=np.float64)[used], 1e-9, 1 - 1e-9)

    def loss(parameters: Array) -> float:
        mean = special.expit(parameters[1]) if fixed is None else fixed
        strength = np.exp(parameters[0])
        logs = special.betaln(counts + mean * strength, exposures - counts + (1 - mean) * strength)
        return float(-np.mean(logs - special.betaln(mean * strength, (1 - mean) * strength)))

    start = [np.log(np.median(exposures) + 1.0)] + ([] if fixed is not None else [special.logit(overall)])
    bounds = [(0.0, 18.0)] + ([] if fixed is not None else [(-20.0, 20.0)])
    found = optimize.minimize(loss, np.asarray(start), method="L-BFGS-B", bounds=bounds)
    mean = overall if fixed is not None else float(special.expit(found.x[1]))
    return BetaPrior(mean=float(mean), strength=float(np.exp(found.x[0])))


def shrink_rates(counts: Array, exposures: Array, prior: BetaPrior, means: Array | None = None) -> tuple[Array, Array]:
    """Posterior mean rates and their reliabilities, both (N,)."""
    centre = prior.mean if means is None else means
    shrunken = (counts + prior.strength * centre) / (exposures + prior.strength)
    return shrunken, np.clip(exposures / (exposures + prior.strength), MIN_RELIABILITY, MAX_RELIABILITY)


def shrink_ratings(means: Array, variances: Array, votes: Array) -> tuple[Array, Array]:
    """Shrink mean ratings of one context group towards the group's mean by their sampling error.

    Args:
        means: (N,) mean rating of each item.
        variances: (N,) variance of single votes; pooled over the group, since few votes estimate it badly.
        votes: (N,) votes behind each mean, above zero.

    Returns:
        Shrunken means and reliabilities, both (N,).
    """
    sampling = np.average(variances, weights=votes) / votes
    # The variance between items by DerSimonian and Laird's method of moments.
    weights = 1 / np.maximum(sampling, 1e-12)
    centre = np.average(means, weights=weights)
    spread = float(weights @ (means - centre) ** 2 - (len(means) - 1))
    scale = float(weights.sum() - (weights**2).sum() / weights.sum())
    between = max(spread / scale, 0.0) if scale > 0 else 0.0
    if between == 0.0:
        return np.full_like(means, centre), np.full_like(means, MIN_RELIABILITY)
    reliability = between / (between + sampling)
    centre = np.average(means, weights=1 / (between + sampling))
    shrunken = centre + reliability * (means - centre)
    return shrunken, np.clip(reliability, MIN_RELIABILITY, MAX_RELIABILITY)


def percentiles(values: Array, *, higher_is_better: bool = True) -> Array:
    """Mid-rank percentile 0..100 of each value among all, (N,), from the worse end."""
    scale = PercentileScale.fit(values, higher_is_better=higher_is_better)
    return np.interp(values, scale.values, scale.percentiles)


def decile_target(percentile: float, reliability: float) -> tuple[float, ...]:
    """Distribution over the ten bins that the evidence supports: sharp where much was measured, flat where little.

    The true standing is taken as a standard normal score whose posterior, given an observed rank of reliability r,
    has mean sqrt(r) * score(rank) and variance 1 - r.

    Args:
        percentile: Observed rank inside the context group, 0..100.
        reliability: 0..1, cut to 0.02..0.98.

    Returns:
        `N_BINS` probabilities that sum to 1.
    """
    r = min(max(reliability, MIN_RELIABILITY), MAX_RELIABILITY)
    score = special.ndtri(min(max(percentile / 100, 0.001), 0.999))
    mass = np.diff(special.ndtr((_EDGES - np.sqrt(r) * score) / np.sqrt(1 - r)))
    return tuple((mass / mass.sum()).tolist())
