"""Plain baselines on the same rows: what a model must beat before its behaviour tuning means anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lcbm_model.content import Content
from lcbm_model.corpus.record import Record
from lcbm_model.embedder import Embedder
from lcbm_model.errors import CheckpointError
from lcbm_model.evaluation.arms import pooled_arms
from lcbm_model.evaluation.bootstrap import Floats
from lcbm_model.evaluation.metrics import members
from lcbm_model.evaluation.pictures import picture_features
from lcbm_model.evaluation.suites.base import Rows

TRAIN_PER_CONTEXT = 120
"""Train rows of one page, community or contest: more changes the figures little and takes minutes to embed."""
LEAST_TRAIN = 3
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
    look: Callable[[Sequence[Path]], NDArray[np.float32]] = picture_features
    """(N,) picture files -> (N, C) features."""


class NotMade(Exception):
    """A baseline cannot be made from these rows; the message says why."""


NO_WORDS = "the rows have no words"
NO_TRAIN = "the file has no other train rows to learn from"


class Baseline(Protocol):
    """Scores rows; higher is better."""

    name: str

    def applies(self, rows: Sequence[Record]) -> bool:
        """Whether this baseline says anything about such rows that the others do not."""
        ...

    def score(self, task: Task) -> Floats:
        """(N,) scores of `task.rows`.

        Raises:
            NotMade: There is nothing to learn from or nothing to read.
        """
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

    def applies(self, rows: Sequence[Record]) -> bool:
        return True

    def score(self, task: Task) -> Floats:
        """Equal contents get equal scores, as any model would give them."""
        known: dict[str, float] = {}
        rng = np.random.default_rng(20261122)
        return np.asarray([known.setdefault(r.content.model_dump_json(), float(rng.random())) for r in task.rows])


class TextLength:
    """Number of characters; the train rows say whether longer or shorter is better (longer, where there are none)."""

    name = "text_length"

    def applies(self, rows: Sequence[Record]) -> bool:
        return True

    def score(self, task: Task) -> Floats:
        lengths = np.asarray([len(words(r.content)) for r in task.rows], dtype=np.float64)
        if not lengths.any():
            raise NotMade(NO_WORDS)
        train = [r for r in task.train if _percentile(r, task.behavior) is not None]
        if len(train) < LEAST_TRAIN:
            return lengths
        seen = np.asarray([len(words(r.content)) for r in train], dtype=np.float64)
        slope = np.polyfit(seen, _targets(train, task.behavior), 1)[0] if np.ptp(seen) else 1.0
        return lengths if slope >= 0 else -lengths


class MiniLMLinear:
    """Frozen sentence embeddings and a linear model: pairwise logistic where arms were randomised, else ridge.

    Args:
        all_words: Read titles and scenes too, not only the text itself.
    """

    def __init__(self, name: str = "minilm_linear", *, all_words: bool = False) -> None:
        self.name, self._all_words = name, all_words

    def applies(self, rows: Sequence[Record]) -> bool:
        """With all words only where there are words beside the text."""
        return not self._all_words or any(words(r.content) != r.content.text for r in rows)

    def score(self, task: Task) -> Floats:
        texts = self._read(task.rows)
        if not any(texts):
            raise NotMade(NO_WORDS)
        randomised = [r for r in task.train if r.arms is not None]
        if randomised:
            weights = self._pairwise(randomised, task)
        else:
            train = _sample(task)
            weights = _ridge(task.embedder.embed(self._read(train)), train, task.behavior)
        return np.asarray(task.embedder.embed(texts) @ weights, dtype=np.float64)

    def _read(self, records: Sequence[Record]) -> list[str]:
        return [words(r.content) if self._all_words else r.content.text for r in records]

    def _pairwise(self, train: Sequence[Record], task: Task) -> Floats:
        """(D,) weights from pairs of arms, each weighted by min(|z|, 4) of its difference."""
        from sklearn.linear_model import LogisticRegression

        arms = pooled_arms(Rows(train), task.behavior)
        first, second = arms.pairs()
        z = arms.z(first, second)
        kept = z != 0
        if not kept.any():
            raise NotMade(NO_TRAIN)
        vectors = task.embedder.embed(self._read([train[i] for i in arms.rows]))
        difference = (vectors[first] - vectors[second])[kept]
        won, weight = z[kept] > 0, np.minimum(np.abs(z[kept]), MAX_Z)
        # Both orders of each pair, so that the two classes mirror each other and no intercept is needed.
        model = LogisticRegression(C=LOGISTIC_C, fit_intercept=False, max_iter=1000)
        model.fit(np.vstack([difference, -difference]), np.r_[won, ~won], np.r_[weight, weight])
        return np.asarray(model.coef_[0], dtype=np.float64)


class NearestNeighbours:
    """Mean percentile of the most similar train rows, weighted by similarity and evidence."""

    name = "nearest_neighbours"

    def applies(self, rows: Sequence[Record]) -> bool:
        return True

    def score(self, task: Task) -> Floats:
        texts, train = _texts(task), _sample(task)
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


class PictureLinear:
    """Frozen ImageNet features and ridge, where pictures differ inside a context."""

    name = "picture_linear"

    def applies(self, rows: Sequence[Record]) -> bool:
        """Only where pictures differ inside a context: one cartoon for all captions ranks none of them."""
        seen = {(r.context, r.content.media) for r in rows}
        return all(r.content.media for r in rows) and len(seen) > len({r.context for r in rows})

    def score(self, task: Task) -> Floats:
        train = [r for r in _sample(task) if r.content.media]
        paths = [r.content.media[0].path for r in (*train, *task.rows)]
        try:
            features = task.look(paths)
        except CheckpointError as error:
            raise NotMade(str(error)) from error
        weights = _ridge(features[: len(train)], train, task.behavior)
        return np.asarray(features[len(train) :] @ weights, dtype=np.float64)


BASELINES: tuple[Baseline, ...] = (
    MiniLMLinear(),
    MiniLMLinear("minilm_linear_all_words", all_words=True),
    PictureLinear(),
    NearestNeighbours(),
    TextLength(),
    Chance(),
)
"""In the order of the tables. The untuned backbone is a model and is run by the runner."""


def _percentile(record: Record, behavior: str) -> float | None:
    seen = record.observation(behavior)
    return None if seen is None else seen.percentile


def _targets(records: Sequence[Record], behavior: str) -> Floats:
    return Rows(records).percentiles(behavior)


def _texts(task: Task) -> list[str]:
    texts = [words(r.content) for r in task.rows]
    if not any(texts):
        raise NotMade(NO_WORDS)
    return texts


def _ridge(vectors: NDArray[np.float32], train: Sequence[Record], behavior: str) -> Floats:
    """(D,) weights from (M, D) vectors to the percentile inside the context, rows weighted by their evidence."""
    from sklearn.linear_model import RidgeCV

    evidence = np.asarray([r.weight for r in train])
    model = RidgeCV(alphas=RIDGE_ALPHAS).fit(vectors, _targets(train, behavior), sample_weight=evidence)
    return np.asarray(model.coef_, dtype=np.float64)


def _sample(task: Task) -> list[Record]:
    """Train rows with a percentile; of a large context only its two ends, which say most for their number."""
    known = [r for r in task.train if _percentile(r, task.behavior) is not None]
    if len(known) < LEAST_TRAIN:
        raise NotMade(NO_TRAIN)
    rows = Rows(known)
    ranks, groups = rows.percentiles(task.behavior), list(members(rows.contexts))
    if len(groups) == 1:
        return known
    chosen: list[int] = []
    for group in groups:
        ordered = group[np.argsort(ranks[group], kind="stable")]
        half = TRAIN_PER_CONTEXT // 2
        chosen += (ordered if len(group) <= TRAIN_PER_CONTEXT else np.r_[ordered[:half], ordered[-half:]]).tolist()
    return [known[i] for i in sorted(chosen)]
