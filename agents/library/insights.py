"""What winners share, with counts and intervals, and nothing claimed that chance alone would explain.

A winner is a post in the best quarter of its own channel, so that a channel with more readers wins no more often.
For each feature the share of winners among posts that have it is set beside that among posts that do not: the
difference with Newcombe's interval, Fisher's exact test, and, since dozens of features are tried at once, p values
adjusted for the false discovery rate under any dependence (Benjamini and Yekutieli). Only a feature whose adjusted p
is below 0.05 is called supported. All of it is what went together, not what caused it: a team does not choose its
subjects and hours by lot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from agents.library.features import Feature, Kind, features_of
from lcbm_model.errors import LibraryError

if TYPE_CHECKING:
    import polars as pl

LEAST_POSTS = 40
"""Posts with a result below which nothing is said."""
LEAST_SIDE = 10
"""Posts with a feature, and without it, below which it is not tested."""
LEAST_CHANNEL = 8
"""Posts of a channel below which it has no best quarter to speak of."""
WINNERS = 75.0
ALPHA = 0.05
METHOD = (
    "winners are the best quarter of their channel; difference of winner shares with Newcombe's 95 % interval (each on "
    "its own); Fisher's exact test; p adjusted over all tested features (Benjamini-Yekutieli, false discovery rate 5 %)"
)
CAUTION = "What went together, not what caused it: to know, test two versions of one post."


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Finding(_Frozen):
    """One feature: how often posts with it won, and posts without it."""

    kind: Kind
    label: str = Field(description="Completes 'posts that ...'; for a topic, the words that set it apart.")
    n: int = Field(description="Posts that have it.")
    winners: int = Field(description="Of them, in the best quarter of their channel.")
    n_without: int
    winners_without: int
    difference: float = Field(ge=-1, le=1, description="Share of winners with it less the share without it.")
    low: float = Field(ge=-1, le=1)
    high: float = Field(ge=-1, le=1)
    p: float = Field(ge=0, le=1, description="Of this feature alone.")
    p_adjusted: float = Field(ge=0, le=1, description="Adjusted for all features tested.")

    @property
    def supported(self) -> bool:
        """Whether chance and the number of tries would seldom explain it."""
        return self.p_adjusted < ALPHA

    @property
    def share(self) -> float:
        """Of winners among posts that have it, 0..1."""
        return self.winners / self.n

    @property
    def share_without(self) -> float:
        """Of winners among posts that do not, 0..1."""
        return self.winners_without / self.n_without


class Untested(_Frozen):
    """A feature too few posts have, or lack, to say anything."""

    kind: Kind
    label: str
    n: int
    n_without: int


class Insights(_Frozen):
    """What winners share."""

    metric: str
    channel: str | None
    n: int = Field(description="Posts with a result that were looked at.")
    winners: int
    findings: tuple[Finding, ...] = Field(description="Every feature tested, surest first.")
    untested: tuple[Untested, ...]
    notes: tuple[str, ...] = ()
    method: str = METHOD
    caution: str = CAUTION

    @property
    def supported(self) -> tuple[Finding, ...]:
        """The findings that may be told as such."""
        return tuple(f for f in self.findings if f.supported)


def find_insights(
    frame: pl.DataFrame,
    vectors: NDArray[np.float32],
    metric: str,
    *,
    channel: str | None = None,
    topics: int | None = None,
) -> Insights:
    """What winners share.

    Args:
        frame: Posts with a result of `metric`.
        vectors: (N, D) theirs, of unit length.
        channel: For the record; the frame holds that channel only.
        topics: How many subjects to tell apart; by the number of posts where None.

    Raises:
        LibraryError: Fewer than 40 posts with a result, or no two subjects asked for.
    """
    if topics is not None and not 2 <= topics <= len(frame):
        raise LibraryError("topics", "must be at least 2 and at most the number of posts", value=topics)
    sizes = frame.select("channel").to_series().value_counts()
    small = sizes.filter(sizes["count"] < LEAST_CHANNEL)["channel"].to_list()
    kept = np.flatnonzero(~frame["channel"].is_in(small).to_numpy())
    if len(kept) < LEAST_POSTS:
        remedy = f"Insights need {LEAST_POSTS} posts in channels of at least {LEAST_CHANNEL}"
        raise LibraryError("insights", f"too few posts with {metric}", value=len(kept), remedy=remedy)
    frame, vectors = frame[kept], vectors[kept]
    won = frame[f"percentile.{metric}"].to_numpy() >= WINNERS
    features = _distinct(features_of(frame, vectors, topics=topics))
    tested = [f for f in features if _sides(f)[0] >= LEAST_SIDE and _sides(f)[1] >= LEAST_SIDE]
    few = [f for f in features if f not in tested]
    notes = [f"left out, with fewer than {LEAST_CHANNEL} posts: channel {name}" for name in sorted(small)]
    return Insights(
        metric=metric,
        channel=channel,
        n=len(won),
        winners=int(won.sum()),
        findings=_findings(tested, won),
        untested=tuple(
            Untested(kind=f.kind, label=f.label, n=_sides(f)[0], n_without=_sides(f)[1]) for f in few if _sides(f)[0]
        ),
        notes=tuple(notes),
    )


def _findings(features: list[Feature], won: NDArray[np.bool_]) -> tuple[Finding, ...]:
    from scipy.stats import fisher_exact
    from statsmodels.stats.multitest import multipletests
    from statsmodels.stats.proportion import confint_proportions_2indep

    counts, chances = [], []
    for feature in features:
        without = feature.known & ~feature.has
        cells = (int(won[feature.has].sum()), _sides(feature)[0], int(won[without].sum()), _sides(feature)[1])
        counts.append(cells)
        a, n, b, m = cells
        chances.append(float(fisher_exact([[a, n - a], [b, m - b]]).pvalue))
    adjusted = multipletests(chances, method="fdr_by")[1] if chances else []
    findings = []
    for feature, (a, n, b, m), p, p_adjusted in zip(features, counts, chances, adjusted, strict=True):
        low, high = confint_proportions_2indep(a, n, b, m, method="newcomb", compare="diff")
        findings.append(
            Finding(
                kind=feature.kind,
                label=feature.label,
                n=n,
                winners=a,
                n_without=m,
                winners_without=b,
                difference=a / n - b / m,
                low=float(np.clip(low, -1, 1)),
                high=float(np.clip(high, -1, 1)),
                p=min(p, 1.0),
                p_adjusted=float(p_adjusted),
            )
        )
    return tuple(sorted(findings, key=lambda f: (f.p, -abs(f.difference), f.label)))


def _sides(feature: Feature) -> tuple[int, int]:
    """Posts that have it, and posts that are known not to."""
    return int(feature.has.sum()), int((feature.known & ~feature.has).sum())


def _distinct(features: list[Feature]) -> list[Feature]:
    """Features that split the posts alike are one test, not two: the first stands for both."""
    seen: dict[bytes, Feature] = {}
    for feature in features:
        seen.setdefault(feature.has.tobytes() + feature.known.tobytes(), feature)
    return list(seen.values())
