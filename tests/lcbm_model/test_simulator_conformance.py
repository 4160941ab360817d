from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from agents.embedder import load_embedder
from lcbm_model.content import Content
from lcbm_model.errors import CheckpointError, SettingsError
from lcbm_model.prediction import Prediction
from lcbm_model.simulator import EnsembleSimulator, load_simulator
from lcbm_model.simulator.base import Simulator, StreamingSimulator
from lcbm_model.simulator.calibration import compare_predictions
from lcbm_model.simulator.stream import AT_ONCE, predict_stream
from lcbm_model.training.architectures.files import find_folder
from tests.conformance.simulator import SimulatorConformance
from tests.fakes import FakeSimulator
from tests.lcbm_model.tiny_model import write_tiny_model

EMPTY = Content(text="   ", channel="headline")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Simulator:
    folder: Path = write_tiny_model(tmp_path_factory.mktemp("tiny") / "model")
    return load_simulator(folder, device="cpu")


class TestFake(SimulatorConformance):
    @pytest.fixture
    def simulator(self) -> Simulator:
        return FakeSimulator()

    @pytest.fixture
    def unscorable(self) -> Content:
        return Content(text="broken")


class TestTiny(SimulatorConformance):
    @pytest.fixture
    def simulator(self, tiny: Simulator) -> Simulator:
        return tiny

    @pytest.fixture
    def unscorable(self) -> Content:
        return EMPTY


class TestEmbedded(SimulatorConformance):
    @pytest.fixture
    def simulator(self, embedded: Simulator) -> Simulator:
        return embedded

    @pytest.fixture
    def unscorable(self) -> Content:
        return EMPTY


class TestEnsemble(SimulatorConformance):
    @pytest.fixture
    def simulator(self, tiny: Simulator) -> Simulator:
        return EnsembleSimulator([tiny, FakeSimulator(name="other")])

    @pytest.fixture
    def unscorable(self) -> Content:
        return Content(text="broken")


def test_ensemble_is_less_sure_where_members_disagree() -> None:
    content = [Content(text="x" * 50)]
    agree = EnsembleSimulator([FakeSimulator(), FakeSimulator(name="b")]).predict(content, "likes")[0]
    apart = EnsembleSimulator([FakeSimulator(), FakeSimulator(lambda t: 20.0, name="b")]).predict(content, "likes")[0]
    assert apart.high - apart.low > agree.high - agree.low
    assert apart.expected == pytest.approx((50 + 20) / 2, abs=1)


def test_ensemble_is_tuned_only_where_all_are() -> None:
    mixed = EnsembleSimulator([FakeSimulator(), FakeSimulator(tuned=False, name="b")])
    assert not mixed.identity.tuned
    assert mixed.identity.checkpoint == "fake + b"


def test_an_ensemble_of_one_states_the_chances_of_its_member() -> None:
    contents = [Content(text=text, channel="headline") for text in ("What nobody told you about soup", "Soup")]
    one, other = load_simulator("lcbm-smol-a"), load_simulator("lcbm-smol-b")
    predictions = one.predict(contents, "click_rate")
    alone = one.win_chances(predictions, channel="headline")
    assert EnsembleSimulator([one]).compare(contents, "click_rate") == pytest.approx(alone, rel=1e-6)
    # Each member's utilities are worth what its own calibration says.
    both = EnsembleSimulator([one, other]).compare(contents, "click_rate")
    others = other.compare(contents, "click_rate")
    assert min(alone[0], others[0]) <= both[0] <= max(alone[0], others[0])


class Scaled(FakeSimulator):
    """States its utilities on a scale of its own, and knows what a unit of it is worth."""

    def __init__(self, factor: float, odds: float) -> None:
        super().__init__(name=f"scaled {factor}")
        self.factor, self.odds = factor, odds

    def _one(self, content: Content, metric: str) -> Prediction:
        return super()._one(content, metric).model_copy(update={"utility": self.factor * len(content.text)})

    def win_chances(self, predictions: Sequence[Prediction], *, channel: str = "") -> list[float]:
        return compare_predictions(predictions, temperature=self.factor / self.odds)


def test_members_of_unlike_scales_count_alike() -> None:
    contents = [Content(text="four"), Content(text="sixsix")]
    members = [Scaled(1000.0, 0.25), Scaled(0.01, -0.5)]
    chances = [member.compare(contents, "shares")[1] for member in members]
    joined = EnsembleSimulator(members).compare(contents, "shares")[1]
    assert min(chances) <= joined <= max(chances)


def test_an_ensemble_that_shares_no_metric_knows_nothing() -> None:
    one, other = FakeSimulator(name="one"), FakeSimulator(name="other")
    one.identity = one.identity.model_copy(update={"metrics": ("shares",)})
    other.identity = other.identity.model_copy(update={"metrics": ("reactions",)})
    assert not EnsembleSimulator([one, other]).identity.tuned
    other.identity = other.identity.model_copy(update={"metrics": ("reactions", "shares")})
    assert EnsembleSimulator([one, other]).identity.metrics == ("shares",)


def test_ensemble_needs_members() -> None:
    with pytest.raises(SettingsError, match="members"):
        EnsembleSimulator([])


@pytest.mark.parametrize("name", ["embeded", "", "/no/such/folder", "a/b/c", "x\0y", "https://example.org/model"])
def test_unknown_names_raise_and_reach_no_network(name: str) -> None:
    with pytest.raises(SettingsError, match="unknown model"):
        load_simulator(name)


def test_an_ensemble_streams_as_soon_as_all_members_have_answered(tiny: Simulator) -> None:
    contents = [Content(text=f"{'loaf ' * (i % 7)}{i}") for i in range(3 * AT_ONCE)]
    ensemble = EnsembleSimulator([tiny, FakeSimulator(name="other")])
    assert isinstance(ensemble, StreamingSimulator)
    expected = ensemble.predict(contents, "click_rate")
    seen: dict[int, object] = {}
    for index, prediction in predict_stream(ensemble, contents, "click_rate", cancelled=lambda: len(seen) >= 10):
        seen[index] = prediction
        assert prediction == expected[index]
    assert 10 <= len(seen) < len(contents)


def test_a_simulator_that_does_not_stream_is_asked_in_parts() -> None:
    fake = FakeSimulator()
    assert not isinstance(fake, StreamingSimulator)
    contents = [Content(text="x" * i) for i in range(1, 3 * AT_ONCE)]
    stream = predict_stream(fake, contents, "click_rate", cancelled=lambda: fake.calls >= 2 * AT_ONCE)
    assert [index for index, _ in stream] == list(range(2 * AT_ONCE))
    assert fake.calls == 2 * AT_ONCE


@pytest.mark.parametrize("name", ["runs/bset", "runs/no-such"])
def test_a_mistyped_path_is_asked_of_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "runs" / "best").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=r"no such folder .*There is a folder 'runs' here"):
        load_simulator(name)
    with pytest.raises(CheckpointError, match="no such folder"):
        find_folder(name)
    with pytest.raises(CheckpointError, match="no such folder"):
        load_embedder(name)
