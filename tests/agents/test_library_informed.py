"""A simulator informed by a library: moved as far as near posts warrant, left alone where there are none."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import Library
from agents.library import InformedSimulator
from agents.library.evidence import weigh
from agents.library.informed import TRUST, informed, tilted
from lcbm_model.behavior import BIN_CENTRES, PercentileScale
from lcbm_model.content import Content
from lcbm_model.prediction import Prediction
from lcbm_model.simulator.base import Context
from tests.agents.hashing_embedder import HashingEmbedder
from tests.conformance.simulator import SimulatorConformance
from tests.fakes import FakeSimulator

IDENTITY = FakeSimulator().identity


@pytest.fixture(scope="module")
def library() -> Library:
    """Posts about bread did well, posts about soup badly, the rest in between."""
    rows = [(f"bread loaf {i}", 900 + i) for i in range(6)] + [(f"soup bowl {i}", 1 + i) for i in range(6)]
    rows += [(f"word{i} thing{i} other{i}", 100 + i) for i in range(12)]
    frame = pl.DataFrame(rows, schema=["text", "shares"], orient="row")
    return Library.from_frame(frame, metric="shares", embedder=HashingEmbedder())


def expected(simulator: InformedSimulator | FakeSimulator, *texts: str, channel: str = "post") -> list[float]:
    said = simulator.predict([Content(text=t, channel=channel) for t in texts], "shares")
    return [p.expected or -1.0 for p in said]


def flat(text: str) -> float:
    return 50.0


def test_near_posts_move_the_prediction_and_far_ones_do_not(library: Library) -> None:
    plain, told = FakeSimulator(flat), InformedSimulator(FakeSimulator(flat), library)
    bread, soup, other = expected(told, "bread loaf", "soup bowl", "nothing alike here")
    middle = expected(plain, "bread loaf")[0]
    assert bread > middle + 10
    assert soup < middle - 10
    assert abs(other - middle) < 3


def test_more_trust_less_movement(library: Library) -> None:
    moved = [expected(InformedSimulator(FakeSimulator(flat), library, trust=t), "bread loaf")[0] for t in (1, 4, 1e6)]
    assert moved[0] > moved[1] > moved[2]
    assert moved[2] == pytest.approx(50, abs=0.01)
    with pytest.raises(ValueError, match="above 0"):
        InformedSimulator(FakeSimulator(), library, trust=0)


def test_what_the_library_cannot_know_is_answered_as_before(library: Library) -> None:
    plain, told = FakeSimulator(flat), InformedSimulator(FakeSimulator(flat), library)
    content = [Content(text="bread loaf", channel="post")]
    assert told.predict(content, "click_rate")[0].expected == plain.predict(content, "click_rate")[0].expected
    assert expected(told, "bread loaf", channel="newsletter") == expected(told, "bread loaf")
    broken = told.predict([Content(text="bread broken", channel="post")], "shares")[0]
    assert broken.error == "cannot be scored"


def test_the_identity_changes_with_the_library_and_the_trust(library: Library) -> None:
    frame = pl.DataFrame({"text": ["bread loaf", "soup bowl"], "shares": [1, 2]})
    other = Library.from_frame(frame, metric="shares", embedder=HashingEmbedder())
    simulator = FakeSimulator()
    made = [simulator, InformedSimulator(simulator, library), InformedSimulator(simulator, other)]
    made.append(InformedSimulator(simulator, library, trust=TRUST + 1))  # type: ignore[arg-type]
    assert len({m.identity.checkpoint_hash for m in made}) == 4
    assert InformedSimulator(simulator, library).identity == made[1].identity
    assert made[1].identity.tuned == simulator.identity.tuned
    assert "library" in made[1].identity.label


def test_raw_estimates_follow(library: Library) -> None:
    scale = PercentileScale.fit(list(range(101)))
    said = InformedSimulator(FakeSimulator(flat), library).predict(
        [Content(text="bread loaf", channel="post")], "shares", Context(scale=scale)
    )[0]
    assert said.raw == pytest.approx(scale.to_raw(said.expected or 0))


class TestConformance(SimulatorConformance):
    @pytest.fixture
    def simulator(self, library: Library) -> InformedSimulator:
        return InformedSimulator(FakeSimulator(), library)

    @pytest.fixture
    def unscorable(self) -> Content:
        return Content(text="broken", channel="headline")


shares = st.lists(st.floats(0.001, 1), min_size=10, max_size=10).map(lambda w: [x / sum(w) for x in w])


@settings(deadline=None)
@given(bins=shares, by=st.floats(-100, 100))
def test_a_tilt_reaches_its_mean_and_stays_a_distribution(bins: list[float], by: float) -> None:
    centres = np.asarray(BIN_CENTRES)
    made = np.asarray(tilted(bins, by))
    wanted = np.clip(np.asarray(bins) @ centres + by, centres[0] + 0.5, centres[-1] - 0.5)
    assert made.sum() == pytest.approx(1)
    assert made.min() >= 0
    assert made @ centres == pytest.approx(wanted, abs=1e-3)


@settings(deadline=None)
@given(
    score=st.floats(0, 100),
    near=st.lists(st.tuples(st.floats(-0.2, 1), st.floats(0, 100)), max_size=8),
    trust=st.floats(0.1, 50),
)
def test_what_is_informed_lies_between_prediction_and_neighbours(
    score: float, near: list[tuple[float, float]], trust: float
) -> None:
    said = FakeSimulator(lambda _: score).predict([Content(text="x")], "shares")[0]
    cosines, ranks = zip(*sorted(near, reverse=True), strict=True) if near else ((), ())
    names = [str(i) for i in range(len(near))]
    found = weigh(cosines, ranks, names, metric="shares", usual=0.1)
    told = informed(said, found, trust=trust)
    ends = [said.expected or 0.0, *(r for s, r in near if s > 0.1)]
    assert min(ends) - 1e-6 <= (told.expected or 0.0) <= max(ends) + 1e-6
    assert 0 <= (told.low or 0.0) <= (told.expected or 0.0) <= (told.high or 0.0) <= 100
    assert Prediction.model_validate(told.model_dump()) == told
