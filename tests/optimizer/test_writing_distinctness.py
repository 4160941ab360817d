"""Distinctness: algebra that holds for any texts, and figures of texts written by hand."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.screener.folding import text_key
from lcbm_model.content import Content
from optimizer.writing.distinctness import distinct, distinctness, duplicates
from optimizer.writing.drafts import Drafted
from optimizer.writing.facts import guarded
from tests.lcbm_model.evaluation_data import BagEmbedder

WORDS = st.lists(st.sampled_from(["lamp", "river", "piano", "garden"]), min_size=1, max_size=6).map(" ".join)
TEXTS = st.lists(WORDS, min_size=1, max_size=8)
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A machine with other work says nothing about the algebra."""


def story(text: str, group: str = "s", lede: str = "") -> Drafted:
    return Drafted(group, Content(text=text, channel="headline"), text, text, z=0.0, arms=2, lede=lede)


@patient
@given(TEXTS, st.integers(1, 3))
def test_distinct_is_a_share_and_repeating_all_divides_it(texts: list[str], n: int) -> None:
    once, thrice = distinct(texts, n), distinct(texts * 3, n)
    if once is None:
        assert thrice is None
        return
    assert 0 < once <= 1
    assert thrice == pytest.approx(once / 3)


@patient
@given(TEXTS)
def test_duplicates_count_what_repeats(texts: list[str]) -> None:
    share = duplicates(texts)
    assert share is not None
    assert 0 <= share < 1
    assert (share == 0) == (len({text_key(text) for text in texts}) == len(texts))
    doubled = duplicates([*texts, *(f"  {text.upper()} " for text in texts)])
    assert doubled == pytest.approx((1 + share) / 2)


@patient
@given(TEXTS)
def test_order_changes_nothing(texts: list[str]) -> None:
    assert distinct(texts, 2) == distinct(texts[::-1], 2)
    assert duplicates(texts) == duplicates(texts[::-1])


def test_figures_of_texts_by_hand() -> None:
    stories = [story("dull lamp"), story("dull river", "t")]
    found = distinctness(stories, [["Dull  LAMP", "bright lamp"], ["bright lamp"]], BagEmbedder())
    figures = {name: statistic.value() for name, statistic in found.items()}
    assert figures["distinct_1"] == pytest.approx(3 / 6)
    assert figures["distinct_2"] == pytest.approx(2 / 3)
    assert figures["duplicates"] == pytest.approx(1 / 3)
    assert figures["same_as_draft"] == pytest.approx(1 / 3)
    assert found["distinct_1"].interval() is None
    assert found["same_as_draft"].interval() is not None


def test_no_texts_have_no_figures() -> None:
    stories = [story("dull lamp")]
    found = distinctness(stories, [[]], BagEmbedder()) | guarded(stories, [[]])
    assert {figure.value() for figure in found.values()} == {None}
    assert {figure.interval() for figure in found.values()} == {None}


def test_facts_that_go_and_facts_that_are_invented_are_counted() -> None:
    told = story("Mend 9 lamps in 20 minutes", lede="Ada mends 9 lamps in 20 minutes.")
    texts = [["In 20 minutes, mend 9 lamps", "Mend lamps in 20 minutes", "Mend 14 lamps in 20 minutes"]]
    found = guarded([told], texts)
    assert found["passes_guard"].value() == pytest.approx(2 / 3)
    assert found["facts_kept"].value() == pytest.approx(4 / 6)
