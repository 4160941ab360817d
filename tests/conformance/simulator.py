"""What every simulator must do. A test class inherits `SimulatorConformance` and gives the two fixtures."""

from __future__ import annotations

import pytest

from lcbm_model.behavior import N_BINS, PercentileScale
from lcbm_model.content import Content
from lcbm_model.errors import BackendError, MetricError
from lcbm_model.simulator.base import Context, Known, Simulator
from lcbm_model.simulator.stream import predict_stream

TEXTS = (
    "Bread that waits for you",
    "Why our oven opens at four in the morning, and who eats the first loaf",
    "Warm",
    "Seven loaves, one queue, no hurry: what a Saturday here looks like",
    "Warm",
)


class SimulatorConformance:
    """Order, length, errors, sums, determinism. Fixtures to give: `simulator`, `unscorable` (a content it fails on)."""

    tolerance = 1e-4

    @pytest.fixture
    def contents(self) -> list[Content]:
        return [Content(text=text, channel="headline") for text in TEXTS]

    def test_is_a_simulator(self, simulator: Simulator) -> None:
        assert isinstance(simulator, Simulator)
        assert simulator.identity.checkpoint_hash
        assert simulator.identity == simulator.identity

    def test_one_prediction_for_each_content_in_order(self, simulator: Simulator, contents: list[Content]) -> None:
        together = simulator.predict(contents, "click_rate")
        alone = [simulator.predict([content], "click_rate")[0] for content in contents]
        assert len(together) == len(contents)
        for one, other in zip(together, alone, strict=True):
            assert one.bins == pytest.approx(other.bins, abs=self.tolerance)
        assert together[2].bins == together[4].bins  # equal contents, equal scores
        assert together[0].bins != together[1].bins

    def test_distributions_and_intervals_are_proper(self, simulator: Simulator, contents: list[Content]) -> None:
        for prediction in simulator.predict(contents, "click_rate"):
            assert prediction.ok
            assert prediction.metric == "click_rate"
            assert prediction.simulator == simulator.identity
            assert len(prediction.bins) == N_BINS
            assert sum(prediction.bins) == pytest.approx(1, abs=1e-9)
            assert min(prediction.bins) >= 0
            assert 0 <= prediction.low <= prediction.high <= 100
            assert 0 <= prediction.expected <= 100

    def test_is_deterministic(self, simulator: Simulator, contents: list[Content]) -> None:
        assert simulator.predict(contents, "shares") == simulator.predict(contents, "shares")

    def test_order_of_the_batch_changes_nothing(self, simulator: Simulator, contents: list[Content]) -> None:
        forward = simulator.predict(contents, "click_rate")
        backward = simulator.predict(contents[::-1], "click_rate")[::-1]
        for one, other in zip(forward, backward, strict=True):
            assert one.bins == pytest.approx(other.bins, abs=self.tolerance)

    def test_one_bad_item_spoils_no_other(
        self, simulator: Simulator, contents: list[Content], unscorable: Content
    ) -> None:
        mixed = [contents[0], unscorable, contents[1]]
        good, bad, other = simulator.predict(mixed, "click_rate")
        assert bad.error
        assert bad.expected is None
        assert bad.bins == ()
        clean = simulator.predict(contents[:2], "click_rate")
        assert good.bins == pytest.approx(clean[0].bins, abs=self.tolerance)
        assert other.bins == pytest.approx(clean[1].bins, abs=self.tolerance)
        shares = simulator.compare(mixed, "click_rate")
        assert shares[1] == 0
        assert sum(shares) == pytest.approx(1)

    def test_comparison_sums_to_one_and_follows_order(self, simulator: Simulator, contents: list[Content]) -> None:
        shares = simulator.compare(contents, "click_rate")
        assert len(shares) == len(contents)
        assert sum(shares) == pytest.approx(1)
        assert all(0 <= share <= 1 for share in shares)
        assert simulator.compare(contents[::-1], "click_rate")[::-1] == pytest.approx(shares, abs=1e-3)

    def test_nothing_in_nothing_out(self, simulator: Simulator) -> None:
        assert simulator.predict([], "click_rate") == []

    def test_chances_from_predictions_equal_compare(self, simulator: Simulator, contents: list[Content]) -> None:
        predictions = simulator.predict(contents, "click_rate")
        chances = simulator.win_chances(predictions, channel=contents[0].channel)
        assert chances == pytest.approx(simulator.compare(contents, "click_rate"), abs=1e-4)

    def test_nothing_to_compare_raises(self, simulator: Simulator, unscorable: Content) -> None:
        with pytest.raises(BackendError):
            simulator.compare([unscorable], "click_rate")

    def test_unknown_metric_raises(self, simulator: Simulator, contents: list[Content]) -> None:
        with pytest.raises(MetricError, match="clik_rate"):
            simulator.predict(contents, "clik_rate")
        with pytest.raises(MetricError):
            simulator.compare(contents, "clik_rate")

    def test_context_is_accepted(self, simulator: Simulator, contents: list[Content]) -> None:
        known = (Known(text="A loaf a day", percentile=88),)
        context = Context(examples=known, scale=PercentileScale.fit([0.01, 0.02, 0.04]))
        answers = simulator.predict(contents, "click_rate", context)
        assert all(p.ok for p in answers)

    def test_stream_gives_every_prediction_once(
        self, simulator: Simulator, contents: list[Content], unscorable: Content
    ) -> None:
        mixed = [*contents, unscorable]
        streamed = list(predict_stream(simulator, mixed, "click_rate"))
        assert sorted(index for index, _ in streamed) == list(range(len(mixed)))
        together = simulator.predict(mixed, "click_rate")
        for index, prediction in streamed:
            assert prediction.error == together[index].error
            assert prediction.bins == pytest.approx(together[index].bins, abs=self.tolerance)

    def test_a_cancelled_stream_ends(self, simulator: Simulator, contents: list[Content]) -> None:
        assert list(predict_stream(simulator, contents, "click_rate", cancelled=lambda: True)) == []

    def test_stream_of_an_unknown_metric_raises_at_once(self, simulator: Simulator, contents: list[Content]) -> None:
        with pytest.raises(MetricError, match="clik_rate"):
            predict_stream(simulator, contents, "clik_rate")
