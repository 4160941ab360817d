"""What a brief says of itself: its name, and what every draft has to hold."""

from __future__ import annotations

from typing import Any

import pytest

from optimizer import Brief


def brief(**fields: Any) -> Brief:
    return Brief.parse({"message": "Our sale starts on Monday, 20% off", "metric": "shares", **fields})


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({}, ("Monday", "20%")),
        ({"draft": "A sale of 3 days"}, ("3 days",)),
        ({"message": "Our sale starts on Monday. It is 20% off."}, ()),
        ({"must_keep": ["20% off"]}, ("20% off", "Monday")),
        ({"keep_figures": False}, ()),
        ({"keep_figures": False, "must_keep": ["20%"]}, ("20%",)),
        ({"banned_words": ["Monday"]}, ("20%",)),
        ({"draft": "From Monday to Friday, from 9:00 to 17:30", "max_length": 20}, ("Monday", "Friday", "9:00")),
    ],
)
def test_what_every_draft_has_to_hold(fields: dict[str, Any], kept: tuple[str, ...]) -> None:
    assert brief(**fields).kept == kept


def test_a_brief_without_a_name_is_called_by_what_it_says() -> None:
    assert brief().name == "Our sale starts on Monday, 20% off"
    assert brief(name="spring").name == "spring"
    long = brief(message="Our rye bread comes out of the oven at six and keeps for days on end").name
    assert long == "Our rye bread comes out of the oven at six and …"
