"""What limits an offer stays with it."""

from __future__ import annotations

import pytest

from agents.screener import Screener
from agents.screener.conditions import conditions, limits
from agents.writers import EditWriter, WritingTask
from lcbm_model.content import Content


def task(message: str, draft: str = "") -> WritingTask:
    return WritingTask(content=Content(text=draft), metric="click_rate", message=message)


@pytest.mark.parametrize(
    ("message", "draft"),
    [
        ("Free shipping on all pans from 50 euros.", "Free shipping on all pans"),
        ("Win a pan with every purchase over 100 euros.", "Win a pan with every purchase"),
        ("Entry is free for children under 6.", "Entry is free for children"),
        ("Entry is free for children under 6.", "Is entry free?"),
        ("Entry is free on Sundays.", "Entry is free"),
        ("You get 20 percent off if you order online.", "You get 20 percent off"),
        ("The pan is dishwasher safe without its wooden handle.", "The pan is dishwasher safe"),
        ("If you bring a friend, entry is free.", "Come in: entry is free"),
        ("Entry is free for members and for children under 12.", "Entry is free for children"),
        ("With our card you get a free coffee.", "A free coffee"),
        ("Get 20 % off all lamps with the code GLOW.", "Get 20 % off all lamps"),
        ("Visitors over 65 get 20% off the annual pass.", "Visitors get 20% off the annual pass"),
        ("10 pounds off if you book online.", "10 pounds off"),
        ("Shipping is free from 50 euros. Returns are free.", "Free shipping"),
        ("Shipping is free from 50 euros. Returns are free.", "Shipping and returns are free"),
        ("Shipping is free from 50 euros. Feel free to call us.", "Shipping is free"),
        ("All our bread is gluten-free. Coffee is free with every order over 10 euros.", "Coffee is free"),
        ("Entry is free in all city museums, except the maritime museum.", "Entry is free in all city museums"),
        ("15 percent off on all roses, except for climbing roses.", "15 percent off on all roses, except"),
        ("All concert tickets are half price, except tickets for the opera.", "All concert tickets are half price"),
        ("Parking is free for visitors without a parking permit.", "Parking is free for visitors"),
    ],
)
def test_an_offer_without_its_condition_is_refused(message: str, draft: str) -> None:
    (reason, *_) = Screener(task(message)).check(draft)
    assert "limits the offer" in reason


@pytest.mark.parametrize(
    ("message", "draft"),
    [
        ("Free shipping on all pans from 50 euros.", "From 50 euros: free shipping on all pans"),
        ("Entry is free for children under 6.", "Under 6? Entry is free"),
        ("You get 20 percent off if you order online.", "Order online, get 20 percent off"),
        ("Entry is free. On Sundays entry is free for members.", "Entry is free"),
        ("Our pans brown onions if you wait 9 minutes.", "Our pans brown onions"),
        ("Entry is free until 3 June.", "Entry is free"),
        ("Entry is free for members and for children under 12.", "Members get in free"),
        ("Entry is free for members and children under 12.", "Members get in free"),
        ("Entry is free for members and for children under 12.", "Free for children under 12"),
        ("Our filter is safe for children and saves money.", "A filter that is safe"),
        ("With our card you get a free coffee.", "A free coffee with our card"),
        ("Save 20 % on all pans when you order this week.", "20 % off all pans, ordered this week"),
        ("Delivery is free, even if you order just one book.", "Delivery is free"),
        ("The new insulation saves 300 euros a year without changing the windows.", "It saves 300 euros a year"),
        ("The museum won a prize for its new wing when it opened in 2021.", "The museum won a prize for its new wing"),
        ("She won the prize when she was only 19.", "She won the prize"),
        ("The helmet keeps children safe when they fall off the bike.", "A helmet that keeps children safe"),
        ("The judge set him free when the witness withdrew her statement.", "The judge set him free"),
        ("Gluten free bread only from local flour, baked at six.", "Bread baked at six, gluten free"),
        ("Shipping is free from 50 euros. Returns are free.", "Returns are free"),
        ("Shipping is free from 50 euros. Returns are free.", "Free shipping from 50 euros, free returns"),
    ],
)
def test_who_says_it_or_needs_none_may_pass(message: str, draft: str) -> None:
    assert not [reason for reason in Screener(task(message)).check(draft) if "limits the offer" in reason]


def test_conditions_end_where_the_next_begins() -> None:
    found = [limit.text for limit in conditions("Shipping is free from 50 euros if you order online, and quick.")]
    assert found == ["from 50 euros", "if you order online"]
    assert [limit.text for limit in conditions("Free for people under 27.")] == ["for people under 27"]
    assert limits("until Sunday")
    assert not limits("in a small kitchen")


@pytest.mark.parametrize(
    "message",
    [
        "Free shipping on all pans from 50 euros. Below that we charge 5 euros.",
        "Every second pan is half price until Sunday with our card.",
        "The vaccine protects 9 in 10 adults after the second dose.",
        "The pan is dishwasher safe without its wooden handle.",
        "New customers pay 5 euros a month for the first year, then 15 euros.",
        "The museum opens at 10 unless it snows.",
        "We deliver within 2 days in Berlin, and within 5 days elsewhere.",
    ],
)
def test_the_writers_by_rule_leave_no_limit_out(message: str) -> None:
    drafts = [d.text for d in EditWriter().write(task(message, message.split(". ")[0].rstrip(".")), 40, seed=1).drafts]
    first = message.split(". ")[0].rstrip(".")
    limiting = first.split()[-3:]
    for text in drafts:
        if text.startswith(first.split()[0]) and len(text) < len(first) - 1:
            assert all(word in text for word in limiting), text
        assert not text.startswith(("In 10", "Within 5", "Below that", "After that"))
