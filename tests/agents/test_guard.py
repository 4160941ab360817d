"""The guard: meaning against the brief, doubt outside the library, and scores without what length explains."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.embedder import load_embedder
from agents.guard import LEAST_MEANING, Guard, GuardFinding, KnownPosts, LengthDebias, MeaningScale, guard_for
from agents.guard.debias import surface
from agents.guard.meaning import references
from agents.library import Library
from lcbm_model.errors import BriefError, SettingsError
from tests.agents.hashing_embedder import HashingEmbedder

MESSAGE = "Our new pan browns onions in 9 minutes because copper spreads heat evenly. It costs 149 euros."
DRAFT = "The new copper pan browns onions in 9 minutes"
SUBJECTS = ("onions", "rice", "eggs", "soup", "bread", "lentils", "peppers", "pears")
POSTS = [f"How copper pans change the way you cook {s} {w}" for s in SUBJECTS for w in ("tonight", "slowly", "alone")]


def library() -> Library:
    import polars as pl

    frame = pl.DataFrame({"text": POSTS, "likes": [float(i) for i in range(len(POSTS))]})
    return Library.from_frame(frame, metric="likes", embedder=HashingEmbedder())


def test_without_an_embedder_and_a_library_nothing_is_claimed() -> None:
    assert guard_for(DRAFT, MESSAGE).check(["Stock markets fell"]) == [GuardFinding()]


def test_a_draft_that_says_something_else_is_over_the_drift_budget() -> None:
    guard = guard_for(DRAFT, MESSAGE, embedder=HashingEmbedder(), least_meaning=0.5)
    same, other = guard.check(["The new copper pan browns onions", "Stock markets fell sharply today"])
    assert (same.reasons, same.within_budget) == ((), True)
    assert same.meaning is not None
    assert same.meaning > 0.5
    assert "drifts from what is to be said" in other.reasons[0]
    assert (other.nearest, other.doubt) == (None, None)


def test_the_nearest_of_draft_message_and_sentences_counts() -> None:
    assert references(DRAFT, MESSAGE) == [DRAFT, MESSAGE, *(f"{s}." for s in MESSAGE.rstrip(".").split(". "))]
    scale = MeaningScale("", MESSAGE, HashingEmbedder())
    assert scale.likeness(["It costs 149 euros."])[0] == pytest.approx(1.0, abs=1e-5)
    assert scale.likeness([MESSAGE])[0] == pytest.approx(1.0, abs=1e-5)


def test_a_draft_outside_the_library_is_doubted_and_not_refused() -> None:
    guard = guard_for(DRAFT, MESSAGE, known=library(), least_meaning=0.0)
    inside, outside = guard.check([POSTS[3], "Stock markets fell sharply today"])
    assert inside.doubt is None
    assert inside.nearest == pytest.approx(1.0, abs=1e-5)
    assert outside.doubt is not None
    assert "24 past posts" in outside.doubt
    assert outside.reasons == ()
    assert outside.meaning is not None  # the library's embedder serves for meaning too


def test_the_limit_is_the_librarys_own() -> None:
    embedder = HashingEmbedder()
    known = KnownPosts.of_texts(POSTS, embedder, quantile=0.25)
    vectors = embedder.embed(POSTS)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    assert known.limit == pytest.approx(np.quantile(cosines.max(axis=1), 0.25), abs=1e-5)
    # Published twice says nothing about how varied the posts are.
    assert KnownPosts.of_texts(POSTS * 2, embedder, quantile=0.25).limit == pytest.approx(known.limit, abs=1e-5)


def test_few_posts_call_nothing_outside() -> None:
    known = KnownPosts.of_texts(POSTS[:5], HashingEmbedder())
    assert known.limit is None
    assert known.doubt(0.0) is None
    assert Guard(None, known).check(["Stock markets fell"])[0].nearest is not None


def test_two_embedders_are_kept_apart() -> None:
    own, other = HashingEmbedder("own"), HashingEmbedder("other", dimension=32)
    guard = guard_for(DRAFT, MESSAGE, embedder=own, known=KnownPosts.of_texts(POSTS, other))
    (finding,) = guard.check([DRAFT])
    assert finding.meaning == pytest.approx(1.0, abs=1e-5)
    assert guard.known is not None
    assert guard.known.embedder is other


def test_bad_settings_are_said() -> None:
    with pytest.raises(BriefError, match="is empty"):
        guard_for(" ", "", embedder=HashingEmbedder())
    with pytest.raises(SettingsError, match=r"0\.\.1"):
        guard_for(DRAFT, MESSAGE, least_meaning=1.5)
    with pytest.raises(SettingsError, match=r"0\.\.1"):
        KnownPosts.of_texts(POSTS, HashingEmbedder(), quantile=-1)


@given(st.lists(st.text(max_size=60), max_size=6))
def test_any_texts_get_a_finding_each_in_order(texts: list[str]) -> None:
    guard = guard_for(DRAFT, MESSAGE, embedder=HashingEmbedder(), known=KnownPosts.of_texts(POSTS, HashingEmbedder()))
    found = guard.check(texts)
    alone = [guard.check([text])[0] for text in texts]
    assert [f.meaning for f in found] == pytest.approx([f.meaning for f in alone], abs=1e-5)
    assert [f.nearest for f in found] == pytest.approx([f.nearest for f in alone], abs=1e-5)
    assert all(f.meaning is not None and 0 <= f.meaning <= 1 and f.nearest is not None for f in found)


def test_the_default_parts_rewrites_from_strays_with_the_packaged_embeddings() -> None:
    guard = guard_for(DRAFT, MESSAGE, embedder=load_embedder(), least_meaning=LEAST_MEANING)
    good = ["Copper: brown onions in 9 minutes", "Why copper spreads heat evenly", "149 euros buys even heat"]
    bad = ["You will not believe what she did next", "Stock markets fell sharply", "Win a journey to the sea"]
    assert [f.reasons for f in guard.check(good)] == [()] * 3
    assert all(f.reasons for f in guard.check(bad))


# Length and format ------------------------------------------------------------------------------------------------


def texts_of(lengths: list[int]) -> list[str]:
    return [" ".join(["pan", "slow", "iron", "rice"][i % 4] for i in range(n)) for n in lengths]


def test_scores_that_only_follow_length_are_levelled() -> None:
    texts = texts_of([4, 6, 9, 12, 15, 18, 22, 27, 30, 33])
    scores = [20 + 10 * float(np.log1p(len(t))) for t in texts]
    debias = LengthDebias().fit(texts, scores)
    adjusted = debias.adjust(texts, scores)
    assert debias.explained > 0.8
    assert np.ptp(adjusted) < 0.35 * np.ptp(scores)
    assert np.mean(adjusted) == pytest.approx(np.mean(scores), abs=0.5)


def test_scores_that_follow_something_else_stay() -> None:
    """Over many runs of pure noise, the surface is seldom found to explain anything, and never much."""
    found = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        texts = texts_of([int(n) for n in rng.integers(4, 30, 12)])
        found.append(LengthDebias().fit(texts, rng.normal(50, 10, 12).tolist()).explained)
    assert np.median(found) == 0
    assert np.mean(found) < 0.08


@pytest.mark.parametrize("n", [8, 16])
def test_scores_that_follow_nothing_are_rarely_touched(n: int) -> None:
    """One run in twenty, by the test's own level; the best of several penalties alone found something in half."""
    rng = np.random.default_rng(5)
    words = ("copper", "pan", "onions", "brown", "heat", "supper", "our", "new", "why", "slow", "9", "149", "euros!")
    touched = [
        LengthDebias()
        .fit([" ".join(rng.choice(words, rng.integers(4, 16))) for _ in range(n)], rng.normal(50, 8, n).tolist())
        .explained
        > 0
        for _ in range(100)
    ]
    assert sum(touched) <= 12


