"""Content: kinds of post go by one word, whatever a platform calls them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcbm_model.content import FORMATS, Content, format_key


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Photos", "photo"), ("IG image", "photo"), ("single_image", "photo"), ("Reels", "video"), ("IG reel", "video"),
        ("Links", "link"), ("Statuses", "status"), ("text only", "status"), (" Poll  of the week", "Poll of the week"),
    ],
)  # fmt: skip
def test_kinds_by_the_word_that_models_know(said: str, kind: str) -> None:
    assert format_key(said) == kind
    assert Content(text="x", format=said) == Content(text="x", format=kind)


@given(st.text())
def test_a_kind_is_spelled_once(said: str) -> None:
    assert format_key(format_key(said)) == format_key(said)
    assert all(format_key(kind) == kind for kind in FORMATS)
