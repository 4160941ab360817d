"""What sets better drafts apart, computed from the run's own scores, past winners and past losers.

Every sentence carries its counts and the chance of seeing such a difference among drafts that do not differ. Where
the numbers carry nothing, that is what is said. Scores are a simulator's; the words are about them, not about people.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.traits import Trait

SHUFFLES = 2000
FALSE_FINDINGS = 0.2
"""Share of stated findings that may be chance (Benjamini-Hochberg over all traits looked at)."""


@dataclass(frozen=True)
class Finding:
    """One contrast: what was seen, how likely by chance, and what to try."""

    p: float
    said: str
    advice: str


def within(scored: Sequence[tuple[str, float]], traits: Sequence[Trait], seed: int) -> list[str]:
    """What separates the run's higher-scored drafts from the lower ones, or that nothing does."""
    if len(scored) < 4:
        return [f"Only {len(scored)} scored draft{'s' * (len(scored) != 1)}: too few to compare."]
    texts = [text for text, _ in scored]
    scores = np.array([score for _, score in scored], dtype=np.float64)  # (N,)
    if float(np.ptp(scores)) < 1e-9:
        return [f"All {len(scored)} drafts score the same: nothing separates them."]
    findings = [f for f in (_length(texts, scores, seed), *(_trait(t, texts, scores, seed) for t in traits)) if f]
    kept = _benjamini_hochberg(findings)
    if not kept:
        return [f"Nothing measured separates the higher-scored of the {len(scored)} drafts from the lower ones."]
    said = "; ".join(f"{f.said} (chance {f.p:.2g})" for f in kept[:3])
    return [f"Of {len(scored)} scored drafts: {said}.", f"To try: {'; '.join(f.advice for f in kept[:3])}."]


def _trait(trait: Trait, texts: Sequence[str], scores: NDArray[np.float64], seed: int) -> Finding | None:
    """Mean score of drafts with the trait against those without, by permutation; both sides need two drafts."""
    has = np.array([trait.holds(text) for text in texts])
    if min(has.sum(), (~has).sum()) < 2:
        return None
    gap = float(scores[has].mean() - scores[~has].mean())
    p = _chance(scores, lambda s: abs(float(s[has].mean() - s[~has].mean())), seed)
    said = (
        f"the {int(has.sum())} that {trait.have} average {scores[has].mean():.0f}, "
        f"the {int((~has).sum())} others {scores[~has].mean():.0f}"
    )
    return Finding(p, said, trait.do if gap > 0 else trait.avoid)


def _length(texts: Sequence[str], scores: NDArray[np.float64], seed: int) -> Finding | None:
    """Rank correlation of length and score."""
    from scipy.stats import rankdata

    lengths = rankdata([len(text) for text in texts])
    if float(np.ptp(lengths)) == 0:
        return None
    order = rankdata(scores)
    rho = float(np.corrcoef(lengths, order)[0, 1])
    p = _chance(order, lambda s: abs(float(np.corrcoef(lengths, s)[0, 1])), seed)
    which, n = ("longer" if rho > 0 else "shorter"), len(texts)
    return Finding(p, f"{which} ones score higher (rank correlation {rho:+.2f}, n = {n})", f"write {which}")


def _chance(scores: NDArray[np.float64], statistic: Callable[[NDArray[np.float64]], float], seed: int) -> float:
    """Share of shuffles of the scores that differ as much as was seen (the seen order counted in)."""
    rng = np.random.default_rng(seed)
    seen = statistic(scores) - 1e-12
    return (1 + sum(statistic(rng.permutation(scores)) >= seen for _ in range(SHUFFLES))) / (SHUFFLES + 1)


def _benjamini_hochberg(findings: Sequence[Finding]) -> list[Finding]:
    """Findings that stand among all that were looked at, the surest first."""
    from scipy.stats import false_discovery_control

    ordered = sorted(findings, key=lambda f: f.p)
    adjusted = false_discovery_control([f.p for f in ordered]) if ordered else []
    return [f for f, p in zip(ordered, adjusted, strict=True) if p <= FALSE_FINDINGS + 1e-12]


def against_winners(scored: Sequence[tuple[str, float]], winners: Sequence[str], traits: Sequence[Trait]) -> list[str]:
    """Traits that past winners have far more or less often than the run's drafts."""
    drafts = [text for text, _ in scored]
    return _apart(
        "Past winners differ", traits, winners, drafts,
        lambda trait, theirs, ours: (
            f"{theirs} of {len(winners)} retrieved winners {trait.have}, {ours} of {len(drafts)} drafts do"
        ),
    )  # fmt: skip


def against_losers(winners: Sequence[str], losers: Sequence[str], traits: Sequence[Trait]) -> list[str]:
    """Traits that retrieved winners have and retrieved losers of the same subject have not, or the other way round."""
    return _apart(
        "Past losers differ", traits, winners, losers,
        lambda trait, won, lost: f"{won} of {len(winners)} winners {trait.have}, {lost} of {len(losers)} losers do",
    )  # fmt: skip


def _apart(
    heading: str,
    traits: Sequence[Trait],
    models: Sequence[str],
    others: Sequence[str],
    said: Callable[[Trait, int, int], str],
) -> list[str]:
    """The two traits that set the texts to learn from apart most clearly (Fisher, exact); both sides need three."""
    from scipy.stats import fisher_exact

    if min(len(models), len(others)) < 3:
        return []
    findings = []
    for trait in traits:
        a, b = sum(map(trait.holds, models)), sum(map(trait.holds, others))
        p = float(fisher_exact([[a, len(models) - a], [b, len(others) - b]]).pvalue)
        more = a / len(models) > b / len(others)
        findings.append(Finding(p, said(trait, a, b), trait.do if more else trait.avoid))
    kept = _benjamini_hochberg(findings)[:2]
    if not kept:
        return []
    return [f"{heading}: {'; '.join(f.said for f in kept)}. To try: {'; '.join(f.advice for f in kept)}."]
