"""The token budget: least informative slot first, never a picture, always within the limit."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcbm_model.content import Communicator, Content, Media, Scene
from lcbm_model.errors import SettingsError
from lcbm_model.metrics import get_metric
from lcbm_model.prompt_budget import fit_prompt
from lcbm_model.simulator.base import Context, Known
from lcbm_model.verbalize import IMAGE, Prompt, behavior_prompt

SHARES = get_metric("shares")
RICH = Content(
    text="The boot that outlives the road it walks on and the one after it",
    channel="video",
    title="Boots that stay",
    topic="walking in the hills",
    audience="walkers",
    communicator=Communicator(name="Northfold", description="boots since 1910"),
    media=(Media(path=Path("still.jpg")),),
    scenes=tuple(
        Scene(
            start=i,
            end=i + 1,
            speech=f"said {i}",
            on_screen_text=f"written {i}",
            caption=f"seen {i}",
            objects=(f"thing {i}",),
            colours=("green",),
            tones=("warm",),
        )
        for i in range(4)
    ),
)
KNOWN = Context(examples=(Known(text="A lid for every pot", percentile=91), Known(text="Soap?", percentile=8)))


def build(content: Content, context: Context) -> Prompt:
    return behavior_prompt(content, SHARES, context)


def count(text: str) -> int:
    return len(text.split())


def fit(limit: int, content: Content = RICH) -> Prompt:
    return fit_prompt(build, content, KNOWN, count_tokens=count, limit=limit, picture_tokens=5)


WHOLE = count(build(RICH, KNOWN).text) + 5
# In the order they are to go.
SCENES = ("green", "warm", "thing", "written", "seen", "said")
SLOTS = (*SCENES, "Known:", "walkers", "since 1910", "Scene", "in the hills", "Title")


def test_what_fits_is_unchanged() -> None:
    assert fit(WHOLE) == build(RICH, KNOWN)
    assert fit(WHOLE - 1) != build(RICH, KNOWN)


@settings(deadline=None)
@given(st.integers(55, WHOLE))
def test_always_within_the_limit_with_its_picture_and_in_order(limit: int) -> None:
    prompt = fit(limit)
    assert count(prompt.text) + 5 * len(prompt.pictures) <= limit
    assert prompt.text.count(IMAGE) == len(prompt.pictures) == 1
    there = [slot in prompt.text for slot in SLOTS]
    assert there == sorted(there), dict(zip(SLOTS, there, strict=True))
    # A word of the draft goes only when nothing else is left to cut.
    if any(there):
        assert RICH.text in prompt.own


def test_every_slot_goes_somewhere_and_words_last() -> None:
    gone = [slot for slot in SLOTS if slot not in fit(57).text]
    assert gone == list(SLOTS)
    assert '"The boot' in fit(57).own
    assert "after it" not in fit(57).own


def test_what_can_never_fit_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"the shortest prompt takes \d+ tokens.*Raise the limit"):
        fit(20)
    with pytest.raises(SettingsError):
        fit(20, Content(text=""))
