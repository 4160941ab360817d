"""What winners share: planted effects are found, noise is not called one, and every claim has its n."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.stats import fisher_exact
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep
from typer.testing import CliRunner

from agents import Library
from agents.library.insights import ALPHA, Insights
from agents.library.insights_plot import draw
from agents.library.topics import find_topics
from lcbm_model.errors import LibraryError, SettingsError
from tests.agents.hashing_embedder import HashingEmbedder

SUBJECTS = (["rain", "clouds", "umbrella", "storm"], ["bread", "oven", "crust", "flour"], ["train", "rails", "delay"])


def posts(n: int, seed: int, *, effect: float = 0.0, channels: int = 1) -> pl.DataFrame:
    """Invented posts; those that ask a question have `effect` more likes, and channels differ tenfold."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for i in range(n):
        subject = SUBJECTS[int(rng.integers(0, 3))]
        question = rng.random() < 0.4
        text = " ".join(rng.choice(subject, 3)) + f" {i}" + ("?" if question else "")
        channel = int(rng.integers(0, channels))
        likes = np.exp(rng.normal() + effect * question) * 100 * 10**channel
        day = date(2024, 1, 1) + timedelta(days=int(rng.integers(0, 300))) if i % 7 else None
        rows.append({"text": text, "likes": float(likes), "channel": f"c{channel}", "date": day})
    return pl.DataFrame(rows)


def insights(frame: pl.DataFrame, **settings: Any) -> Insights:
    return Library.from_frame(frame, embedder=HashingEmbedder(), metric="likes").insights(**settings)


def test_a_planted_hook_is_found_and_counted() -> None:
    frame = posts(400, 0, effect=1.5, channels=2)
    found = insights(frame)
    first = found.findings[0]
    assert (first.kind, first.label, first.supported) == ("hook", "ask a question", True)
    asks = frame["text"].str.contains("?", literal=True)
    assert (first.n, first.n_without) == (int(asks.sum()), int((~asks).sum()))
    assert first.low > 0
    assert first.share > first.share_without
    assert (found.n, found.metric) == (400, "likes")
    assert 90 <= found.winners <= 110


def test_the_kind_of_post_is_a_feature_where_it_is_told() -> None:
    frame = posts(400, 0)
    rng = np.random.default_rng(1)
    kinds = [str(kind) if i % 9 else None for i, kind in enumerate(rng.choice(["Photos", "Links", "poll"], 400))]
    likes = frame["likes"] * np.where([kind == "Photos" for kind in kinds], 5.0, 1.0)
    found = insights(frame.with_columns(format=pl.Series(kinds), likes=likes))
    first = found.findings[0]
    assert (first.kind, first.label, first.supported) == ("format", "are a photo", True)
    told = sum(kind is not None for kind in kinds)
    assert (first.n, first.n + first.n_without) == (kinds.count("Photos"), told)
    labels = {f.label for f in found.findings if f.kind == "format"}
    assert labels == {"are a photo", "are a link", "are of the kind “poll”"}
    one = insights(frame.with_columns(format=pl.lit("photo")))
    assert not [f for f in one.findings if f.kind == "format"]


def test_the_figures_are_statsmodels_and_scipy_s() -> None:
    found = insights(posts(300, 3, effect=0.6))
    chances = [
        fisher_exact([[f.winners, f.n - f.winners], [f.winners_without, f.n_without - f.winners_without]]).pvalue
        for f in found.findings
    ]
    assert [f.p for f in found.findings] == pytest.approx(chances)
    assert [f.p_adjusted for f in found.findings] == pytest.approx(multipletests(chances, method="fdr_by")[1])
    for f in found.findings:
        ends = confint_proportions_2indep(f.winners, f.n, f.winners_without, f.n_without, method="newcomb")
        assert (f.low, f.high) == pytest.approx(ends)
        assert f.difference == pytest.approx(f.share - f.share_without)
        assert min(f.n, f.n_without) >= 10
    assert sorted(chances) == chances


def test_noise_is_seldom_called_a_finding() -> None:
    """Eight libraries without any effect: the chance of a false claim in a library is at most 5 %."""
    wrong = sum(bool(insights(posts(150, seed)).supported) for seed in range(8))
    assert wrong <= 2


def test_a_larger_channel_wins_no_more_often() -> None:
    found = insights(posts(400, 1, channels=3))
    assert found.winners == pytest.approx(100, abs=6)
    one = insights(posts(400, 1, channels=3), channel="c2")
    assert one.n < 200
    assert one.channel == "c2"


def test_a_post_without_a_date_is_on_no_side() -> None:
    frame = posts(300, 2)
    found = insights(frame)
    dated = frame["date"].is_not_null().sum()
    weekdays = [f for f in found.findings if f.label.startswith("went out on")]
    assert weekdays
    assert all(f.n + f.n_without == dated for f in weekdays)
    assert sum(f.n for f in weekdays) == dated


