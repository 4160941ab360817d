"""The rule-based writer: each edit on its own, and that nothing is ever invented."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.screener import Screener
from agents.writers import EditWriter, Writer, WritingTask
from agents.writers.base import WritingExample
from agents.writers.edit_rules import EDITS
from agents.writers.edits import RULES
from lcbm_model.content import Communicator, Content

MESSAGE = "Our new 28 cm pan browns onions in 9 minutes because copper spreads heat evenly. It costs 149 euros."


def task(text: str = "The new 28 cm pan from Ostholt browns onions in 9 minutes", **changes: object) -> WritingTask:
    content = Content(text=text, channel="headline", communicator=Communicator(name="Ostholt"))
    fields: dict[str, object] = {"content": content, "metric": "click_rate", "message": MESSAGE, "max_length": 100}
    return WritingTask.model_validate({**fields, "must_keep": ("9 minutes",), **changes})


@pytest.mark.parametrize(
    ("edit", "before", "after"),
    [
        ("why", "The pan browns onions in 9 minutes", "Why the pan browns onions in 9 minutes"),
        ("why", "The pan costs as much as a coat", None),  # the message gives no reason for that
        ("why", "How the pan browns onions in 9 minutes", None),
        ("why", "This is why a pan browns onions in 9 minutes", None),
        ("why", "Browning onions in 9 minutes with copper", None),
        ("number-first", "Our pan browns onions in 9 minutes", "In 9 minutes, our pan browns onions"),
        ("number-first", "Ostholt pans brown onions in 9 minutes.", "In 9 minutes, Ostholt pans brown onions"),
        ("number-first", "How to brown onions in 9 minutes", None),
        ("reason-first", "Onions brown fast because copper conducts", "Because copper conducts, onions brown fast"),
        ("fact-first", "Our pan browns onions in 9 minutes", "9 minutes: our pan browns onions"),
        ("ours", "The new pan from Ostholt browns onions", None),  # would lose the fact
        ("ours", "The new pan from Ostholt takes 9 minutes", "Our new pan takes 9 minutes"),
        ("question", "Nine out of ten pans are too thin", None),
        ("question", "Copper is the better pan", "Is copper the better pan?"),
        ("question", "Pans that are thin can warp", None),
        ("colon-question", "The secret of onions: copper", "The secret of onions? Copper"),
        ("colon-swapped", "Brown onions in 9 minutes: copper", "Copper: brown onions in 9 minutes"),
        ("first-clause", "Onions are brown in 9 minutes, which is fast", "Onions are brown in 9 minutes"),
        ("first-clause", "It is a good day, onions in 9 minutes", None),
        ("sentences-swapped", "Three pans are enough. Copper lasts", "Copper lasts. Three pans are enough."),
        ("sentences-swapped", "We counted twice. They are enough", None),
        ("no-filler", "A really good pan, 9 minutes", "A good pan, 9 minutes"),
        ("no-sender", "The pan from Ostholt takes 9 minutes", "The pan takes 9 minutes"),
        ("no-sender", "The pan from Ostholt's forge takes 9 minutes", None),
        ("sentence-case", "The Pan That Browns Onions For Ostholt", "The pan that browns onions for Ostholt"),
        ("title-case", "the pan of copper in 9 minutes", None),  # "9 Minutes" would not be to the letter
    ],
)
def test_edits(edit: str, before: str, after: str | None) -> None:
    assert EDITS[edit](before, task()) == after


def test_title_case_where_no_fact_forbids_it() -> None:
    free = task(must_keep=())
    assert EDITS["title-case"]("the pan of copper and onions", free) == "The Pan of Copper and Onions"


def test_drafts_pass_the_screen_differ_and_name_their_strategy() -> None:
    writer = EditWriter()
    result = writer.write(task(), 8, seed=0)
    texts = [draft.text for draft in result.drafts]
    assert isinstance(writer, Writer)
    assert len(texts) == len({text.casefold() for text in texts}) == 8
    assert all(Screener(task()).check(text) == [] for text in texts)
    named = {*RULES, "shorter", "sentences", "draft", "sentence"}
    assert all(part in named for draft in result.drafts for part in draft.strategy.split("+"))
    assert all(draft.writer == "edits" and draft.parent for draft in result.drafts)
    assert result.usage.tokens == 0


def test_the_same_seed_writes_the_same() -> None:
    assert EditWriter().write(task(), 6, seed=3) == EditWriter().write(task(), 6, seed=3)


def test_without_a_draft_the_message_is_edited() -> None:
    assert EditWriter().write(task(text=""), 4, seed=0).drafts


def test_winners_decide_what_comes_first() -> None:
    asking = tuple(WritingExample(text=f"Is {noun} enough?", percentile=90) for noun in ("one pan", "salt", "heat"))
    drafted = task("The answer to tough onions: 9 minutes of copper", examples=asking)
    assert "?" in EditWriter().write(drafted, 1, seed=0).drafts[0].text


def test_earlier_drafts_are_edited_and_not_repeated() -> None:
    earlier = "In 9 minutes, the new 28 cm pan browns onions"
    texts = [d.text for d in EditWriter().write(task(best_so_far=(earlier,)), 30, seed=0).drafts]
    assert earlier not in texts


def test_nothing_to_edit_gives_nothing() -> None:
    bare = WritingTask(content=Content(text="Pans"), metric="click_rate", message="Pans")
    assert EditWriter().write(bare, 5, seed=0).drafts == ()
    assert EditWriter().write(task(), 0, seed=0).drafts == ()


@settings(deadline=None)
@given(st.text(max_size=120), st.text(min_size=1, max_size=120))
def test_any_brief_is_survived(draft: str, message: str) -> None:
    odd = WritingTask(content=Content(text=draft, channel="headline"), metric="likes", message=message)
    for made in EditWriter().write(odd, 5, seed=1).drafts:
        assert Screener(odd).check(made.text) == []
