"""From a team's table to checked posts: bad rows are shown, good ones stay, nothing is guessed in silence."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from agents import Library
from lcbm_model.errors import LibraryError, MetricError, TableError
from lcbm_model.metrics import Metric
from tests.agents.hashing_embedder import HashingEmbedder

HEADER = "id,text,channel,date,impressions,clicks\n"
GOOD = "a,Rain sells umbrellas,post,2024-01-05,1000,20\n"


def build(path: Path, data: str, **options: Any) -> Library:
    path = path / "posts.csv"
    path.write_text(data, encoding="utf-8")
    return Library.from_csv(path, embedder=HashingEmbedder(), **options)


def reasons(library: Library) -> dict[int, str]:
    return {row.row: row.problem for row in library.rejected}


def test_a_whole_row(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "pan.png").write_bytes(b"png")
    library = build(
        tmp_path,
        "id,text,image,channel,date,audience,format,impressions,clicks,likes\n"
        'k1,"A pan, for life",pictures/pan.png,Email subject,2024-01-05T09:30:00Z,new  parents,Photos,"1,000",20,7\n',
        metric="click_rate",
    )
    (post,) = library.posts
    assert post.model_dump(exclude={"percentiles"}) == {
        "id": "k1",
        "text": "A pan, for life",
        "channel": "email_subject",
        "date": date(2024, 1, 5),
        "hour": 9,
        "image": tmp_path.resolve() / "pictures" / "pan.png",
        "audience": "new parents",
        "format": "photo",
        "values": {"click_rate": 0.02, "likes": 7.0},
        "exposure": 1000.0,
    }
    assert post.percentiles == {"click_rate": 50.0, "likes": 50.0}
    assert library.metric == "click_rate"
    assert library.metrics == ("click_rate", "likes")
    assert library.rejected == ()


def test_bad_rows_are_named_and_good_ones_stay(tmp_path: Path) -> None:
    future = (date.today() + timedelta(days=40)).isoformat()
    library = build(
        tmp_path,
        HEADER
        + GOOD
        + "b,,post,2024-01-05,1000,20\n"  # 2: no text
        + "c,Text in a number,post,2024-01-05,many,20\n"
        + "d,More clicks than people,post,2024-01-05,10,20\n"
        + "e,Negative,post,2024-01-05,1000,-1\n"
        + "f,Not a number,post,2024-01-05,1000,NaN\n"
        + f"g,Tomorrow's news,post,{future},1000,20\n"
        + "h,No such day,post,2024-02-31,1000,20\n"
        + "a,Same id again,post,2024-01-05,1000,20\n"
        + "i,ragged,post\n"
        + "j,nul\0,post,2024-01-05,1000,20\n"
        + "k,=cmd|'/C calc'!A0,post,2024-01-05,1000,30\n",
        metric="click_rate",
    )
    assert [p.id for p in library.posts] == ["a", "k"]
    assert library.posts[1].text == "=cmd|'/C calc'!A0", "a formula is text like any other"
    assert reasons(library) == {
        2: "is empty",
        3: "is not a number",
        4: "is more than impressions (10)",
        5: "is negative",
        6: "is not a number",
        7: "lies in the future",
        8: "is not a date; write 2024-12-31",
        9: "repeats the id of row 1, which is measured as well or better",
        10: "has 3 cells, the header has 6",
        11: "holds a NUL character",
    }
    by_row = {row.row: row for row in library.rejected}
    assert (by_row[3].column, by_row[3].value) == ("impressions", "many")
    assert (by_row[5].column, by_row[5].value) == ("clicks", "-1")


def test_no_row_left_names_the_first_problem(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=r"row 1, column 'clicks': no usable row is left; this one is not a number"):
        build(tmp_path, HEADER + "a,Text,post,2024-01-05,100,lots\n", metric="click_rate")


def test_no_result_in_any_row(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="no row has a value for click_rate"):
        build(tmp_path, HEADER + "a,Text,post,2024-01-05,,\n", metric="click_rate")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (
            "id,text,click_rates",
            "no column 'click_rate'.*Did you mean 'click_rates'.*made of 'clicks' and 'impressions'",
        ),
        ("id,text,clicks", "no column 'click_rate'"),
        ("id,headline,click_rate", "no column 'text'.*Columns there: 'id', .*'click_rate'.*--map 'HEADING=text'"),
    ],
)
def test_absent_columns(tmp_path: Path, header: str, said: str) -> None:
    with pytest.raises(TableError, match=said):
        build(tmp_path, f"{header}\na,b,0.1\n", metric="click_rate")


def test_no_metric_at_all_and_one_nobody_defined(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no column of a known metric"):
        build(tmp_path, "text,mood\na,good\n")
    with pytest.raises(MetricError, match="'click_rat'"):
        build(tmp_path, HEADER + GOOD, metric="click_rat")


def test_columns_mapped_by_hand(tmp_path: Path) -> None:
    data = "Message,Reach,Link clicks\nHello,200,10\n"
    mapping = {"text": "Message", "impressions": "reach", "clicks": "Link clicks"}
    assert build(tmp_path, data, metric="click_rate", columns=mapping).posts[0].values == {"click_rate": 0.05}
    with pytest.raises(TableError, match=r"no column 'Clicks'.*Did you mean"):
        build(tmp_path, data, columns=mapping | {"clicks": "Clicks"})
    with pytest.raises(TableError, match=r"names a field that no post has.*'txt'"):
        build(tmp_path, data, columns={"txt": "Message"})


def test_a_metric_of_the_teams_own(tmp_path: Path) -> None:
    saves = Metric(name="test_saves", title="saves", kind="count", unit="saves", verb="save it")
    library = build(tmp_path, "text,test_saves\nHello,3\nBye,5\n", metric=saves)
    assert library.metric == "test_saves"
    assert [p.percentiles["test_saves"] for p in library.posts] == [25.0, 75.0]


def test_rates_given_made_and_filled_in(tmp_path: Path) -> None:
    library = build(tmp_path, "text,click_rate,clicks,impressions\na,3.4 %,,\nb,,5,100\nc,,,50\n", metric="click_rate")
    assert [p.values for p in library.posts] == [{"click_rate": pytest.approx(0.034)}, {"click_rate": 0.05}, {}]
    assert library.notes == ("1 of 3 posts have no click_rate: found by search, but without a rank",)
    rejected = build(tmp_path, "text,click_rate\na,0.034\nb,3.4\n", metric="click_rate").rejected
    assert [(r.row, r.problem) for r in rejected] == [(2, "is no rate; write 0.034 or 3.4 %")]


def test_nobody_reached_is_no_result(tmp_path: Path) -> None:
    library = build(tmp_path, HEADER + GOOD + "b,Unseen,post,2024-01-05,0,0\n", metric="click_rate")
    assert library.posts[1].values == {}


def test_a_foreign_column_of_a_metrics_name_does_not_cost_the_rows(tmp_path: Path) -> None:
    library = build(tmp_path, "text,likes,score\na,1,good\nb,2,fair\nc,3,7\n", metric="likes")
    assert len(library) == 3
    assert library.metrics == ("likes",)
    assert "column 'score' is left out" in library.notes[0]


def test_negative_scores_are_scores(tmp_path: Path) -> None:
    assert build(tmp_path, "text,score\na,-4\nb,2\n").posts[0].values == {"score": -4.0}


def test_pictures_outside_the_folder_are_refused(tmp_path: Path) -> None:
    inside = tmp_path / "library"
    inside.mkdir()
    (tmp_path / "secret.png").write_bytes(b"x")
    (inside / "ok.png").write_bytes(b"x")
    (inside / "link.png").symlink_to(tmp_path / "secret.png")
    names = ["ok.png", "../secret.png", str(tmp_path / "secret.png"), "link.png", "none.png", "n" * 300 + ".png"]
    rows = "".join(f"post {i},{i},{name}\n" for i, name in enumerate(names))
    library = build(inside, "text,likes,image\n" + rows + "post 9,9,https://example.org/a.png\n")
    assert [p.image for p in library.posts] == [inside.resolve() / "ok.png", None]
    outside = "lies outside the file's folder"
    found = reasons(library)
    assert found.pop(6).startswith("is no file name")
    assert found == {2: outside, 3: outside, 4: outside, 5: "no such picture in the file's folder"}
    assert "1 pictures are web addresses" in library.notes[0]


@pytest.mark.parametrize(
    ("cells", "days"),
    [
        (["2024-03-05", "20240306", "2024-03-07 10:00"], ["2024-03-05", "2024-03-06", "2024-03-07"]),
        (["05/03/2024", "25/03/2024"], ["2024-03-05", "2024-03-25"]),
        (["03/05/2024", "03/25/2024"], ["2024-03-05", "2024-03-25"]),
        (["03/03/2024"], ["2024-03-03"]),
        (["25.03.2024", ""], ["2024-03-25", None]),
        (["05/03/2024"], [None]),
        (["soon"], [None]),
        (["soon", "2024-03-05", "2024-03-06"], ["2024-03-05", "2024-03-06"]),
    ],
)
def test_dates_are_read_where_there_is_no_doubt(tmp_path: Path, cells: list[str], days: list[str | None]) -> None:
    rows = "".join(f"post {i},{i},{cell}\n" for i, cell in enumerate(cells))
    library = build(tmp_path, "text,likes,date\nnone,1,\n" + rows)
    assert [p.date and p.date.isoformat() for p in library.posts[1:]] == days
    assert len(library.rejected) == len(cells) - len(days)


def test_a_column_of_dates_that_nobody_can_read_costs_no_post(tmp_path: Path) -> None:
    library = build(tmp_path, "text,likes,date\na b,1,5. März 2025\nc d,2,soon\n")
    assert [p.date for p in library.posts] == [None, None]
    assert not library.rejected
    assert "column 'date' is left out: most of it cannot be read ('5. März 2025' is not a date" in library.notes[0]


def test_of_one_id_the_better_measured_row_is_kept(tmp_path: Path) -> None:
    rows = "a,Text,post,2024-01-05,100,5\na,Text,post,2024-01-05,1000,60\na,Text,post,2024-01-05,500,30\n"
    library = build(tmp_path, HEADER + rows, metric="click_rate")
    assert [(p.id, p.values["click_rate"]) for p in library.posts] == [("a", 0.06)]
    assert set(reasons(library)) == {1, 3}


@pytest.mark.parametrize(
    ("cells", "rates"),
    [
        (["3.4", "2.1", "0.5", "1.2"], [0.034, 0.021, 0.005, 0.012]),
        (["3.4", "2 %", "1.2"], [0.034, 0.02, 0.012]),
        (["3.4", "0", "0", "0"], [0.034, 0, 0, 0]),
        (["0.034", "1", "0.5", "0.2"], [0.034, 1, 0.5, 0.2]),
        (["0.5", "0.6", "34 %"], [0.5, 0.6, 0.34]),
    ],
)
def test_rates_in_per_cent_need_no_sign(tmp_path: Path, cells: list[str], rates: list[float]) -> None:
    rows = "".join(f"post {i},{cell}\n" for i, cell in enumerate(cells))
    library = build(tmp_path, "text,click_rate\n" + rows, metric="click_rate")
    assert [p.values["click_rate"] for p in library.posts] == pytest.approx(rates)
    assert not library.rejected
    assert any("read as per cent (3.4 as 0.034)" in note for note in library.notes) == (cells[0] == "3.4")


def test_rates_that_may_be_either_are_refused(tmp_path: Path) -> None:
    rows = "a,0.4,1\nb,0.1,2\nc,0.5,3\nd,1.2,4\ne,2.2,5\n"
    with pytest.raises(TableError, match=r"column 'click_rate': holds 1.2 and 0.4: nobody can tell shares"):
        build(tmp_path, "text,click_rate,likes\n" + rows, metric="click_rate")
    library = build(tmp_path, "text,click_rate,likes\n" + rows, metric="likes")
    assert library.metrics == ("likes",)
    assert "column 'click_rate' is left out" in library.notes[0]
    with pytest.raises(TableError, match="no column of a known metric; column 'click_rate' is left out"):
        build(tmp_path, "text,click_rate,day\n" + rows)


def test_a_rate_that_its_counts_contradict_is_told(tmp_path: Path) -> None:
    rows = "a,50 %,1000,10\nb,1 %,1000,10\nc,1.04 %,1000,10\nd,0 %,1000,1\n"
    library = build(tmp_path, "text,click_rate,impressions,clicks\n" + rows, metric="click_rate")
    assert [p.values["click_rate"] for p in library.posts] == pytest.approx([0.5, 0.01, 0.0104, 0])
    (note,) = library.notes
    assert note.startswith("1 rows state another click rate than clicks over impressions make (row 1: 0.5 and 0.01)")


def test_jsonl_parquet_and_frames_take_the_same_way(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"text": ["a b", "c d"], "likes": [1, 2], "date": [date(2024, 1, 1), None], "channel": ["Post", None]}
    )
    frame.write_parquet(tmp_path / "p.parquet")
    frame.write_ndjson(tmp_path / "p.jsonl")
    embedder = HashingEmbedder()
    built = [
        Library.from_parquet(tmp_path / "p.parquet", embedder=embedder),
        Library.from_jsonl(tmp_path / "p.jsonl", embedder=embedder),
        Library.from_frame(frame, embedder=embedder, metric="likes"),
    ]
    assert built[0].posts == built[1].posts == built[2].posts
    assert built[0].channels == {"post": 2}
    with pytest.raises(LibraryError, match="has no rows"):
        Library.from_frame(frame.head(0), embedder=embedder)


def test_progress_and_each_text_embedded_once(tmp_path: Path) -> None:
    embedder, said = HashingEmbedder(), []
    frame = pl.DataFrame({"text": ["same", "same", "other"], "likes": [1, 2, 3]})
    Library.from_frame(frame, embedder=embedder, progress=lambda done, total: said.append((done, total)))
    assert sorted(embedder.seen) == ["other", "same"]
    assert said == [(2, 2)]
