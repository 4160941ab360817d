"""What calls leave for the next: the same readings, fewer tokens, within a bound of memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lcbm_model.backbone.loader import load_backbone
from lcbm_model.backbone.model import Backbone
from lcbm_model.content import Content
from lcbm_model.simulator.beginnings import Beginnings
from lcbm_model.simulator.items import Item, Reading, Row
from lcbm_model.simulator.local import LocalSimulator
from lcbm_model.simulator.scoring import Scorer
from lcbm_model.simulator.tree import Kept
from tests.lcbm_model.scored_items import adapted, item, read
from tests.lcbm_model.tiny_model import write_tiny_model

SETTING = "Where: a bakery's page, From: somebody, Who reads it: neighbours. "


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return load_backbone(write_tiny_model(tmp_path_factory.mktemp("beginnings") / "model", layers=5), device="cpu")


@contextmanager
def tokens_run(backbone: Backbone) -> Iterator[list[int]]:
    """Tokens of each pass."""
    seen: list[int] = []
    inner = backbone.language_model.get_input_embeddings()
    hook = inner.register_forward_hook(lambda module, given, out: seen.append(out.shape[-2]))
    try:
        yield seen
    finally:
        hook.remove()


def logits(scorer: Scorer, items: list[Item]) -> dict[Item, tuple[float, ...]]:
    found: dict[Item, tuple[float, ...]] = {}
    for part in scorer.read(items, scorer.backbone.value_head("click_rate")):
        for asked, reading in part.items():
            assert isinstance(reading, Reading)
            found[asked] = reading.logits
    return found


pieces = st.lists(st.sampled_from(["", "a", SETTING, "From: x" * 3]), max_size=3)
calls = st.lists(
    st.lists(
        st.builds(lambda shared, own: item(*shared, own), pieces, st.text("abc", min_size=1, max_size=20)),
        min_size=1,
        max_size=5,
    ),
    min_size=2,
    max_size=4,
)


@settings(max_examples=25, deadline=None)
@given(calls=calls, pass_tokens=st.integers(1, 200))
def test_whatever_was_asked_before_readings_stay(tiny: Backbone, calls: list[list[Item]], pass_tokens: int) -> None:
    scorer = Scorer(tiny, pass_tokens=pass_tokens)
    for items in calls:
        found = logits(scorer, items)
        for asked, reading in read(tiny, items).items():
            assert isinstance(reading, Reading)
            assert found[asked] == pytest.approx(reading.logits, abs=1e-4)


def test_a_setting_that_was_there_before_is_not_run_again(tiny: Backbone) -> None:
    scorer = Scorer(tiny)
    with tokens_run(tiny) as seen:
        logits(scorer, [item(SETTING, f"{n} loaves") for n in range(5)])
        first = sum(seen)
        seen.clear()
        logits(scorer, [item(SETTING, "one edit")])
        logits(scorer, [item("Where: a shop", "one edit")])
        logits(scorer, [item(SETTING, "and another")])
    assert first > len(SETTING)
    assert seen == [len("one edit"), len("shopone edit"), len("and another")]


def test_another_depth_takes_nothing_over(tmp_path: Path, tiny: Backbone) -> None:
    backbone = adapted(tmp_path / "heads", tiny)
    scorer, head = Scorer(backbone), backbone.value_head("click_rate")
    asked = [item(SETTING, "two loaves")]
    alone = read(backbone, asked)[asked[0]]
    for _ in scorer.read([item(SETTING, "one loaf")]):  # the digits: every block is run
        pass
    (found,) = [part[asked[0]] for part in scorer.read(asked, head)]
    assert isinstance(found, Reading)
    assert isinstance(alone, Reading)
    assert found.utility == pytest.approx(alone.utility, abs=1e-5)


def test_memory_is_bounded_and_the_latest_stay() -> None:
    def kept(text: str) -> Kept:
        keys = torch.zeros(len(text), 1, 4)
        return Kept(tuple(map(ord, text)), {0: (keys, keys)}, {1: keys[:, 0]})

    def row(text: str) -> Row:
        return Row(tuple(map(ord, text)), item(text, "x"))

    beginnings = Beginnings(most_bytes=40 * 48)
    beginnings.add(kept("a" * 20), "deep")
    beginnings.add(kept("b" * 20), "deep")
    assert beginnings.find(row("a" * 30), "deep").length == 20
    assert beginnings.find(row("a" * 30), "shallow").length == 0
    assert beginnings.find(row("a" * 20), "deep").length == 19, "one token is left to run"
    assert beginnings.find(row("a" * 7 + "c"), "deep").length == 0, "too short to be worth it"
    beginnings.add(kept("a" * 12), "deep")  # within what is there: that becomes the latest
    beginnings.add(kept("c" * 20), "deep")
    assert [beginnings.find(row(letter * 30), "deep").length for letter in "abc"] == [20, 0, 20]
    beginnings.add(kept("d" * 90), "deep")
    assert [beginnings.find(row(letter * 99), "deep").length for letter in "acd"] == [0, 0, 40]
    beginnings.clear()
    assert beginnings.find(row("d" * 99), "deep").length == 0


def test_pictures_and_own_words_are_never_part_of_it() -> None:
    beginnings, shared = Beginnings(), tuple(range(1, 21))
    rows = [Row((*shared, 50, n), Item(shared, (50, n), (0, 1))) for n in (60, 61)]
    assert beginnings.worth_keeping(rows) == 20
    seen = (*shared[:9], -1, -2, *shared[11:])
    assert beginnings.worth_keeping([Row((*seen, 50), Item(shared, (50,), (0, 1)))]) == 9


def test_a_typed_edit_is_scored_as_by_a_new_simulator(tiny: Backbone) -> None:
    simulator = LocalSimulator(tiny)
    for text in ("We bake", "We bake at four", "We bake at four in the morning"):
        (again,) = simulator.predict([Content(text=text)], "click_rate")
        (fresh,) = LocalSimulator(tiny).predict([Content(text=text)], "click_rate")
        assert again.bins == pytest.approx(fresh.bins, abs=1e-6)
