"""The critic says what the numbers carry, and nothing where they carry nothing."""

import random

import pytest

from agents.critic import contribution_lines, critique, tradeoff_lines, why_preferred
from agents.library.records import Hit, Post
from agents.occlusion import Contribution
from agents.traits import TRAITS, starts_with


def hit(text: str, percentile: float | None = 90.0) -> Hit:
    return Hit(post=Post(id=text[:8], text=text), similarity=0.5, metric="likes", value=1.0, percentile=percentile)


NOUNS = "lamp kettle ladder basket mirror teapot bucket blanket hammer saddle".split()  # noqa: SIM905


def questions_win(n: int = 10) -> list[tuple[str, float]]:
    return [(f"Who needs a {noun}?" if i % 2 else f"We need one {noun}.", 70 - i % 3 if i % 2 else 40 + i % 3)
            for i, noun in enumerate(NOUNS[:n])]  # fmt: skip


def test_a_trait_that_separates_is_named_with_its_counts() -> None:
    said = critique(questions_win())
    assert "Of 10 scored drafts" in said
    assert "the 5 that ask a question average 69, the 5 others 41" in said
    assert "To try:" in said


def test_the_advice_turns_with_the_scores() -> None:
    flipped = [(text, 100 - score) for text, score in questions_win()]
    assert "state instead of asking" in critique(flipped)
    assert "state instead of asking" not in critique(questions_win())


def test_longer_is_told_from_shorter() -> None:
    assert "write longer" in critique([("a" * i, float(i)) for i in range(5, 15)])
    assert "write shorter" in critique([("a" * i, float(-i)) for i in range(5, 15)])


def test_noise_is_called_noise() -> None:
    """Scores that have nothing to do with the texts lead to advice no more often than the stated share of runs."""
    advised = 0
    for seed in range(40):
        rng = random.Random(seed)
        scored = [(text, rng.gauss(50, 10)) for text, _ in questions_win()]
        advised += "To try" in critique(scored, seed=seed)
    assert advised <= 40 * 0.35


@pytest.mark.parametrize(
    ("scored", "said"),
    [
        ([], "Only 0 scored drafts: too few to compare."),
        ([("a", 1.0)], "Only 1 scored draft: too few to compare."),
        ([(noun, 50.0) for noun in NOUNS], "All 10 drafts score the same: nothing separates them."),
        ([("one lamp", 1.0), ("one sofa", 2.0), ("one bell", 1.5), ("one bowl", 1.7)], "Nothing measured separates"),
    ],
)
def test_too_little_is_said_to_be_too_little(scored: list[tuple[str, float]], said: str) -> None:
    assert said in critique(scored)


def test_winners_are_contrasted() -> None:
    drafts = [(f"The {noun} for your home", 50.0) for noun in NOUNS]
    winners = [hit(f"Why does a {noun} sing?") for noun in NOUNS[:5]]
    said = critique(drafts, winners)
    assert "5 of 5 retrieved winners ask a question, 0 of 10 drafts do" in said
    assert "ask a question" in said.partition("To try:")[2]


def test_losers_and_unmeasured_posts_are_no_winners() -> None:
    drafts = [(f"The {noun} for your home", 50.0) for noun in NOUNS]
    others = [hit(f"Why does a {noun} sing?", p) for noun, p in zip(NOUNS, [10.0, None] * 5, strict=True)]
    assert "winners" not in critique(drafts, others)


def test_nothing_forbidden_is_advised() -> None:
    drafts = [(f"The {noun} for the home", 50.0) for noun in NOUNS]
    winners = [hit(f"Fine {noun}!") for noun in NOUNS[:6]]
    assert "exclamation" in critique(drafts, winners)
    assert "exclamation" not in critique(drafts, winners, rules=("no exclamation marks",))


