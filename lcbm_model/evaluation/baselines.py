"""Plain baselines on the same rows: what a model must beat before its behaviour tuning means anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lcbm_model.content import Content
from lcbm_model.corpus.record import Record
from lcbm_model.embedder import Embedder
from lcbm_model.evaluation.arms import pooled_arms
from lcbm_model.evaluation.bootstrap import Floats
from lcbm_model.evaluation.rows import thin
from lcbm_model.evaluation.suites.base import Rows

TRAIN_PER_CONTEXT = 120
"""Train rows of one page, community or contest: more changes the figures little and takes minutes to embed."""
NEIGHBOURS = 25
MAX_Z = 4.0
LOGISTIC_C = 0.3
RIDGE_ALPHAS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)


@dataclass(frozen=True)
class Task:
    """What a baseline may learn from and what it is to score."""

    train: Sequence[Record]
    rows: Sequence[Record]
    behavior: str
    embedder: Embedder


class Baseline(Protocol):
    """Scores rows; higher is better."""

    name: str

    def score(self, task: Task) -> Floats | None:
        """(N,) scores of `task.rows`; None where there is nothing to learn from or nothing to read."""
        ...


def words(content: Content) -> str:
    """Everything a content says in words, for models that read plain text."""
    scenes = [
        part for s in content.scenes for part in (s.caption, s.speech, s.on_screen_text, ", ".join(s.objects)) if part
    ]
    media = [m.alt for m in content.media if m.alt]
    return "\n".join(part for part in (content.text, content.title, *media, *scenes) if part)


class Chance:
    """A coin with a fixed seed."""

    name = "chance"

    def score(self, task: Task) -> Floats:
        """Equal contents get equal scores, as any model would give them."""
        known: dict[str, float] = {}
        rng = np.random.default_rng(20261122)
        return np.asarray([known.setdefault(r.content.model_dump_json(), float(rng.random())) for r in task.rows])


class TextLength:
    """Number of characters; the train rows say whether longer or shorter is better (longer, where there are none)."""

    name = "text_length"

    def score(self, task: Task) -> Floats | None:
        lengths = np.asarray([len(words(r.content)) for r in task.rows], dtype=np.float64)
        if not lengths.any():
            return None
        train = [r for r in task.train if _percentile(r, task.behavior) is not None]
        if len(train) < 3:
            return lengths
        seen = np.asarray([len(words(r.content)) for r in train], dtype=np.float64)
        slope = np.polyfit(seen, _targets(train, task.behavior), 1)[0] if np.ptp(seen) else 1.0
        return lengths if slope >= 0 else -lengths


class MiniLMLinear:
    """Frozen sentence embeddings and a linear model: pairwise logistic where arms were randomised, else ridge."""

    name = "minilm_linear"

    def score(self, task: Task) -> Floats | None:
        texts = [words(r.content) for r in task.rows]
        if not any(texts) or not task.train:
            return None
        randomised = [r for r in task.train if r.arms is not None]
        weights = self._pairwise(randomised, task) if randomised else self._ridge(task)
        if weights is None:
            return None
        return np.asarray(task.embedder.embed(texts) @ weights, dtype=np.float64)

    def _pairwise(self, train: Sequence[Record], task: Task) -> Floats | None:
        """(D,) weights from pairs of arms, each weighted by min(|z|, 4) of its difference."""
        from sklearn.linear_model import LogisticRegression

        arms = pooled_arms(Rows(train), task.behavior)
        first, second = arms.pairs()
        z = arms.z(first, second)
        kept = z != 0
        if not kept.any():
            return None
        vectors = task.embedder.embed([words(train[i].content) for i in arms.rows])
        difference = (vectors[first] - vectors[second])[kept]
        won, weight = z[kept] > 0, np.minimum(np.abs(z[kept]), MAX_Z)
        # Both orders of each pair, so that the two classes mirror each other and no intercept is needed.
        model = LogisticRegression(C=LOGISTIC_C, fit_intercept=False, max_iter=1000)
        model.fit(np.vstack([difference, -difference]), np.r_[won, ~won], np.r_[weight, weight])
        return np.asarray(model.coef_[0], dtype=np.float64)

    def _ridge(self, task: Task) -> Floats | None:
        """(D,) weights to the percentile inside the context, rows weighted by their evidence."""
        from sklearn.linear_model import RidgeCV

        train = _sample(task)
        if len(train) < 3:
            return None
        vectors = task.embedder.embed([words(r.content) for r in train])
        evidence = np.asarray([r.weight for r in train])
        model = RidgeCV(alphas=RIDGE_ALPHAS).fit(vectors, _targets(train, task.behavior), sample_weight=evidence)
        return np.asarray(model.coef_, dtype=np.float64)


class NearestNeighbours:
    """Mean percentile of the most similar train rows, weighted by similarity and evidence."""

    name = "nearest_neighbours"

    def score(self, task: Task) -> Floats | None:
        texts = [words(r.content) for r in task.rows]
        train = _sample(task)
        if not any(texts) or len(train) < 3:
            return None
        known = task.embedder.embed([words(r.content) for r in train])
        targets, evidence = _targets(train, task.behavior), np.asarray([r.weight for r in train])
        k = min(NEIGHBOURS, len(train))
        scores = []
        queries = task.embedder.embed(texts)
        for start in range(0, len(queries), 1024):
            similarity = queries[start : start + 1024] @ known.T  # (B, M)
            near = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
            weight = np.clip(np.take_along_axis(similarity, near, axis=1), 1e-3, None) * evidence[near] + 1e-12
            scores.append((targets[near] * weight).sum(axis=1) / weight.sum(axis=1))
        return np.concatenate(scores).astype(np.float64)


BASELINES: tuple[Baseline, ...] = (MiniLMLinear(), NearestNeighbours(), TextLength(), Chance())
"""In the order of the tables. The untuned backbone is a model and is run by the runner."""


def _percentile(record: Record, behavior: str) -> float | None:
    seen = record.observation(behavior)
    return None if seen is None else seen.percentile


def _targets(records: Sequence[Record], behavior: str) -> Floats:
    return Rows(records).percentiles(behavior)


def _sample(task: Task) -> list[Record]:
    """Train rows with a percentile, thinned inside contexts that are many (all of them where there is one)."""
    known = [r for r in task.train if _percentile(r, task.behavior) is not None]
    return thin(known, TRAIN_PER_CONTEXT) if len({r.context for r in known}) > 1 else known
