"""Texts from the message's own sentences, framed statements, and texts without a part."""

from __future__ import annotations

import pytest

from agents.writers.base import WritingTask
from agents.writers.framing import FRAMES
from agents.writers.sentences import assembled, points_back, sentences
from agents.writers.shortening import shorter
from lcbm_model.content import Content

MESSAGE = "Our new pan browns onions in 9 minutes because copper spreads heat. It costs 149 euros. We built 40 pans."


def task(text: str = "New pan for onions", *, must_keep: tuple[str, ...] = (), message: str = MESSAGE) -> WritingTask:
    content = Content(text=text, channel="headline")
    return WritingTask(content=content, metric="click_rate", message=message, must_keep=must_keep)


def test_sentences_stand_alone_in_a_row_turned_and_beside_the_draft() -> None:
    made = {text for _, text, _ in assembled(task())}
    first, second, third = sentences(MESSAGE)
    assert first.rstrip(".") in made
    assert f"{first} {second}" in made
    assert f"{third} {first}" in made
    assert f"New pan for onions. {second}" in made
    assert f"{third} New pan for onions." in made
    assert not any(text.startswith("It ") for text in made), "what points back opens no text"


def test_facts_that_must_stay_do() -> None:
    assert all("149 euros" in text for _, text, _ in assembled(task(must_keep=("149 euros",))))


@pytest.mark.parametrize(
    ("sentence", "back"),
    [
        ("It costs 149 euros", True),
        ("Nobody came for them", True),
        ("Ours are riveted", True),
        ("The pan is thin", False),
        ("Search finds a note because it asks no server", False),
    ],
)
def test_what_points_back_is_known(sentence: str, back: bool) -> None:
    assert points_back(sentence) == back


@pytest.mark.parametrize(
    ("frame", "before", "after"),
    [
        ("did-you-know", "We built 40 pans", "Did you know that we built 40 pans?"),
        ("did-you-know", "Bring us your pans", None),
        ("here-is-why", "Our new pan browns onions in 9 minutes", "Our new pan browns onions in 9 minutes. Here's why"),
        ("here-is-why", "The workshop opens early on Monday morning", None),  # the message gives no reason for it
        ("that-is-why", "Our pan is a fast one because tin is", "Tin is. That's why our pan is a fast one"),
        ("that-is-why", "Our pan is a fast one because it conducts", None),
        ("how-we", "We built 40 pans", "How we built 40 pans"),
        ("how-we", "We need 40 pans", None),
        ("spoken", "It is no trick, we do not polish", "It's no trick, we don't polish"),
        ("spoken", "We polish", None),
    ],
)  # fmt: skip
def test_frames(frame: str, before: str, after: str | None) -> None:
    message = f"{MESSAGE} {before}." if frame == "did-you-know" else MESSAGE
    assert FRAMES[frame](before, task(message=message)) == after


def test_parts_are_only_left_out_where_the_rest_reads_well() -> None:
    assert "Our new pan browns onions" in set(shorter("Our new pan browns onions in 9 minutes"))
    assert not any(text.startswith("It ") for text in shorter("The pan is here. It costs 149 euros a piece."))
    assert list(shorter("Pans for onions")) == []
    torsos = ("is made.", "is made", "is closed", "are sold")
    for text in (
        "Our pan browns onions in 9 minutes. It costs 149 euros and is made in Erfurt.",
        "Our little shop is closed on Mondays.",
        "All of our copper pans are gladly sold to cooks in small kitchens.",
    ):
        assert not any(short.endswith(torsos) for short in shorter(text)), text
