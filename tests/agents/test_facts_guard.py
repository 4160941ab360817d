"""The facts guard on 200 adversarial briefs and on hand-written tricks: nothing false passes, and little that is true
is refused."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.screener import Screener
from agents.screener.dates import date_key, same_date, same_time, time_key
from agents.screener.english import is_english, ordinary
from agents.screener.names import proper_names
from agents.writers.base import WritingTask
from lcbm_model.content import Content
from tests.agents.adversarial_briefs import TEMPLATES, AdversarialBrief, briefs
from tests.agents.nasty_drafts import BRIEFS, FALSE, PASSES, TRUE

ALL = briefs()
FALSE_REJECTIONS = 0.02
"""Share of the 200 briefs' honest rewrites that the guard may refuse: twice what benchmarks/guard.py measured."""


@pytest.fixture(scope="module")
def screeners() -> dict[str, Screener]:
    return {brief.name: Screener(brief.task) for brief in ALL}


def test_there_are_200_briefs_and_every_trick_is_among_them() -> None:
    assert len(ALL) == 200
    assert len({brief.name for brief in ALL}) == 200
    kinds = Counter(kind for brief in ALL for kind, _ in brief.bad)
    named = {kind for template in TEMPLATES for kind, _ in template.bad}
    assert named < set(kinds)
    assert {"zero width", "look-alike", "full-width digits", "dropped fact", "dropped link", "swapped names"} < set(
        kinds
    )
    assert sum(kinds.values()) > 4000


@pytest.mark.parametrize("part", range(10))
def test_no_false_draft_survives(part: int, screeners: dict[str, Screener]) -> None:
    survived = [
        (brief.name, kind, text)
        for brief in ALL[part::10]
        for kind, text in brief.bad
        if not screeners[brief.name].check(text)
    ]
    assert survived == []


def test_honest_rewrites_pass_at_the_stated_share(screeners: dict[str, Screener]) -> None:
    refused = [(b.name, text, why) for b in ALL for text in b.good if (why := screeners[b.name].check(text))]
    total = sum(len(brief.good) for brief in ALL)
    assert len(refused) <= FALSE_REJECTIONS * total, refused


def test_the_briefs_own_drafts_pass(screeners: dict[str, Screener]) -> None:
    def lacks(brief: AdversarialBrief) -> bool:
        return any(fact not in brief.task.content.text for fact in brief.task.must_keep)

    refused = [(b.name, why) for b in ALL if not lacks(b) and (why := screeners[b.name].check(b.task.content.text))]
    assert refused == []


def nasty(name: str) -> Screener:
    brief = BRIEFS[name]
    return Screener(
        WritingTask.model_validate(
            {
                "content": Content(text=str(brief["draft"])),
                "metric": "click_rate",
                "message": brief["message"],
                "must_keep": brief["must_keep"],
            }
        )
    )


@pytest.mark.parametrize(("name", "text"), FALSE)
def test_a_trick_is_seen_through(name: str, text: str) -> None:
    assert nasty(name).check(text) != []


def test_true_drafts_of_the_same_briefs_pass_but_for_a_counted_two() -> None:
    refused = [text for name, text in TRUE if nasty(name).check(text)]
    assert refused == ["A saved penalty, two goals of Castell and a 3:1"]


@pytest.mark.parametrize(("name", "text"), PASSES)
def test_what_is_known_to_pass_is_said_to(name: str, text: str) -> None:
    """Fails when the guard learns to see it: then the draft belongs to `FALSE`, and the page is to be mended."""
    assert nasty(name).check(text) == []


# The reason is the right one -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("kettle", "95 seconds to tea, from 64 euros", "states the price"),
        ("kettle", "95 seconds to tea, for €46", "states the price '€46'"),
        ("kettle", "The fastest kettle: 95 seconds", "states the claim 'fastest'"),
        ("clinic", "Helen Osei vaccinated 312 children", "joins parts of two names to 'Helen Osei'"),
        ("clinic", "312 children did not get vaccinated", "which the brief says"),
        ("match", "Velden beat Calder 3:1", "swaps the roles of 'Calder' and 'Velden'"),
        ("cream", "Hand cream with perfume", "no longer denies 'perfume'"),
        ("rent", "Rents in Ostrava fell by 4.5 percent", "turns '4.5 percent' from 'up' to 'down'"),
        ("bank", "After 30 April you get 50 euros", "turns '30 April' from 'until' to 'from'"),
        ("kettle", "95 seconds to tea with ½ the power", "writes a number with '½'"),
        ("kettle", "95 seconds. Сору that", "letters of another alphabet"),
        ("rent", "4.5 percent in Ostrava, tomorrow", "states the date 'tomorrow'"),
        ("match", "3:1 and thousands of people", "states the share 'thousands'"),
    ],
)
def test_the_reason_names_the_change(name: str, text: str, said: str) -> None:
    assert said in " | ".join(nasty(name).check(text))


def test_what_the_brief_itself_disguises_may_stay() -> None:
    task = WritingTask(content=Content(text="½ price? Сору!"), metric="likes", message="½ price for all. Сору!")
    assert not any("alphabet" in why or "number with" in why for why in Screener(task).check("½ price. Сору!"))


