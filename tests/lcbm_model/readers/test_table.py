"""A team's own table: its columns, pictures, groups and tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lcbm_model.corpus import get_reader
from lcbm_model.errors import MetricError
from tests.lcbm_model import corpus_rows as rows
from tests.lcbm_model.readers.reading import read, refused

TABLE = """id,text,channel,brand,date,image,clicks,impressions,likes
a,First tram of the day,post,Northfold,2026-01-02,one.png,10,1000,5
b,Second tram of the day,post,Northfold,soon,../secret.png,900,10,7
c,Third tram of the day,post,Northfold,,none.png,30,1000,many
d,,post,,,,1,1000,1
a,Fourth tram of the day,post,,,,1,1000,1
e,Fifth tram of the day,email_subject,,,,40,1000,
f,Sixth tram of the day,post,,,,20,1000,-2
g,Seventh tram of the day,post,,,,4,40,2
"""


def test_a_teams_own_table(tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text(TABLE, encoding="utf-8")
    rows.pictures(tmp_path, ["one.png"])
    reader, records = read("table", tmp_path / "posts.csv")
    assert [r.id for r in records] == ["a", "e", "g"]
    assert reader.metrics == ("click_rate", "likes")
    told = sorted((p.row, p.column, p.problem) for p in reader.problems)
    assert told == [
        (2, "clicks", "is above impressions"),
        (3, "likes", "is not a number"),
        (4, "text", "is empty"),
        (5, "id", "is there twice"),
        (7, "likes", "is negative"),
    ]
    first = records[0]
    assert first.content.media[0].path == tmp_path / "one.png"
    assert first.content.communicator.name == "Northfold"
    assert first.content.date.isoformat() == "2026-01-02"
    assert first.context == "table:post"
    # 4 of 40 is no proof of ten times the rate: its evidence weighs less.
    assert records[2].weight < records[0].weight


def test_pictures_are_never_looked_for_outside_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "team"
    folder.mkdir()
    rows.pictures(tmp_path, ["secret.png"])
    (folder / "p.csv").write_text("text,likes,image,date\nHello tram,3,../secret.png,soon\nBye,2,,\n", encoding="utf-8")
    reader, records = read("table", folder / "p.csv")
    assert records[0].content.media == ()
    assert {p.problem for p in reader.problems} == {"lies outside the folder of pictures", "is no date"}


def test_a_picture_name_too_long_for_any_file_costs_the_picture(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(f"text,likes,image\nHello tram,3,{'x' * 400}.png\nBye,2,\n", encoding="utf-8")
    reader, records = read("table", tmp_path / "p.csv")
    assert [r.content.media for r in records] == [(), ()]
    assert [p.problem for p in reader.problems] == ["picture not found"]


def test_votes_down_count(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("text,score,likes\nHello tram,-5,3\nBye,7,2\nAgain,1,-2\n", encoding="utf-8")
    reader, records = read("table", tmp_path / "p.csv")
    assert [r.observation("score").value for r in records] == [-5, 7]
    assert [p.column for p in reader.problems] == ["likes"]


def test_metrics_that_a_table_has_not(tmp_path: Path) -> None:
    from lcbm_model.corpus.readers.table import TableReader

    (tmp_path / "p.csv").write_text("text,colour\nHello,red\n", encoding="utf-8")
    with pytest.raises(MetricError, match="hold no metric"):
        get_reader("table").read(tmp_path / "p.csv")
    (tmp_path / "q.csv").write_text("text,likes\nHello,3\n", encoding="utf-8")
    with pytest.raises(MetricError, match=r"has not the metric asked for.*Add a column 'click_rate', or 'clicks'"):
        TableReader(metrics=["click_rate"]).read(tmp_path / "q.csv")


def test_a_team_group_in_two_splits_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("text,likes,split\nSame words,3,train\nsame  words,4,test\n", encoding="utf-8")
    message = refused("table", tmp_path / "p.csv")
    assert "group 'same words' lies in train and test" in message
    assert "row 2" in message


def test_arms_of_a_teams_test_lie_in_one_split(tmp_path: Path) -> None:
    lines = [f"headline {i} of test {i // 3},{10 + i},1000,{i // 3}" for i in range(90)]
    (tmp_path / "p.csv").write_text("\n".join(["text,clicks,impressions,test", *lines]), encoding="utf-8")
    _, records = read("table", tmp_path / "p.csv")
    placed = {(r.arms, r.group, r.split) for r in records}
    assert len(placed) == 30
    assert len({split for _, _, split in placed}) == 3
    named = [f"{line},g{i // 45}" for i, line in enumerate(lines)]
    (tmp_path / "q.csv").write_text("\n".join(["text,clicks,impressions,test,group", *named]), encoding="utf-8")
    _, records = read("table", tmp_path / "q.csv")
    assert {r.group for r in records} == {"table:g0", "table:g1"}


def test_rates_with_counts_are_shrunk_beside_one_without(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    counted = [f"post number {i},{draw.binomial(5000, 0.03)},5000," for i in range(40)] + ["tiny lucky post,1,2,"]
    head = "text,clicks,impressions,click_rate"
    (tmp_path / "p.csv").write_text("\n".join([head, *counted]), encoding="utf-8")
    (tmp_path / "q.csv").write_text("\n".join([head, *counted, "measured elsewhere,,,0.5"]), encoding="utf-8")
    whole, mixed = (read("table", tmp_path / name)[1] for name in ("p.csv", "q.csv"))
    assert [r.weight for r in mixed[:-1]] == [r.weight for r in whole]
    standing = [[r.observations[0].percentile for r in records[:41]] for records in (whole, mixed)]
    # Two impressions are no proof of a rate of one half: the raw rate of the last row stands above it.
    assert standing[1] == pytest.approx([p * 41 / 42 for p in standing[0]])
    assert mixed[-1].weight == 0.9
    assert mixed[-1].observations[0].percentile == pytest.approx(100 * 41.5 / 42)
    assert mixed[-1].observations[0].value == 0.5


def test_the_middle_of_equals_is_no_rank(tmp_path: Path) -> None:
    lines = ["text,likes,channel", "Alone in its channel,3,advert", "One of two,5,post", "Two of two,5,post"]
    (tmp_path / "p.csv").write_text("\n".join([*lines, "Low,1,title", "High,2,title"]), encoding="utf-8")
    _, records = read("table", tmp_path / "p.csv")
    assert [r.observations[0].percentile for r in records] == [None, None, None, 25, 75]
    assert [r.observations[0].value for r in records] == [3, 5, 5, 1, 2]


def test_clicks_that_nobody_could_make_cost_the_row(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("text,clicks,impressions\nA,5,0\nB,0,0\nC,3,100\n", encoding="utf-8")
    reader, records = read("table", tmp_path / "p.csv")
    assert [(r.content.text, len(r.observations)) for r in records] == [("B", 0), ("C", 1)]
    assert [(p.row, p.column, p.problem) for p in reader.problems] == [(1, "clicks", "is above impressions")]