def test_a_fact_put_first_is_a_trait() -> None:
    early = starts_with("9 minutes")
    assert early.holds("In 9 minutes the onions of a whole market are brown")
    assert not early.holds("The onions of a whole market are brown in 9 minutes")
    assert not early.holds("19 minutes")


def test_the_same_input_gives_the_same_words() -> None:
    assert critique(questions_win(), seed=3) == critique(questions_win(), seed=3)


def test_every_trait_can_be_told_in_words() -> None:
    assert len({trait.name for trait in TRAITS}) == len(TRAITS)
    assert all(trait.have and trait.do and trait.avoid for trait in TRAITS)


# Parts, losers, other metrics -------------------------------------------------------------------------------------


def part(text: str, effect: float, kind: str = "phrase") -> Contribution:
    return Contribution(kind, text, 0, len(text), effect)  # type: ignore[arg-type]


def test_parts_that_carry_and_parts_that_hold_back_are_named() -> None:
    said = critique(questions_win(), contributions=[part("in 9 minutes", 14.2), part("from Ostholt", -5.0)])
    assert "without 'in 9 minutes' it would lose 14 points" in said
    assert "without 'from Ostholt' it would gain 5 points" in said
    assert "say 'from Ostholt' otherwise" in said


def test_a_fact_that_must_stay_is_never_advised_away() -> None:
    said = " ".join(contribution_lines([part("in 9 minutes", -8.0)], must_keep=("9 minutes",)))
    assert "would gain 8 points" in said
    assert "leave it out" not in said
    assert "What must stay stays" in said


def test_effects_below_a_point_and_pictures() -> None:
    assert contribution_lines([part("a", 0.4), part("b", -0.9)]) == []
    assert "without the picture it would lose 7 points" in contribution_lines([part("a pan", 7.0, "picture")])[0]
    (said,) = contribution_lines([part("a pan", -1.2, "picture")])
    assert "it would gain 1 point. Words cannot mend that" in said
    assert "To try" not in said


def test_losers_are_set_against_winners() -> None:
    drafts = [(f"Why does a {noun} ring?", 50.0) for noun in NOUNS]
    winners = [hit(f"Why does a {noun} sing?") for noun in NOUNS[:6]]
    losers = [hit(f"The {noun} is on sale", 10.0) for noun in NOUNS[:6]]
    said = critique(drafts, [*winners, *losers])
    assert "6 of 6 winners ask a question, 0 of 6 losers do" in said
    assert "losers" not in critique(drafts, winners)


@pytest.mark.parametrize(("sign", "said"), [(1, "Shares agrees"), (-1, "Shares pulls the other way")])
def test_other_metrics_agree_or_pull(sign: int, said: str) -> None:
    scored = questions_win()
    found = critique(scored, others={"Shares": [(text, 50 + sign * score / 10) for text, score in scored]})
    assert said in found
    assert f"number {1 if sign > 0 else 9} of 10 there" in found  # the two best are equal


def test_too_few_or_equal_scores_say_nothing_of_other_metrics() -> None:
    assert tradeoff_lines(questions_win(4), {"Shares": questions_win(4)}) == []
    assert tradeoff_lines(questions_win(), {"Shares": [(t, 1.0) for t, _ in questions_win()]}) == []


def test_two_drafts_side_by_side() -> None:
    better = ("Brown onions in 9 minutes", 71.0, [part("in 9 minutes", 14.0), part("onions", 2.0)])
    worse = ("The onions from Ostholt", 52.0, [part("from Ostholt", -6.0)])
    said = why_preferred(better, worse)
    assert "19 percentile points above" in said
    assert "It has what the other lacks: 'in 9 minutes' (+14)" in said
    assert "held back by 'from Ostholt' (-6)" in said
    assert "Both have 'onions' (+2)" in said
    assert "the wording as a whole does" in why_preferred(("a", 2.0, []), ("b", 1.0, []))
    with pytest.raises(ValueError, match="better draft first"):
        why_preferred(worse, better)