def test_a_claim_of_the_brief_may_be_repeated_and_no_other_made_of_it() -> None:
    task = WritingTask(content=Content(text=""), metric="likes", message="The course is free. It is the best we have.")
    assert Screener(task).check("Our best course, and it is free") == []
    assert Screener(task).check("Our best course, with free lunch") != []
    assert Screener(task).check("Our finest course") != []


@pytest.mark.parametrize(
    ("a", "b"),
    [("12 May 2031", "May 12th, 2031"), ("2031-05-12", "12 May 2031"), ("3rd of June", "June 3"), ("Sept 9", "9 sep")],
)
def test_spellings_of_a_date_are_one(a: str, b: str) -> None:
    assert date_key(a) == date_key(b)


def test_a_year_or_half_of_the_day_may_be_left_out_and_not_added() -> None:
    assert same_date(date_key("12 May"), date_key("12 May 2031"))
    assert not same_date(date_key("12 May 2031"), date_key("12 May"))
    assert same_time(time_key("9:30"), time_key("9:30 pm"))
    assert same_time(time_key("21:30"), time_key("9:30 pm"))
    assert not same_time(time_key("9:30 pm"), time_key("9:30"))
    assert not same_time(time_key("9:30 am"), time_key("9:30 pm"))


@pytest.mark.parametrize("text", ["Chef Ramirez Loves This Pan Dearly", "Ramirez loves this pan", "THE PAN OF RAMIREZ"])
def test_names_are_found_where_capitals_tell_nothing(text: str) -> None:
    assert "ramirez" in {name.casefold() for name in proper_names(text)}


@pytest.mark.parametrize(
    "text", ["Browned onions wait", "Golden Onions For Your Slow Sunday Supper", "SOUP IS READY NOW"]
)
def test_ordinary_words_are_no_names_wherever_they_stand(text: str) -> None:
    assert proper_names(text) == []


def test_words_are_ordinary_in_their_forms_and_names_are_not() -> None:
    assert all(map(ordinary, ("Copper", "browning", "heavier", "studies", "hottest", "running", "Onions")))
    assert not any(map(ordinary, ("Maria", "Ramirez", "Kupferhain", "Texas")))
    assert is_english("The pan that browns onions")
    assert not is_english("Die Pfanne brät Zwiebeln braun")


@given(st.text(max_size=160))
def test_any_text_gets_reasons_in_words(text: str) -> None:
    assert all(isinstance(why, str) and why for why in nasty("kettle").check(text))


def _screener(message: str) -> Screener:
    content = Content(text=message.split(". ")[0], channel="tweet")
    return Screener(WritingTask(content=content, metric="click_rate", message=message))


@pytest.mark.parametrize(
    "draft",
    [
        "The pan costs $149,000",
        "The pan costs $149.000",
        "The pan weighs 18,000 kg",
        "In 9,000 minutes",
        "Rye for $4,500",
    ],
)
def test_no_number_is_multiplied_by_a_thousand(draft: str) -> None:
    screener = _screener("The pan costs $149 and weighs 18 kg. It browns onions in 9 minutes. Rye costs $4.50.")
    assert screener.check(draft)


@pytest.mark.parametrize(
    ("told", "draft"),
    [
        ("5 p.m.", "17:00"),
        ("5 p.m.", "5 PM"),
        ("5 p.m.", "5:00 p.m."),
        ("17:00", "5pm"),
        ("17:00", "five p.m."),
        ("noon", "12:00"),
        ("12 p.m.", "noon"),
        ("midnight", "0:00"),
    ],
)
def test_a_clock_time_is_one_in_all_its_spellings(told: str, draft: str) -> None:
    screener = _screener(f"The bakery is open on Saturday. It is open until {told} on that day.")
    assert screener.check(f"Open until {draft} on Saturday") == []


@pytest.mark.parametrize(
    ("told", "draft"), [("5 p.m.", "midnight"), ("5 p.m.", "noon"), ("noon", "midnight"), ("5 p.m.", "5 a.m.")]
)
def test_another_clock_time_is_refused(told: str, draft: str) -> None:
    screener = _screener(f"The bakery is open on Saturday. It is open until {told} on that day.")
    assert screener.check(f"Open until {draft} on Saturday")


@pytest.mark.parametrize(
    "draft", ["Meet the Volta 3", "The Volta 3 weighs little", "The Volta 3 has a 2-year warranty", "Buy the Volta 3"]
)
def test_a_number_in_a_products_name_is_known_whatever_follows(draft: str) -> None:
    assert _screener("The Volta 3 rides 120 km. It comes with a 2-year warranty.").check(draft) == []


@pytest.mark.parametrize("draft", ["Meet the Volta 4", "The Volta 120 rides far", "The Volta 3 rides 3 hours"])
def test_another_model_is_refused(draft: str) -> None:
    assert _screener("The Volta 3 rides 120 km. It comes with a 2-year warranty.").check(draft)


@pytest.mark.parametrize("draft", ["All patients feel better after six weeks", "Every patient feels better"])
def test_a_part_never_becomes_all(draft: str) -> None:
    assert _screener("Our clinic treats back pain. Most patients feel better after six weeks.").check(draft)


def test_a_word_for_all_is_free_where_the_brief_says_no_part() -> None:
    assert _screener("Our clinic treats back pain. Most patients feel better.").check("All about back pain") == []


def test_no_more_of_a_thing_is_a_denial() -> None:
    assert _screener("Our clinic treats back pain. Most patients feel better.").check("No more back pain")
