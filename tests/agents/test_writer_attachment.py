"""A kept fact stays with what the brief says it of, whoever writes."""

import pytest

from agents.writers.attachment import attached, fact_phrase
from agents.writers.base import WritingTask
from agents.writers.crossover import CrossoverWriter, children
from agents.writers.edits import EditWriter
from lcbm_model.content import Content

MESSAGE = "Our new pan browns onions in 9 minutes because copper spreads heat evenly. It costs 149 euros."


def task(draft: str = "", *earlier: str, keep: tuple[str, ...] = ("9 minutes",)) -> WritingTask:
    content = Content(text=draft, channel="headline")
    return WritingTask(
        content=content, metric="click_rate", message=MESSAGE, must_keep=keep, max_length=100, best_so_far=earlier
    )


@pytest.mark.parametrize(
    ("text", "true"),
    [
        ("In 9 minutes, onions brown", True),
        ("Why browning onions takes 9 minutes", True),
        ("Copper spreads heat in 9 minutes", False),
        ("In 9 minutes, it's copper", False),
        ("Copper spreads heat evenly", True),  # does not hold the fact: that is for the guard to say
    ],
)
def test_a_fact_is_said_of_what_the_brief_says_it_of(text: str, true: bool) -> None:
    assert attached(text, task()) is true


def test_what_the_draft_says_of_it_is_allowed() -> None:
    draft = "The answer to tough onions: 9 minutes of copper"
    assert attached("9 minutes of copper? The answer to tough onions", task(draft))
    assert not attached("9 minutes of copper? The answer to tough onions", task())


def test_a_fact_without_a_preposition_belongs_to_nothing() -> None:
    assert attached("149 euros for copper", task(keep=("149 euros",)))
    assert fact_phrase(task(), "149 euros") == "149 euros"
    assert fact_phrase(task(), "9 minutes") == "in 9 minutes"
    assert attached("anything", task(keep=("nowhere in the brief",)))


def test_no_edit_cuts_a_fact_off_what_it_is_said_of() -> None:
    earlier = "In 9 minutes, it's copper. Our new pan browns onions."
    drafted = task("New: a pan for browning onions in 9 minutes", earlier)
    texts = [d.text for d in EditWriter().write(drafted, 60, seed=0).drafts]
    assert texts
    assert not [t for t in texts if "onion" not in t.casefold()]
    assert not [t for t in texts if t.startswith("Why browning")]


def test_no_crossover_moves_a_fact_to_something_else() -> None:
    draft, earlier = "Our new pan browns onions in 9 minutes", "Copper spreads heat evenly"
    assert f"{earlier} in 9 minutes" not in [text for _, text in children(draft, earlier)]
    texts = [d.text for d in CrossoverWriter().write(task(draft, earlier), 60, seed=0).drafts]
    assert not [t for t in texts if "onion" not in t.casefold()]
