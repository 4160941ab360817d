"""The drift budget: drafts that no longer say what is to be said, and drafts nobody can judge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agents.embedder import Embedder
from agents.guard.finding import GuardFinding
from agents.guard.known import KnownPosts
from agents.guard.meaning import MeaningScale, embed
from lcbm_model.errors import SettingsError

LEAST_MEANING = 0.40
"""Default of the drift budget, a cosine of all-MiniLM-L6-v2. `benchmarks/guard.py` measures, on invented
rewrites, how many honest ones each threshold refuses and how many that stray it lets pass (docs/guard-figures.md)."""


class Guard:
    """Checks drafts against one brief. Texts are embedded once, in one batch per call.

    Args:
        meaning: Likeness to the brief; None leaves it unchecked.
        known: The posts whose outcome is known; None leaves doubt unchecked.
        least_meaning: Cosine 0..1 below which a draft is refused.

    Raises:
        SettingsError: `least_meaning` outside 0..1.
    """

    def __init__(
        self, meaning: MeaningScale | None, known: KnownPosts | None, *, least_meaning: float = LEAST_MEANING
    ) -> None:
        if not 0 <= least_meaning <= 1:
            raise SettingsError("least_meaning", "must lie in 0..1", value=least_meaning, remedy="See docs/guard.md")
        self.meaning, self.known, self.least_meaning = meaning, known, least_meaning

    def check(self, texts: Sequence[str]) -> list[GuardFinding]:
        """One finding for each text, in order. The same text always gets the same finding.

        Raises:
            CheckpointError: The embedder gives vectors without direction.
        """
        if not texts:
            return []
        meanings, nearest = self._cosines(list(texts))
        return [self._finding(m, n) for m, n in zip(meanings, nearest, strict=True)]

    def _cosines(self, texts: list[str]) -> tuple[Sequence[float | None], Sequence[float | None]]:
        scale, known = self.meaning, self.known
        nothing: Sequence[float | None] = [None] * len(texts)
        if scale is not None and known is not None and scale.embedder.hash == known.embedder.hash:
            vectors = embed(known.embedder, texts)
            return scale.of_vectors(vectors).tolist(), known.of_vectors(vectors).tolist()
        meanings = scale.likeness(texts) if scale is not None else nothing
        return meanings, known.nearest(texts) if known is not None else nothing

    def _finding(self, meaning: float | None, nearest: float | None) -> GuardFinding:
        reasons: tuple[str, ...] = ()
        if meaning is not None and meaning < self.least_meaning:
            reasons = (
                f"drifts from what is to be said: likeness of meaning {meaning:.2f}, "
                f"at least {self.least_meaning:.2f} is asked for",
            )
        doubt = self.known.doubt(nearest) if self.known is not None and nearest is not None else None
        return GuardFinding(meaning=meaning, nearest=nearest, reasons=reasons, doubt=doubt)


def guard_for(
    content_text: str,
    message: str,
    *,
    embedder: Embedder | None = None,
    known: Any = None,
    least_meaning: float = LEAST_MEANING,
) -> Guard:
    """The guard of one brief.

    Args:
        content_text: The text to beat; may be empty.
        message: What has to be said.
        embedder: From `agents.load_embedder()`. None: the library's own where `known` has one, else meaning goes
            unchecked.
        known: A `Library`, `KnownPosts`, or None. A retriever that holds no vectors in memory leaves doubt unchecked.
        least_meaning: Cosine 0..1 to what must be said below which a draft is refused.

    Raises:
        BriefError: Neither text nor message.
        SettingsError: `least_meaning` outside 0..1.
    """
    posts = known if isinstance(known, KnownPosts) else None
    if posts is None and hasattr(known, "index") and hasattr(known, "embedder"):
        posts = KnownPosts.of_library(known)
    model = embedder if embedder is not None else (posts.embedder if posts is not None else None)
    scale = None if model is None else MeaningScale(content_text, message, model)
    return Guard(scale, posts, least_meaning=least_meaning)
