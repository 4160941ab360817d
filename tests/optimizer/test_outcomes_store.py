"""Outcomes: noting, keeping, placing on the team's scale, what is refused."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from lcbm_model.content import Content
from lcbm_model.errors import InputError, MetricError, SettingsError
from optimizer.outcomes import Outcome, OutcomeStore, note_candidate, note_text
from optimizer.outcomes.record import observed_range
from optimizer.outcomes.store import store_url
from tests.fakes import FakeSimulator
from tests.optimizer.campaign_runs import SCALE, write_run


@pytest.fixture
def store(tmp_path: Path) -> OutcomeStore:
    return OutcomeStore(tmp_path / "runs" / "outcomes.sqlite")


def test_a_candidate_is_noted_with_its_prediction_and_its_place(tmp_path: Path, store: OutcomeStore) -> None:
    result = write_run(tmp_path, "spring-1")
    assert result is not None
    noted = note_candidate("spring-1", "r1-02", count=600, exposure=10_000, published=date(2026, 3, 2), store=tmp_path)
    assert noted.text == result.candidates[2].text
    assert noted.predicted == result.candidates[2].prediction
    assert noted.value == pytest.approx(0.06)
    assert noted.percentile == pytest.approx(SCALE.to_percentile(0.06))
    assert noted.low is not None
    assert noted.high is not None
    assert noted.low < noted.percentile < noted.high
    assert store.add(noted) == 1
    assert store.list() == (noted,)


def test_without_a_name_the_runs_best_was_published(tmp_path: Path) -> None:
    result = write_run(tmp_path, "spring-1")
    assert result is not None
    assert note_candidate("spring-1", value=0.02, store=tmp_path).candidate_id == result.best_id


def test_newer_figures_replace_older_ones(store: OutcomeStore) -> None:
    first = note_text("A pan", "click_rate", value=0.02)
    assert store.add(first) == 1
    assert store.add(note_text("A pan", "click_rate", value=0.03, exposure=500)) == 0
    assert [o.value for o in store.list()] == [0.03]
    assert store.add(note_text("A pan", "shares", value=3)) == 1
    assert len(store.list(metric="shares")) == 1
    assert store.remove(first.key)
    assert not store.remove(first.key)


def test_one_impossible_outcome_keeps_all_of_them_out(store: OutcomeStore) -> None:
    good = note_text("A pan", "click_rate", value=0.02)
    bad = good.model_copy(update={"value": 3.0, "text": "Another"})
    with pytest.raises(InputError, match=r"a rate lies in 0\.\.1"):
        store.add(good, bad)
    assert store.list() == ()


@pytest.mark.parametrize(
    ("figures", "problem"),
    [
        ({"value": 3.4}, "a rate lies in 0..1"),
        ({"value": float("nan")}, "finite"),
        ({"count": 30, "exposure": 10}, "counts more than were reached"),
        ({"count": 30, "exposure": 0}, "above 0"),
        ({"count": -1, "exposure": 10}, "above 0"),
        ({"count": 30}, r"without its exposure makes no rate\. Give count and exposure \(clicks, impressions\), or"),
        (
            {"count": 30, "exposure": 10},
            r"^count and exposure \(clicks, impressions\): .*Check the count and the exposure",
        ),
        ({"value": 0.5, "count": 3, "exposure": 100}, r"differs from .*: 3 / 100 = 0\.03 \(got 0\.5\)"),
        ({"value": 0.0, "count": 3, "exposure": 100}, "differs from what was counted"),
        ({"value": 0.0316, "count": 3, "exposure": 100}, "differs from what was counted"),
        ({}, "is missing"),
        ({"value": 0.1, "exposure": -5}, "above 0"),
        ({"value": 0.1, "exposure": float("inf")}, "above 0"),
    ],
)
def test_figures_that_cannot_be_are_refused(figures: dict[str, float], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        note_text("A pan", "click_rate", **figures)  # type: ignore[arg-type]


def test_a_value_beside_its_count_may_be_rounded() -> None:
    assert note_text("A pan", "click_rate", value=0.0302, count=3, exposure=100).value == 0.03
    assert note_text("A pan", "click_rate", value=0.004, count=43, exposure=10_000).value == 0.0043
    assert note_text("A pan", "click_rate", value=0, count=0, exposure=100).value == 0
    assert note_text("A pan", "shares", value=3, count=3).value == 3
    assert note_text("A pan", "score", value=-3, count=-3).value == -3
    assert note_text("A pan", "funniness", value=2.5, count=40, exposure=40).value == 2.5
    with pytest.raises(InputError, match=r"the count is 5 \(got 3\)"):
        note_text("A pan", "shares", value=3, count=5)


def test_a_day_still_to_come_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path, "spring-1")
    today = datetime.now(UTC).date()
    tomorrow = note_text("A pan", "shares", value=3, published=today + timedelta(days=1))
    assert tomorrow.published is not None, "east of here it may be tomorrow already"
    later = today + timedelta(days=3)
    with pytest.raises(InputError, match=rf"date: lies in the future \(got '{later}'\)"):
        note_text("A pan", "shares", value=3, published=later)
    with pytest.raises(InputError, match="lies in the future"):
        note_candidate("spring-1", value=0.1, published=later, store=tmp_path)


def test_counts_below_zero_only_where_votes_are_netted() -> None:
    assert note_text("A pan", "score", value=-3).value == -3
    with pytest.raises(InputError, match="below 0"):
        note_text("A pan", "shares", value=-3)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    write_run(tmp_path, "spring-1")
    write_run(tmp_path, "open-1", status=None)
    with pytest.raises(InputError, match=r"none of that id.*r1-0"):
        note_candidate("spring-1", "r9-09", value=0.1, store=tmp_path)
    with pytest.raises(SettingsError, match=r"no such run.*spring-1"):
        note_candidate("autumn", value=0.1, store=tmp_path)
    with pytest.raises(SettingsError, match="no result yet"):
        note_candidate("open-1", value=0.1, store=tmp_path)
    with pytest.raises(MetricError, match="unknown metric"):
        note_text("A pan", "applause", value=1)
    with pytest.raises(InputError, match="empty"):
        note_text("  ", "shares", value=1)


def test_a_prediction_of_another_metric_is_refused(store: OutcomeStore) -> None:
    [shares] = FakeSimulator().predict([Content(text="A pan")], "shares")
    with pytest.raises(InputError, match="shares had been predicted"):
        store.add(Outcome(text="A pan", metric="click_rate", value=0.1, predicted=shares))


def test_few_exposures_leave_the_place_open() -> None:
    few = note_text("A pan", "click_rate", count=2, exposure=40, scale=SCALE)
    many = note_text("A pan", "click_rate", count=2000, exposure=40_000, scale=SCALE)
    assert few.percentile == many.percentile
    assert few.low is not None
    assert few.high is not None
    assert many.low is not None
    assert many.high is not None
    assert few.high - few.low > 4 * (many.high - many.low)
    assert observed_range(note_text("A pan", "shares", value=3, exposure=100)) == (None, None)
    none = observed_range(note_text("A pan", "click_rate", count=0, exposure=50))
    assert none[0] is not None
    assert 0 <= none[0] < 0.01


def test_the_place_is_named_and_a_password_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCBM_RUNS", str(tmp_path))
    monkeypatch.delenv("LCBM_OUTCOMES", raising=False)
    assert store_url() == f"sqlite:///{tmp_path}/outcomes.sqlite"
    monkeypatch.setenv("LCBM_OUTCOMES", str(tmp_path / "x.sqlite"))
    assert OutcomeStore().name == str(tmp_path / "x.sqlite")
    with pytest.raises(SettingsError) as caught:
        OutcomeStore("postgresql+nothing://anna:secret@host/db")
    assert "secret" not in str(caught.value)
    with pytest.raises(SettingsError) as refused:
        OutcomeStore("postgresql+psycopg://anna:secret@127.0.0.1:1/db")
    assert "secret" not in str(refused.value)


def test_a_damaged_store_is_said_and_not_read(tmp_path: Path, store: OutcomeStore) -> None:
    (tmp_path / "no.sqlite").write_bytes(b"this is no database at all, whatever its name says" * 50)
    with pytest.raises(SettingsError, match="cannot be used"):
        OutcomeStore(tmp_path / "no.sqlite")
    store.add(note_text("A pan", "shares", value=1))
    with sqlite3.connect(store.name) as connection:
        connection.execute("UPDATE lcbm_outcomes SET record = '{\"text\": 3}'")
    connection.close()
    with pytest.raises(SettingsError, match="damaged record"):
        store.list()
    (tmp_path / "file").write_text("x")
    with pytest.raises(SettingsError, match="cannot be made"):
        OutcomeStore(tmp_path / "file" / "outcomes.sqlite")


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    place, failed = tmp_path / "o.sqlite", []

    def write(who: int) -> None:
        try:
            own = OutcomeStore(place)
            for i in range(10):
                own.add(note_text(f"text {who} {i}", "shares", value=i))
            own.close()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(OutcomeStore(place).list()) == 40
