"""The first look: the text encoder's part of a score, foretold without the language model."""

from __future__ import annotations

import numpy as np
import pytest

from lcbm_model.content import Content
from lcbm_model.simulator import load_simulator
from lcbm_model.simulator.ensemble import EnsembleSimulator
from lcbm_model.simulator.first_look import LooksFirst, first_look
from lcbm_model.simulator.shared import SharedSimulator
from tests.fakes import FakeSimulator, LookingSimulator

CONTENTS = [
    Content(text=text, channel="headline")
    for text in (
        "Copper pans for sale",
        "Why a copper pan browns onions in nine minutes",
        "You will not believe what her grandmother left in the pan",
        "Information about our delivery times",
        "He waited six minutes. 40 people wrote to thank him.",
        "Price list of spare handles",
    )
]


def test_the_shipped_model_s_look_foretells_its_scores() -> None:
    simulator = load_simulator("lcbm-smol-a")
    assert isinstance(simulator, LooksFirst)
    looks = first_look(simulator, CONTENTS, "click_rate")
    assert looks is not None
    said = simulator.predict(CONTENTS, "click_rate")
    scores = [p.expected for p in said if p.expected is not None]
    assert np.corrcoef(looks, scores)[0, 1] > 0.5
    assert first_look(simulator, CONTENTS[::-1], "click_rate") == pytest.approx(looks[::-1], abs=1e-3)
    assert first_look(simulator, [], "click_rate") == []
    assert first_look(simulator, CONTENTS, "valence") is None, "its value head does not read the encoder"


def test_a_simulator_without_one_has_none() -> None:
    assert first_look(FakeSimulator(), CONTENTS, "click_rate") is None


def test_wrappers_hand_on_the_look_inside_and_ensembles_take_the_mean() -> None:
    looking = LookingSimulator()
    alone = first_look(looking, CONTENTS, "click_rate")
    assert alone is not None
    with SharedSimulator(looking) as shared:
        assert first_look(shared, CONTENTS, "click_rate") == alone
    pair = EnsembleSimulator([looking, LookingSimulator(lambda text: 2.0 * len(text))])
    both = first_look(pair, CONTENTS, "click_rate")
    assert both == pytest.approx([look + len(content.text) / 2 for look, content in zip(alone, CONTENTS, strict=True)])
    assert first_look(EnsembleSimulator([looking, FakeSimulator()]), CONTENTS, "click_rate") is None
