"""Which language a text is in, and what that does to the scores of a model that never met it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcbm_model.content import Content
from lcbm_model.language import language_of, languages_of
from lcbm_model.prediction import Prediction, SimulatorIdentity
from lcbm_model.simulator.conformal import ConformalCalibration, Entry

ENGLISH = SimulatorIdentity(backend="fake", checkpoint="x", checkpoint_hash="0", tuned=True, languages=("en",))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("We bake our bread every morning before you get up", "en"),
        ("Warum Ihr Omelett immer anbrennt", "de"),
        ("WARUM IHR OMELETT IMMER ANBRENNT", "de"),
        ("Pourquoi votre omelette accroche\ntoujours à la poêle", "fr"),
        ("Почему ваш омлет пригорает", "ru"),
        ("なぜオムレツがくっつくのか", "ja"),
        ("Kupferhain", None),
        ("Nom nom", None),
        ("🥐🥐🥐", None),
        ("=1+1", None),
        ("149 €", None),
        ("", None),
    ],
)
def test_a_text_that_tells_its_language(text: str, language: str | None) -> None:
    assert language_of(text) == language


@given(st.text())
def test_any_text_has_an_answer(text: str) -> None:
    found = language_of(text)
    assert found is None or found.islower()


def test_a_language_of_a_few_texts_was_not_learned() -> None:
    english = ["We bake our bread every morning before you get up"] * 38
    german = ["Warum Ihr Omelett immer anbrennt"]
    assert languages_of([*english, *german, "42"]) == ("en",)
    assert languages_of([*english, *german * 2]) == ("en", "de")
    assert languages_of([]) == ()


def test_a_model_knows_which_texts_are_foreign_to_it() -> None:
    texts = ["Warum Ihr Omelett immer anbrennt", "We bake our bread every morning", "Alles über gute Pfannen", "Rye"]
    contents = [Content(text=text) for text in texts]
    assert ENGLISH.foreign(contents) == {"de": 2}
    assert ENGLISH.foreign(contents[1:2]) == {}
    assert ENGLISH.model_copy(update={"languages": ()}).foreign(contents) == {}, "nothing is said of what is not known"


def test_the_interval_of_a_strange_text_is_wider_and_not_twice() -> None:
    calibration = ConformalCalibration(entries={"click_rate/headline": Entry(widen=1.0)}, unseen_extra=4.0)
    plain = Prediction.from_bins("click_rate", ENGLISH, [0, 0, 0, 1, 2, 1, 0, 0, 0, 0])
    known, strange = (calibration.apply(plain, "headline", strange=s) for s in (False, True))
    assert (known.low or 0) - (strange.low or 0) == pytest.approx(4)
    assert (strange.high or 0) - (known.high or 0) == pytest.approx(4)
    assert known.expected == strange.expected
    elsewhere = (calibration.apply(plain, "billboard", strange=s) for s in (False, True))
    assert len({(p.low, p.high) for p in elsewhere}) == 1