def test_a_good_draft_keeps_its_lead_over_others_of_its_length() -> None:
    texts = [*texts_of([4, 6, 9, 12, 15, 18, 22, 27, 30]), "iron " * 12]
    scores = [20 + 10 * float(np.log1p(len(t))) for t in texts]
    scores[-1] += 25
    adjusted = LengthDebias().fit(texts, scores).adjust(texts, scores)
    assert int(np.argmax(adjusted)) == len(texts) - 1
    assert adjusted[-1] - sorted(adjusted)[-2] > 10


@pytest.mark.parametrize("n", [0, 1, 7])
def test_too_few_drafts_are_left_alone(n: int) -> None:
    texts, scores = texts_of(list(range(1, n + 1))), [10.0 * i for i in range(n)]
    assert LengthDebias().fit(texts, scores).adjust(texts, scores) == scores


def test_a_second_fit_forgets_the_first() -> None:
    texts = texts_of([4, 6, 9, 12, 15, 18, 22, 27])
    debias = LengthDebias().fit(texts, [10.0 * i for i in range(8)])
    assert debias.explained > 0
    assert debias.fit(texts, [50.0] * 8).adjust(texts, [50.0] * 8) == [50.0] * 8
    assert debias.explained == 0


def test_scores_must_fit_the_texts() -> None:
    with pytest.raises(ValueError, match="expected 2 finite scores"):
        LengthDebias().fit(["a", "b"], [1.0])
    with pytest.raises(ValueError, match="finite"):
        LengthDebias().fit(["a"], [float("nan")])
    with pytest.raises(ValueError):
        LengthDebias().adjust(["a", "b"], [1.0])


@given(st.lists(st.tuples(st.text(max_size=80), st.floats(0, 100)), max_size=20))
def test_adjusted_scores_are_percentiles_and_never_fit_worse_than_nothing(rows: list[tuple[str, float]]) -> None:
    texts, scores = [t for t, _ in rows], [s for _, s in rows]
    debias = LengthDebias().fit(texts, scores)
    assert all(0 <= a <= 100 for a in debias.adjust(texts, scores))
    assert 0 <= debias.explained <= 1
    assert all(np.isfinite(surface(t)).all() for t in texts)
