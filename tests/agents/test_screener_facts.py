"""What the screener reads as a fact, and which spellings of a fact are one."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.screener import Screener, extract_facts, extract_quantities
from agents.screener.folding import contains_evasively, contains_word
from agents.screener.names import proper_names
from agents.screener.survival import survives
from agents.writers.base import WritingTask
from lcbm_model.content import Content


def kinds(text: str) -> set[tuple[str, str]]:
    return {(fact.kind, fact.text) for fact in extract_facts(text)}


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("It costs 149 euros.", "price", "149 euros"),
        ("Now €1,499!", "price", "€1,499"),
        ("Save 25 % today", "percent", "25 %"),
        ("Done in nine minutes", "number", "nine minutes"),
        ("A 9-minute supper", "number", "9-minute"),
        ("Over 2 million cooks", "number", "2 million"),
        ("From 12 May 2031 on", "date", "12 May 2031"),
        ("From 2031-05-12 on", "date", "2031-05-12"),
        ("Opens at 9:30", "time", "9:30"),
        ("See https://example.org/pans?a=1.", "link", "https://example.org/pans?a=1"),
        ("See shop.example.com now", "link", "shop.example.com"),
        ("Write to us@example.org", "email", "us@example.org"),
        ("Thanks to @coppercook", "handle", "@coppercook"),
        ("Works with B2B buyers", "code", "B2B"),
        ("It was made by Marta Ohlsen", "name", "Marta"),
        ('They call it "the slow pan" here', "quoted", "the slow pan"),
    ],
)
def test_facts_are_found(text: str, kind: str, found: str) -> None:
    assert (kind, found) in kinds(text)


def test_a_date_is_not_a_number_as_well() -> None:
    assert {kind for kind, _ in kinds("Open 2031-05-12")} == {"date"}


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("twenty-five percent", 25, "%"),
        ("two hundred pans", 200, None),
        ("three hundred and forty grams", 340, "g"),
        ("two thousand five hundred", 2500, None),
        ("10k fans", 10_000, None),
        ("28cm", 28, "cm"),
        ("$5", 5, "USD"),
        ("EUR 5", 5, "EUR"),
        ("one minute", 1, "minute"),
    ],
)
def test_quantities_are_read_as_values(text: str, value: int, unit: str | None) -> None:
    (quantity,) = extract_quantities(text)
    assert Decimal(value) in quantity.values
    assert quantity.unit == unit


def test_a_lone_one_is_a_pronoun() -> None:
    assert extract_quantities("the one you keep") == []


def test_groups_of_three_digits_are_thousands_in_every_country() -> None:
    (english,) = extract_quantities("1,499")
    (german,) = extract_quantities("1.499")
    assert english.values == german.values == {Decimal(1499)}
    (part,) = extract_quantities("0.125")
    assert part.values == {Decimal("0.125")}
    (precise,) = extract_quantities("1,499.50")
    assert precise.values == {Decimal("1499.50")}


@given(st.integers(0, 10**7), st.sampled_from(["", " minutes", " %", " euros", " cm"]))
def test_every_integer_is_found_with_its_unit(number: int, unit: str) -> None:
    (quantity,) = extract_quantities(f"about {number}{unit} or so")
    assert Decimal(number) in quantity.values
    assert (quantity.unit is None) == (not unit)


@given(st.integers(1, 10**6), st.text("abcdefg ", max_size=20), st.text("abcdefg ", max_size=20))
def test_a_fact_survives_between_words_and_never_inside_a_larger_number(number: int, before: str, after: str) -> None:
    fact = f"{number} minutes"
    assert survives(f"{before} {fact} {after}", fact)
    assert not survives(f"{before} 7{fact} {after}", fact)
    assert not survives(f"{before} 7.{fact} {after}", fact)
    assert not survives(f"{before} {fact}x {after}", fact)


@pytest.mark.parametrize("text", ["9\u00a0minutes", "9\nminutes", "9  minutes."])
def test_white_space_is_no_change(text: str) -> None:
    assert survives(text, "9 minutes")


@pytest.mark.parametrize("text", ["149.50 euros", "149 % more", "1149 euros", "-149", "149:30"])
def test_a_price_does_not_survive_in_another_number(text: str) -> None:
    assert not survives(text, "149")


@pytest.mark.parametrize(
    "text",
    [
        "The Pan That Nobody At Home Will Ever Lend",  # title case
        "Die neue Pfanne bräunt Zwiebeln und ist leicht",  # nouns have capitals
        "Open on Sunday and Monday",
        "Good pans. Better soups",
    ],
)
def test_names_are_claimed_only_where_capitals_tell(text: str) -> None:
    assert proper_names(text) == []


def test_possessives_are_the_name() -> None:
    assert proper_names("It is Marta's pan") == ["Marta"]


@pytest.mark.parametrize(
    "disguise",
    [
        "guaranteed",
        "GUARANTEED",
        "Guaränteed",
        "gu\u200baran\u00adteed",
        "guаrаnteed",  # Cyrillic a
        "ＧＵＡＲＡＮＴＥＥＤ",
        "g u a r a n t e e d",
        "g.u.a.r.a.n.t.e.e.d",
        "gu4r4nt33d",
        "guaran-teed",
    ],
)
def test_banned_words_are_seen_through_disguises(disguise: str) -> None:
    assert contains_evasively(f"fresh, {disguise}!", "guaranteed")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("sofa", "so"),
        ("50 pans", "so"),
        ("class", "ass"),
        ("to get her home", "together"),
        ("unguaranteed", "guaranteed"),
    ],
)
def test_other_words_are_not_the_banned_one(text: str, word: str) -> None:
    assert not contains_evasively(text, word)


def test_scripts_without_spaces_match_inside() -> None:
    assert contains_evasively("これは最高です", "最高")


def test_required_words_keep_their_accents() -> None:
    assert contains_word("Our CAFÉ opens", "café")
    assert not contains_word("Our cafe opens", "café")


@given(st.text(max_size=200))
def test_extraction_never_fails_on_hostile_text(text: str) -> None:
    for fact in extract_facts(text):
        assert fact.text


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("Works down to -20 degrees", "-20", "degree"),
        ("Works down to \N{MINUS SIGN}20 degrees", "-20", "degree"),
        ("It costs -149 euros", "-149", "EUR"),
        ("-20 % on pans", "20", "%"),
        ("It costs R$149", "149", "r$"),
        ("It costs 149 \N{TURKISH LIRA SIGN}", "149", "\N{TURKISH LIRA SIGN}"),
        ("It costs \N{WON SIGN}149", "149", "\N{WON SIGN}"),
        ("It costs US$149", "149", "USD"),
        ("Save 5\N{PER MILLE SIGN}", "5", "\N{PER MILLE SIGN}"),
        ("Lasts 5-10 years", "10", "year"),
        ("See page A-20 degrees", "20", "degree"),
    ],
)
def test_signs_and_currencies_are_part_of_a_number(text: str, value: str, unit: str) -> None:
    found = extract_quantities(text)[-1]
    assert found.values == {Decimal(value)}
    assert found.unit == unit
    assert found.is_price == (unit in ("EUR", "USD", "r$", "\N{TURKISH LIRA SIGN}", "\N{WON SIGN}"))


@pytest.mark.parametrize("link", ["t.ly/evil", "v.gd/copper", "s.id/copper", "g.page/xyz", "a.b.co/x"])
def test_hosts_of_one_letter_are_links(link: str) -> None:
    assert ("link", link) in kinds(f"Order the copper pan: {link}")
    assert not [kind for kind, _ in kinds("Copper pans, e.g. ours, i.e. the new ones") if kind == "link"]


@pytest.mark.parametrize("text", ["|" * 600, "|-" * 2000, "@|" * 2000, "i|l|e|" * 500])
def test_long_runs_of_marks_are_read_in_no_time(text: str) -> None:
    """Each of them took minutes, or for ever."""
    assert not contains_evasively(text, "illegal")
    assert not contains_evasively(text, "alias")
    assert contains_evasively(f"{text} i||egal", "illegal")


@pytest.mark.parametrize(
    "draft",
    ["It costs $149,000", "It costs $149.000", "It weighs 18,000 kg", "In 9,000 minutes", "Rye costs $4,500"],
)
def test_no_number_is_multiplied_by_a_thousand(draft: str) -> None:
    message = "The pan costs $149 and weighs 18 kg, done in 9 minutes. Rye costs $4.50. 1958 cooks use it."
    screener = Screener(WritingTask(content=Content(text=""), metric="click_rate", message=message))
    assert any("stands nowhere in the brief" in reason for reason in screener.check(draft))
    assert not screener.check("1,958 cooks use it")  # the same number, as others write it
