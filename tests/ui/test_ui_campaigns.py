"""The Campaigns tab's service and views: runs on disk, going on with one, results."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from lcbm_model.errors import InputError, SettingsError
from optimizer.brief import Brief, Budget
from tests.event_loops import run_apart
from tests.optimizer.campaign_runs import TEXTS, write_run
from tests.ui.floors_fake import fake_floors
from ui import render
from ui.campaigns_service import CampaignsService
from ui.campaigns_tab import STATUSES, CampaignsTab, opened
from ui.notify import MISTAKE
from ui.results_panel import parse_day, tiles
from ui.runs import Run
from ui.services import Services

HOSTILE = "<img src=x onerror=alert(1)> & **bold**"


@pytest.fixture
def campaigns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CampaignsService]:
    monkeypatch.delenv("LCBM_OUTCOMES", raising=False)
    services = Services(fake_floors(), store=tmp_path / "runs")
    yield CampaignsService(services)
    services.close()


def note(campaigns: CampaignsService, run_id: str = "spring-1", count: float | None = 40, **more: object) -> object:
    wanted = {"value": None, "exposure": 1000, "published": None, "noted_by": "anna", **more}
    return campaigns.note(run_id, "r1-01", count=count, **wanted)  # type: ignore[arg-type]


def test_runs_are_listed_opened_and_compared(campaigns: CampaignsService) -> None:
    assert campaigns.campaigns() == ([], [])
    write_run(campaigns.folder, "spring-1")
    write_run(campaigns.folder, "spring-2", minutes=3, texts=("Pan",))
    assert [c.run_id for c in campaigns.campaigns()[0]] == ["spring-2", "spring-1"]
    assert campaigns.open("spring-1").run_id == "spring-1"
    chance = campaigns.compare("spring-1", "spring-2").chance
    assert chance is not None
    assert chance > 0.9
    with pytest.raises(InputError, match="same run"):
        campaigns.compare("spring-1", "spring-1")
    for nothing in ("", None):
        with pytest.raises(InputError, match="none is chosen"):
            campaigns.open(nothing)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="no such run"):
        campaigns.open("nowhere")
    write_run(campaigns.folder, "broken-off", status=None)
    with pytest.raises(InputError, match="no result yet"):
        campaigns.open("broken-off")
    with pytest.raises(SettingsError, match="not a name"):
        campaigns.open("../../etc")


def test_a_run_that_was_stopped_goes_on(campaigns: CampaignsService) -> None:
    services = campaigns.services
    brief = Brief(name="spring", message="A pan", draft="A pan", budget=Budget(rounds=2, candidates=3), approval=True)
    first = services.start_run(brief, library=None, owner="tab")
    assert first.wait(20)
    write_run(campaigns.folder, first.id, status="waiting_for_approval")
    services.let_go("tab")
    again = campaigns.resume(first.id, owner="another tab", action="finish")
    assert list(again.follow(0.2))[-1].done
    assert again.snapshot().error is None
    assert again.result is not None
    assert len(again.result.rounds) == 1
    assert services.run(again.ticket) is again
    assert services.run(first.ticket) is None


def test_a_run_of_another_session_is_refused(tmp_path: Path) -> None:
    services = Services(fake_floors(pace=0.05), store=tmp_path / "runs")
    campaigns = CampaignsService(services)
    brief = Brief(name="spring", message="A pan", draft="A pan", budget=Budget(rounds=3, candidates=3), approval=True)
    run = services.start_run(brief, library=None, owner="anna")
    write_run(campaigns.folder, run.id, status="waiting_for_approval")
    with pytest.raises(InputError, match="in another session"):
        campaigns.resume(run.id, owner="ben")
    assert run.wait(20)
    for action in ("continue", "finish"):
        with pytest.raises(InputError, match="session that began it"):
            campaigns.resume(run.id, owner="ben", action=action)
    assert campaigns.open(run.id).status == "waiting_for_approval"
    run.marks.vetoed.add("r1-00")
    assert campaigns.resume(run.id, owner="anna") is run  # her own: with what she noted
    assert run.wait(20)
    assert "r1-00" in services.floors.stream.__self__.runs[run.id].vetoed  # type: ignore[attr-defined]
    services.close()


def test_only_a_run_that_waits_can_be_finished(campaigns: CampaignsService) -> None:
    for run_id, status in (("a", "waiting_for_approval"), ("b", "finished"), ("c", "stopped"), ("d", None)):
        write_run(campaigns.folder, run_id, status=status)  # type: ignore[arg-type]
    assert [run_id for run_id in ("a", "b", "c", "d", "nowhere", "", None) if campaigns.waits(run_id)] == ["a"]


def test_a_mistake_of_the_app_is_owned_up_to(campaigns: CampaignsService) -> None:
    class Broken(CampaignsService):
        def resume(self, run_id: str, *, owner: str, action: str = "continue") -> Run:
            raise ZeroDivisionError

    async def pressed() -> list[Any]:  # in a loop: Gradio leaves open those that it makes where none runs
        with gr.Blocks(analytics_enabled=False):
            tab = CampaignsTab(campaigns.services, Broken(campaigns.services))
        last = list(tab._finish("a", gr.Request(session_hash="anna")))[-1]
        return [last[tab.panel], last[tab.go_on]["interactive"], last[tab.stop]["visible"]]

    panel, goes, stops = run_apart(pressed())
    assert MISTAKE in panel
    assert (goes, stops) == (True, False)


def test_what_cannot_go_on_is_said(campaigns: CampaignsService) -> None:
    write_run(campaigns.folder, "spring-1")
    with pytest.raises(InputError, match="has come to its end"):
        campaigns.resume("spring-1", owner="tab")
    with pytest.raises(SettingsError, match="no such run"):
        campaigns.resume("nowhere", owner="tab")


def test_results_are_noted_reported_and_become_posts(campaigns: CampaignsService) -> None:
    write_run(campaigns.folder, "spring-1")
    with pytest.raises(InputError, match="there are none yet"):
        campaigns.posts_file()
    noted, new = note(campaigns)  # type: ignore[misc]
    assert new
    assert noted.noted_by == "anna"
    assert noted.percentile == pytest.approx(39.5)
    assert not note(campaigns, count=50)[1]  # type: ignore[index]
    found, calibration = campaigns.report("click_rate")
    assert (found.total, found.n) == (1, 1)
    assert calibration is None
    assert TEXTS[0] in campaigns.posts_file().read_text()
    with pytest.raises(InputError, match="50 results"):
        campaigns.calibrate()
    assert campaigns.calibrate(remove=True) is None
    with pytest.raises(InputError, match="counts more"):
        note(campaigns, count=5000)
    assert [tile["value"] for tile in tiles(found)[:2]] == ["1", "1"]


def test_a_file_of_results_is_matched_with_runs(campaigns: CampaignsService, tmp_path: Path) -> None:
    write_run(campaigns.folder, "spring-1")
    file = tmp_path / "export.csv"
    file.write_text(f"text,clicks,impressions\n{TEXTS[0]},40,1000\nelsewhere,1,100\n,1,1\n")
    found, new = campaigns.import_file(file, "click_rate", "ben")
    assert (len(found.outcomes), new, found.matched, len(found.rejected)) == (2, 2, 1, 1)
    assert {o.noted_by for o in campaigns.store.list()} == {"ben"}


def test_names_and_texts_come_out_as_text(campaigns: CampaignsService) -> None:
    result = write_run(campaigns.folder, "spring-1", name=HOSTILE, texts=(HOSTILE, f"{HOSTILE} longer"))
    assert result is not None
    note(campaigns)
    found, problems = campaigns.campaigns()
    report, calibration = campaigns.report(None)
    pair = campaigns.compare("spring-1", write_run_again(campaigns))
    pages = [
        render.render("campaigns", campaigns=found, problems=problems, heading="1 run", statuses=STATUSES,
                      none_title="", none_text="", none_steps=()),
        opened(result)[0],
        opened(result)[2],
        render.render("versus", pair=pair, clear=False, title="x"),
        render.render("outcomes", r=report, calibration=calibration, tiles=tiles(report)),
        render.render("outcome_list", outcomes=campaigns.store.list(), total=1),
    ]  # fmt: skip
    for page in pages:
        assert "<img" not in page
    assert "&lt;img" in pages[0]
    assert "&lt;img" in pages[-1]


def write_run_again(campaigns: CampaignsService) -> str:
    write_run(campaigns.folder, "spring-9", texts=(HOSTILE, "Pan"))
    return "spring-9"


def test_days_are_read_and_those_to_come_refused() -> None:
    assert parse_day("2026-03-31") == datetime(2026, 3, 31, tzinfo=UTC).date()
    assert parse_day("  ") is None
    assert parse_day(None) is None
    with pytest.raises(InputError, match="is no day"):
        parse_day("31.3.2026")
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    with pytest.raises(InputError, match="yet to come"):
        parse_day(tomorrow)