def test_topics_are_found_and_named_by_their_words() -> None:
    frame = posts(300, 4)
    topics = find_topics(frame["text"].to_list(), HashingEmbedder().embed(frame["text"].to_list()), topics=3)
    truth = [next(i for i, words in enumerate(SUBJECTS) if text.split()[0] in words) for text in frame["text"]]
    for label, name in enumerate(topics.names):
        inside = [t for t, found in zip(truth, topics.labels, strict=True) if found == label]
        subject = max(set(inside), key=inside.count)
        assert inside.count(subject) > 0.7 * len(inside)
        assert set(name.split(", ")[:3]) <= set(SUBJECTS[subject])
    again = find_topics(frame["text"].to_list(), HashingEmbedder().embed(frame["text"].to_list()), topics=3)
    assert np.array_equal(again.labels, topics.labels)


def test_texts_without_words_still_have_topics() -> None:
    texts = ["the", "a", "12"] * 20
    names = find_topics(texts, HashingEmbedder().embed(texts)).names
    assert all(name.startswith("topic ") for name in names)


def test_features_too_rare_are_named_and_not_tested() -> None:
    frame = posts(100, 5).with_columns(
        pl.when(pl.int_range(pl.len()) < 4).then('"yes" ' + pl.col("text")).otherwise("text").alias("text")
    )
    found = insights(frame)
    (quotes,) = [u for u in found.untested if u.label == "quote somebody"]
    assert (quotes.n, quotes.n_without) == (4, 96)
    assert not [f for f in found.findings if f.label == "quote somebody"]


def test_too_little_to_say_anything() -> None:
    with pytest.raises(LibraryError, match=r"too few posts with likes \(got 39\).*need 40 posts"):
        insights(posts(39, 0))
    crumbs = posts(100, 0).with_columns(channel=pl.format("c{}", pl.int_range(pl.len()) // 5))
    with pytest.raises(LibraryError, match="channels of at least 8"):
        insights(crumbs)
    with pytest.raises(LibraryError, match="topics: must be at least 2"):
        insights(posts(60, 0), topics=1)


def test_small_channels_are_left_out_and_said() -> None:
    frame = posts(100, 0).with_columns(
        channel=pl.when(pl.int_range(pl.len()) < 5).then(pl.lit("tiny")).otherwise(pl.lit("post"))
    )
    found = insights(frame)
    assert found.n == 95
    assert found.notes == ("left out, with fewer than 8 posts: channel tiny",)


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_the_plot(tmp_path: Path, ending: str) -> None:
    frame = posts(200, 0, effect=1.0).with_columns(text=pl.col("text").str.replace("storm", "$storm_ $50 🦊"))
    draw(insights(frame), tmp_path / f"plot.{ending}")
    content = (tmp_path / f"plot.{ending}").read_bytes()
    assert content.startswith({"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[ending])
    if ending == "svg":
        assert b"ask a question" in content
        assert b"(n = " in content


def test_plots_that_cannot_be(tmp_path: Path) -> None:
    found = insights(posts(100, 0))
    with pytest.raises(SettingsError, match="is no picture format"):
        draw(found, tmp_path / "plot.exe")
    with pytest.raises(LibraryError, match="cannot be written"):
        draw(found, tmp_path / "no" / "plot.svg")
    with pytest.raises(LibraryError, match="nothing to draw"):
        draw(found.model_copy(update={"findings": ()}), tmp_path / "plot.svg")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("agents.library.library.load_embedder", lambda _=None: HashingEmbedder())
    frame = posts(200, 0, effect=1.5).with_columns(text=pl.lit("\x1b[31m[red] ") + pl.col("text"))
    return Library.from_frame(frame, embedder=HashingEmbedder(), metric="likes").save(tmp_path / "library")


def lcbm(*arguments: str) -> Any:
    import typer

    from optimizer.cli.library_insights import check, insights

    app = typer.Typer()
    app.command()(insights)
    app.command()(check)
    return CliRunner().invoke(app, list(arguments))


def test_the_command_prints_a_table(folder: Path, tmp_path: Path) -> None:
    shown = lcbm("insights", str(folder), "--plot", str(tmp_path / "p.svg"))
    assert shown.exit_code == 0, shown.output
    assert "200 posts" in shown.output
    assert "ask a question" in shown.output
    assert "not what caused it" in shown.output
    assert "\x1b[31m" not in shown.output
    assert (tmp_path / "p.svg").is_file()


def test_the_command_prints_json(folder: Path) -> None:
    shown = lcbm("insights", str(folder), "--json", "--topics", "3")
    facts = json.loads(shown.stdout)
    first = facts["findings"][0]
    assert (first["label"], first["supported"], facts["n"]) == ("ask a question", True, 200)
    assert first["n"] + first["n_without"] == 200
    assert first["supported"] == (first["p_adjusted"] < ALPHA)
    assert {f["kind"] for f in facts["findings"]} >= {"topic", "hook", "time"}


def test_the_check_names_a_damaged_file(folder: Path) -> None:
    whole = json.loads(lcbm("check", str(folder), "--json").stdout)
    assert (whole["whole"], whole["posts"]) == (True, 200)
    (posts_file,) = folder.glob("posts-*")
    posts_file.write_bytes(posts_file.read_bytes()[:-1] + b"\0")
    broken = lcbm("check", str(folder))
    assert isinstance(broken.exception, LibraryError)
    assert posts_file.name in str(broken.exception)
