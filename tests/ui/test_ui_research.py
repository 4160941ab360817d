"""The researchers' corner: distributions, texts for a percentile, parts of a content, recorded evidence, own ranges."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lcbm_model.errors import BackendError, BriefError, MetricError
from optimizer.outcomes import OutcomeStore, TeamCalibration
from optimizer.outcomes.calibration import TeamEntry
from tests.fakes import FakeWriter
from tests.ui.floors_fake import fake_floors
from ui import plots, render
from ui.campaigns_service import CampaignsService
from ui.floors import Floors
from ui.own_ranges import OwnRanges
from ui.research_service import (
    ResearchService,
    content_from,
    evaluation_tables,
    model_card,
    recorded,
    with_coverage,
)
from ui.research_tab import pieces, told_of
from ui.services import Services

TEXTS = tuple(f"{'x' * n} pan" for n in (5, 25, 45, 65, 85))


@pytest.fixture
def research() -> Iterator[ResearchService]:
    services = Services(fake_floors(texts=TEXTS))
    yield ResearchService(services)
    services.close()


def test_one_content_gives_its_whole_distribution(research: ResearchService) -> None:
    prediction = research.simulate(content_from("x" * 60, "headline", audience="cooks"), "click_rate")
    assert len(prediction.bins) == 10
    told = told_of(prediction, "<b>x</b>")
    quarter, middle, three = told["quarters"]
    assert quarter < middle < three
    page = render.render("distribution", own=None, **told)
    assert "&lt;b&gt;x" in page
    assert "20 % by chance" in page
    figure = plots.distribution_plot(prediction)
    assert sum(figure.data[0].y) == pytest.approx(100)
    with pytest.raises(MetricError):
        research.simulate(content_from("x"), "applause")
    with pytest.raises(BackendError, match="cannot be scored"):
        research.simulate(content_from("broken"), "click_rate")
    with pytest.raises(BriefError, match="is empty"):
        content_from("  ")


@pytest.mark.parametrize("aim", [20, 70])
def test_texts_nearest_to_the_aim_are_kept(research: ResearchService, aim: float) -> None:
    setting = content_from("x").with_text("")
    written = research.write_towards(aim, setting, "A pan", "click_rate", 3, 0)
    assert written.tried == 5
    reached = [a.prediction.expected or 0 for a in written.kept]
    predictions = research.services.models().simulator.predict([setting.with_text(t) for t in TEXTS], "click_rate")
    assert reached == sorted((p.expected or 0 for p in predictions), key=lambda e: abs(e - aim))[:3]
    assert "&lt;" not in render.render("aimed", w=written, aim=aim, metric="click_rate")


def test_a_writer_that_is_down_is_told_and_none_at_all_is_an_error() -> None:
    floors = fake_floors(texts=TEXTS)
    down = FakeWriter("down", down=True)
    some = Services(Floors(**{**floors.__dict__, "load_writers": lambda _: [down, FakeWriter(texts=TEXTS)]}))
    written = ResearchService(some).write_towards(50, content_from("x"), "A pan", "click_rate", 2, 0)
    assert "connection refused" in written.notes[0]
    some.close()
    none = Services(Floors(**{**floors.__dict__, "load_writers": lambda _: [down]}))
    with pytest.raises(BackendError, match="no writer wrote"):
        ResearchService(none).write_towards(50, content_from("x"), "A pan", "click_rate", 2, 0)
    with pytest.raises(BriefError, match="is empty"):
        ResearchService(none).write_towards(50, content_from("x"), " ", "click_rate", 2, 0)
    none.close()


def test_each_part_of_a_content_is_weighed(research: ResearchService) -> None:
    text = "<i>Onions</i> brown in 9 minutes"
    prediction, parts = research.occlude(content_from(text), "click_rate")
    assert parts
    top = max(abs(p.effect) for p in parts)
    stretches = pieces(text, parts, top)
    assert "".join(s["text"] for s in stretches) == text
    assert all(-3 <= s["shade"] <= 3 for s in stretches)
    page = render.render("occlusion", prediction=prediction, parts=parts, top=top, pieces=stretches)
    assert "<i>" not in page


def test_recorded_evaluations_are_shown_as_they_are() -> None:
    results = recorded()
    tables = evaluation_tables(results)
    upworthy = next(t for t in tables if t["suite"] == "upworthy")
    own = next(line for line in upworthy["lines"] if line["own"])
    shipped = next(r for r in results if r.suite == "upworthy" and r.identity and r.identity.tuned)
    column = upworthy["keys"].index("pair_accuracy_significant")
    assert own["cells"][column].startswith(f"{shipped.metrics['pair_accuracy_significant']:.3f} [")
    assert upworthy["lines"][0] is own
    figure = plots.coverage_plot(with_coverage(results))
    shares = figure.data[0].x
    assert len(shares) == len(with_coverage(results))
    assert all(0 <= share <= 100 for share in shares)
    stated = [r for r in results if r.reliability]
    diagram = plots.reliability_plot(stated)
    assert stated
    assert [len(line.x) for line in diagram.data] == [2, *(len(r.reliability) for r in stated)]
    page = render.render("evidence", tables=tables, others=[])
    assert "pair accuracy significant" in page


def test_the_model_card_leads_nowhere() -> None:
    card = model_card()
    assert "lcbm-smol" in card
    assert "](" not in card.replace("](http", "")


def test_the_teams_own_ranges_stand_beside_the_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LCBM_OUTCOMES", raising=False)
    services = Services(fake_floors(), store=tmp_path / "runs")
    own = OwnRanges(CampaignsService(services))
    prediction = ResearchService(services).simulate(content_from("x" * 50), "click_rate")
    assert own.of(prediction) is None
    assert not (tmp_path / "runs" / "outcomes.sqlite").exists()
    who = prediction.simulator
    entry = TeamEntry(checkpoint=who.checkpoint, checkpoint_hash=who.checkpoint_hash, metric="click_rate", level=0.8,
                      offset=-20, widen=3, n=60, held_before=0.5, held_after=0.8)  # fmt: skip
    calibration = TeamCalibration(fitted_at=datetime(2026, 1, 1, tzinfo=UTC), entries=(entry,))
    OutcomeStore(tmp_path / "runs" / "outcomes.sqlite").keep_calibration(calibration)
    mine = own.of(prediction)
    assert mine is not None
    assert mine.expected is not None
    assert prediction.expected is not None
    assert mine.expected < prediction.expected - 10
    assert mine.simulator.calibration_id == calibration.id
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"no database" * 200)
    assert OwnRanges(CampaignsService(services, outcomes=str(damaged))).of(prediction) is None
    services.close()
