"""Occlusion: what is cut, that the rest can be read, and that effects are those of the parts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agents.occlusion import cuts, occlusion
from lcbm_model.content import Content, Media
from lcbm_model.errors import BackendError, SettingsError
from lcbm_model.metrics import Metric
from lcbm_model.prediction import Prediction
from lcbm_model.simulator.base import Context
from tests.fakes import FakeSimulator

WORTH = {"copper": 9.0, "minutes": 14.0, "kupferhain": -5.0, "why": 6.0, "cm": 2.0}


class WordSimulator(FakeSimulator):
    """30 percentile points and what its words are worth, 7 more with a picture; counts its calls."""

    def __init__(self) -> None:
        super().__init__(name="words")
        self.batches: list[int] = []

    def predict(
        self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None
    ) -> list[Prediction]:
        self.batches.append(len(contents))
        answers = super().predict(contents, metric, context)
        return [
            a.model_copy(update={"expected": worth(c)}) if a.ok else a for a, c in zip(answers, contents, strict=True)
        ]


def worth(content: Content) -> float:
    words = re.findall(r"\w+", content.text.casefold())
    return 30 + sum(WORTH.get(word, 0.25) for word in words) + 7 * bool(content.media)


HEADLINE = "The new 28 cm copper pan from Kupferhain browns onions in 9 minutes"


@pytest.mark.parametrize(
    ("text", "kind", "gone", "rest"),
    [
        (HEADLINE, "phrase", "in 9 minutes", "The new 28 cm copper pan from Kupferhain browns onions"),
        (HEADLINE, "phrase", "from Kupferhain", "The new 28 cm copper pan browns onions in 9 minutes"),
        (HEADLINE, "phrase", "28 cm", "The new copper pan from Kupferhain browns onions in 9 minutes"),
        ("Why wait? Eat now, sleep later.", "hook", "Why wait?", "Eat now, sleep later."),
        ("Why wait? Eat now, sleep later.", "phrase", "Eat now", "Why wait? Sleep later."),
        ("Why wait? Eat now, sleep later.", "phrase", "sleep later", "Why wait? Eat now."),
        ("Copper: the secret of onions", "hook", "Copper", "The secret of onions"),
        ("One line\nAnother line with more", "hook", "One line", "Another line with more"),
        ("It costs 149.50 euros. Read example.org/a now!", "hook", "It costs 149.50 euros.", "Read example.org/a now!"),
    ],
)
def test_parts_are_cut_so_that_the_rest_can_be_read(text: str, kind: str, gone: str, rest: str) -> None:
    assert (kind, gone, rest) in {(c.kind, text[c.start : c.end], c.rest) for c in cuts(text)}


@pytest.mark.parametrize("text", ["", "...", "One line", "Onions brown fast", "   "])
def test_nothing_is_cut_where_nothing_would_be_left(text: str) -> None:
    assert cuts(text) == []
    simulator = WordSimulator()
    assert occlusion(simulator, Content(text=text), "click_rate") == []
    assert simulator.batches == []


def test_effects_are_what_the_words_are_worth(tmp_path: Path) -> None:
    content = Content(text=HEADLINE, media=(Media(path=tmp_path / "pan.png", alt="a pan"),))
    simulator = WordSimulator()
    found = {c.text: c for c in occlusion(simulator, content, "click_rate")}
    assert found["in 9 minutes"].effect == pytest.approx(14.5)
    assert found["from Kupferhain"].effect == pytest.approx(-4.75)
    assert (found["a pan"].kind, found["a pan"].start, found["a pan"].effect) == ("picture", None, pytest.approx(7.0))
    assert next(c.text for c in occlusion(simulator, content, "click_rate")) == "in 9 minutes"


def test_the_hook_and_the_picture_come_before_phrases(tmp_path: Path) -> None:
    content = Content(text="Why wait? Eat now, sleep later.", media=(Media(path=tmp_path / "a.png"),))
    simulator = WordSimulator()
    assert {c.kind for c in occlusion(simulator, content, "click_rate", most=2)} == {"hook", "picture"}
    assert simulator.batches == [3]
    assert occlusion(simulator, content, "click_rate", most=0) == []
    assert simulator.batches == [3]
    with pytest.raises(SettingsError, match="zero or more"):
        occlusion(simulator, content, "click_rate", most=-1)


def test_a_video_stays_and_a_wordless_picture_is_not_taken_away(tmp_path: Path) -> None:
    film = Media(path=tmp_path / "a.mp4", kind="video")
    picture = Media(path=tmp_path / "a.png")
    seen: list[Content] = []

    class Watching(WordSimulator):
        def predict(
            self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None
        ) -> list[Prediction]:
            seen.extend(contents)
            return super().predict(contents, metric, context)

    occlusion(Watching(), Content(text="One line", media=(film, picture)), "click_rate")
    assert seen[1].media == (film,)
    assert occlusion(WordSimulator(), Content(text="", media=(picture,)), "click_rate") == []


def test_a_part_that_cannot_be_scored_is_left_out_and_a_whole_that_cannot_is_an_error() -> None:
    class Fails(WordSimulator):
        def __init__(self, on: str) -> None:
            super().__init__()
            self.on = on

        def predict(
            self, contents: Sequence[Content], metric: str | Metric, context: Context | None = None
        ) -> list[Prediction]:
            answers = super().predict(contents, metric, context)
            return [
                Prediction.failed("click_rate", self.identity, "cannot be scored") if self.on == c.text else a
                for a, c in zip(answers, contents, strict=True)
            ]

    rest = "The new 28 cm copper pan from Kupferhain browns onions"
    assert "in 9 minutes" not in {c.text for c in occlusion(Fails(rest), Content(text=HEADLINE), "click_rate")}
    with pytest.raises(BackendError, match="cannot be scored"):
        occlusion(Fails(HEADLINE), Content(text=HEADLINE), "click_rate")


PLAIN = ("copper", "minutes", "Kupferhain", "why", "cm", "onions", "in", "with", "9", "and,", "so;", "pan:", "-", "4.5")
WORDS = st.sampled_from([*PLAIN, "–", "(dry)", "“so”"])
SENTENCES = st.lists(st.lists(WORDS, min_size=1, max_size=9).map(" ".join), min_size=1, max_size=4)


@given(SENTENCES, st.sampled_from([". ", "! ", "? ", "\n", "… "]))
@example(["copper", "-", "and, copper"], "\n")
def test_every_cut_is_a_stretch_of_the_text_and_loses_no_other_word(sentences: list[str], mark: str) -> None:
    text = mark.join(sentences) + mark.strip(" ")
    found = cuts(text)
    assert len({(c.start, c.end) for c in found}) == len(found)
    for cut in found:
        kept = re.findall(r"\w+", text[: cut.start]) + re.findall(r"\w+", text[cut.end :])
        assert [w.casefold() for w in re.findall(r"\w+", cut.rest)] == [w.casefold() for w in kept]
        assert text[cut.start : cut.end].strip() == text[cut.start : cut.end] != ""
        assert not re.search(r"\s[,.;:!?…]|  |^[,;:.!?–—-]", cut.rest) or re.search(r"\s[,.;:!?…]|^[,;:.!?–—-]", text)


@given(SENTENCES)
def test_with_a_simulator_that_adds_up_words_each_effect_is_its_words(sentences: list[str]) -> None:
    content = Content(text=". ".join(sentences))
    simulator = WordSimulator()
    for found in occlusion(simulator, content, "click_rate", most=6):
        assert found.effect == pytest.approx(sum(WORTH.get(w, 0.25) for w in re.findall(r"\w+", found.text.casefold())))
    assert len(simulator.batches) <= 1
    assert all(size <= 7 for size in simulator.batches)


@given(st.text(max_size=200))
def test_any_text_can_be_cut(text: str) -> None:
    for cut in cuts(text):
        assert 0 <= cut.start < cut.end <= len(text)
