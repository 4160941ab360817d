"""What a brief says of itself: its name, and what every draft has to hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lcbm_model.content import Content
from lcbm_model.errors import BriefError, InputError, SettingsError
from optimizer import Brief, compare, optimize, score
from tests.fakes import FakeSimulator


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


def test_what_is_no_brief_is_told(tmp_path: Path) -> None:
    for wrong in ("brief.yaml", {"message": "a"}):
        with pytest.raises(BriefError, match=r"is no Brief.*Brief\.load\(path\)"):
            optimize(wrong, store=tmp_path)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ask", [score, compare])
def test_one_text_is_no_list_of_texts(ask: Callable[..., Any]) -> None:
    for wrong in ("Bread at six", Content(text="Bread at six")):
        with pytest.raises(InputError, match=r"is a single one, not a list.*\[text\]"):
            ask(wrong, "shares", simulator=FakeSimulator())


def test_writers_may_be_named(tmp_path: Path) -> None:
    parts: dict[str, Any] = {"simulator": FakeSimulator(), "judge": "none", "store": tmp_path}
    done = optimize(brief(budget={"rounds": 1}), writers=["edits"], **parts)
    assert [line.writer for line in done.writers] == ["edits"]
    with pytest.raises(SettingsError, match="holds what is no writer"):
        optimize(brief(), writers=[3], **parts)
