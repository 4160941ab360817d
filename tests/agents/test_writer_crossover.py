"""Crossover by rule: children of two parents, nothing invented, nothing said twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.screener import Screener
from agents.writers import CrossoverWriter, Writer, WritingTask
from agents.writers.crossover import children
from lcbm_model.content import Content

MESSAGE = "Our new pan browns onions in 9 minutes because copper spreads heat evenly. It costs 149 euros."


def task(*best: str, text: str = "", **changes: object) -> WritingTask:
    fields: dict[str, object] = {
        "content": Content(text=text, channel="post"),
        "metric": "click_rate",
        "message": MESSAGE,
        "best_so_far": best,
    }
    return WritingTask.model_validate({**fields, **changes})


def test_an_opening_stands_before_the_other_body() -> None:
    assert ("hook+body", "Supper again? Copper browns onions") in set(
        children("Supper again? The pan costs 149 euros", "Copper browns onions")
    )
    assert ("hook+body", "Weeknights: copper browns onions") in set(
        children("Weeknights: the pan for you", "copper browns onions")
    )


def test_a_phrase_moves_over() -> None:
    made = set(children("The pan browns onions in a small kitchen", "Copper spreads heat evenly."))
    assert ("phrase-moved", "Copper spreads heat evenly in a small kitchen.") in made
    assert ("phrase-first", "In a small kitchen, Copper spreads heat evenly.") in made


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("The pan browns onions in 9 minutes", "Copper spreads heat evenly."),
        ("Entry is free on Sundays", "The exhibition opens with a talk"),
        ("Children under 6 ride for free", "Adults pay at the gate"),
        ("We have baked bread without sugar", "Our new oven is from Erfurt"),
        ("The exhibition is open until 3 June", "Entry costs nothing"),
    ],
)
def test_what_states_or_limits_something_stays_where_it_was(first: str, second: str) -> None:
    moved = first.split()[-1].rstrip(".")
    assert not [text for how, text in children(first, second) if how.startswith("phrase") and moved in text]


def test_it_moves_to_a_text_about_the_same() -> None:
    made = set(children("The copper pan heats up in 9 minutes", "Our pan heats every side alike"))
    assert ("phrase-moved", "Our pan heats every side alike in 9 minutes") in made


def test_what_both_say_is_not_said_twice() -> None:
    assert list(children("Brown onions in 9 minutes", "Onions, brown in 9 minutes")) == []


def test_children_are_new_pass_the_brief_and_name_a_parent() -> None:
    parents = ("Supper again? The pan costs 149 euros.", "Copper browns onions in 9 minutes", "Heat, evenly spread")
    told = task(*parents, must_keep=("9 minutes",))
    writer = CrossoverWriter()
    result = writer.write(told, 6, seed=0)
    assert isinstance(writer, Writer)
    assert result.drafts
    assert result == writer.write(told, 6, seed=0)
    for draft in result.drafts:
        assert Screener(told).check(draft.text) == []
        assert draft.text not in parents
        assert draft.parent in parents


def test_before_there_are_two_it_is_silent() -> None:
    for best in ((), ("Only one draft so far",)):
        assert CrossoverWriter().write(task(*best), 5, seed=0).drafts == ()
    assert CrossoverWriter().write(task("One draft", "Another draft"), 0, seed=0).usage.calls == 0


WORDS = st.lists(
    st.sampled_from(
        ["copper", "pan", "in 9 minutes", "onions", "brown", "why?", "heat:", "evenly,", "149 euros", "it"]
    ),
    min_size=1,
    max_size=8,
).map(" ".join)


@given(st.lists(WORDS, max_size=5), st.integers(0, 9))
def test_no_word_is_ever_added(texts: list[str], seed: int) -> None:
    told = task(*texts)
    given_words = {word.strip(":?,.").casefold() for text in texts for word in text.split()}
    for draft in CrossoverWriter().write(told, 8, seed=seed).drafts:
        assert {word.strip(":?,.").casefold() for word in draft.text.split()} <= given_words
