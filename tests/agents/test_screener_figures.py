"""What a rewrite must not leave out: numbers, prices, dates, times and links, as they were written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.screener.figures import figures, left_out
from agents.screener.survival import survives


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The new 28 cm copper pan from Kupferhain browns onions in 9 minutes", ("28 cm", "9 minutes")),
        ("Our spring sale starts on Monday, 20% off all knives", ("Monday", "20%")),
        ("149,90 € bis Freitag: kupferhain.de/pan", ("149,90 €", "kupferhain.de/pan")),
        ("Save up to $1,000 at 17:30, ask @anna", ("$1,000", "17:30", "@anna")),
        ("On 24 December, Black Friday is over", ("24 December", "Black Friday")),
        ("Two of us may march tomorrow", ()),
        ("A pan for life", ()),
        ("", ()),
    ],
)
def test_figures_as_written(text: str, found: tuple[str, ...]) -> None:
    assert figures(text) == found


@given(st.text(alphabet="ab 0123456789.,%€$:/-", max_size=60))
def test_every_figure_of_a_text_survives_in_it(text: str) -> None:
    assert all(survives(text, figure) for figure in figures(text))


def test_what_is_left_out_is_told_in_any_spelling() -> None:
    said = "The 28 cm pan from Kupferhain browns onions in 9 minutes"
    assert left_out("In nine minutes the onions are brown", said) == ("28 cm", "Kupferhain")
    assert left_out("Kupferhain's 9-minute onions, on 28 cm", said) == ()
    assert left_out("Anything", "A pan for life") == ()
