"""Exports as teams have them. Every row is invented; the headings are those that the exports are known to have."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from agents.library.exports import PostsTable, guesses, known_sources, read_posts
from agents.library.ingest import Ingested, ingest
from agents.library.preview import preview_posts
from lcbm_model.errors import SettingsError, TableError
from tests.lcbm_model.workbook import write_xlsx

FACEBOOK = (
    "\ufeffPost ID,Page ID,Page name,Title,Description,Duration (sec),Publish time,Caption type,Permalink,Is crosspost,"
    'Post type,Languages,Custom labels,Date,Views,Reach,"Reactions, Comments and Shares",Reactions,Comments,Shares,'
    "Total clicks,Link Clicks\n"
    "101,7,Kupferhain,Rain sells umbrellas,,0,05/03/2024 09:30,,https://example.org/1,0,Photos,,,Lifetime,"
    '"1,200",900,33,20,8,5,60,12\n'
    "102,7,Kupferhain,,How a pan is made,95,05/23/2024 18:00,,https://example.org/2,0,Reels,,,Lifetime,"
    '"4,800","3,100",330,300,20,10,410,\n'
)
INSTAGRAM = (
    "Post ID,Account ID,Account username,Account name,Description,Duration (sec),Publish time,Permalink,Post type,"
    "Data comment,Date,Views,Reach,Likes,Shares,Follows,Comments,Saves\n"
    '18011,1784,kupfer,Kupferhain,"Copper, up close ✨",44,10/03/2024 08:31,https://example.org/r/1,IG reel,,Lifetime,'
    '"12,400",9100,620,88,41,57,230\n'
)
YOUTUBE = (
    "Content,Video title,Video publish time,Duration,Views,Watch time (hours),Subscribers,Likes,Comments added,Shares,"
    "Impressions,Impressions click-through rate (%),Average view duration\n"
    "Total,,,,9000,220.5,40,330,41,18,120000,4.4,0:01:28\n"
    'abcDEF12345,"How to season a pan, slowly","Mar 5, 2024",300,6000,150.25,25,300,40,15,80000,5.4,0:01:30\n'
    '-bcDEF12345,Why copper?,"Apr 12, 2024",120,3000,70.25,15,30,1,3,40000,0.62,0:01:24\n'
)
X = (
    "Post id,Date,Post text,Post Link,Impressions,Likes,Engagements,Bookmarks,Shares,New follows,Replies,Reposts,"
    "Profile visits,Detail Expands,URL Clicks,Hashtag Clicks,Permalink Clicks\n"
    '2027324435000000001,"Fri, Mar 1, 2024",Rain sells umbrellas,https://example.org/1,"1,234",40,90,2,99,0,8,5,3,20,12,'
    "0,1\n"
)
TWITTER = (
    '"Tweet id","Tweet permalink","Tweet text","time","impressions","engagements","engagement rate","retweets",'
    '"replies","likes","user profile clicks","url clicks","hashtag clicks","promoted impressions"\n'
    '"10001","https://example.org/1","Rain sells umbrellas","2016-03-05 10:30 +0000","2000.0","90.0","0.045","5.0",'
    '"8.0","40.0","3.0","20.0","0.0","-"\n'
)
LINKEDIN_NOTE = ["All posts: every post of your page in this time range, with its figures so far."]
LINKEDIN = [
    ["Post title", "Post link", "Post type", "Campaign name", "Posted by", "Created date", "Audience", "Impressions"],
    ["We moved the works", "https://example.org/a", "Organic", "", "A. Person", "05/03/2024", "All followers", 1500],
    ["Thirty years of copper", "https://example.org/b", "Organic", "", "A. Person", "05/20/2024", "", 900],
]
LINKEDIN_MORE = [
    ["Views", "Clicks", "Click through rate (CTR)", "Likes", "Comments", "Reposts", "Follows", "Engagement rate"],
    [None, 30, 0.02, 21, 3, 4, 0, 0.038],
    [None, 45, 0.05, 12, 0, 1, 0, 0.064],
]
MAILCHIMP = (
    "Title,Subject,List,Send Date,Send Weekday,Total Recipients,Successful Deliveries,Soft Bounces,Hard Bounces,"
    "Total Bounces,Times Forwarded,Forwarded Opens,Unique Opens,Open Rate,Total Opens,Unique Clicks,Click Rate,"
    "Total Clicks,Unsubscribes,Abuse Complaints,Times Liked on Facebook,Folder Id,Unique Id\n"
    'March letter,A pan for life,Customers,"Mar 05, 2024 10:00 am",Tuesday,"2,010","2,000",8,2,10,0,0,500,25.00%,740,'
    "60,3.00%,80,4,0,0,0,f00d01\n"
    'April letter,Three recipes,Customers,"Apr 02, 2024 06:30 pm",Tuesday,"1,000","1,000",0,0,0,0,0,300,30.00%,410,'
    "20,2.00%,25,1,0,0,0,f00d02\n"
)
GOOGLE_ADS = (
    "Ad report\n"
    '"January 1, 2024 - March 31, 2024"\n'
    "Ad status,Campaign,Ad group,Ad type,Headline 1,Headline 2,Description 1,Final URL,Currency code,Impr.,Clicks,CTR,"
    "Conversions,Conv. rate\n"
    "Enabled,Spring,Pans,Responsive search ad,Copper pans,Made to last, --,https://example.org,EUR,"
    '"12,345","1,234",10.00%,3.00,0.24%\n'
    'Enabled,Spring,Pots,Responsive search ad,Pots and more, --,"Soup, all day",https://example.org,EUR,"2,000",20,1.00%,'
    "0.00,0.00%\n"
    'Total: Ads, --, --, --, --, --, --, --,EUR,"14,345","1,254",8.74%,3.00,0.24%\n'
    'Total: Account, --, --, --, --, --, --, --,EUR,"20,000","1,500",7.50%,3.00,0.20%\n'
)


def read(folder: Path, data: str, name: str = "export.csv", encoding: str = "utf-8", **options: Any) -> PostsTable:
    path = folder / name
    path.write_bytes(data.encode(encoding))
    return read_posts(path, **options)


def rows(taken: Ingested) -> list[dict[str, Any]]:
    """Posts without what is unknown of them."""
    return [
        {k: v for k, v in row.items() if v is not None and not k.startswith("exposure.")}
        for row in taken.frame.to_dicts()
    ]


def test_facebook(tmp_path: Path) -> None:
    posts = read(tmp_path, FACEBOOK)
    assert posts.source is known_sources()["facebook"]
    assert posts.confidence == 1
    first, second = rows(ingest(posts, metric="reactions"))
    assert first == {
        "id": "101",
        "text": "Rain sells umbrellas",
        "channel": "facebook_post",
        "date": date(2024, 5, 3),
        "hour": 9,
        "format": "photo",
        "exposure": 1200,
        "value.reactions": 20,
        "value.comments": 8,
        "value.shares": 5,
        "value.views": 1200,
    }
    assert (second["text"], second["date"]) == ("How a pan is made", date(2024, 5, 23)), "no title: the description"
    assert second["format"] == "video"


def test_instagram_is_told_from_facebook(tmp_path: Path) -> None:
    posts = read(tmp_path, INSTAGRAM)
    assert posts.source is known_sources()["instagram"]
    (post,) = rows(ingest(posts, metric="like_rate"))
    assert (post["text"], post["channel"], post["date"]) == ("Copper, up close ✨", "instagram_post", date(2024, 10, 3))
    assert post["value.like_rate"] == 620 / 12400
    assert (post["value.likes"], post["value.shares"], post["value.comments"]) == (620, 88, 57)


def test_youtube_without_its_row_of_totals(tmp_path: Path) -> None:
    posts = read(tmp_path, YOUTUBE)
    taken = ingest(posts, metric="click_rate")
    assert taken.frame["id"].to_list() == ["abcDEF12345", "-bcDEF12345"]
    assert taken.frame["date"].to_list() == [date(2024, 3, 5), date(2024, 4, 12)]
    assert taken.frame["value.click_rate"].to_list() == pytest.approx([0.054, 0.0062]), "plain figures are percent"
    assert taken.frame["exposure.click_rate"].to_list() == [80000, 40000]
    assert taken.frame["value.like_rate"].to_list() == [0.05, 0.01]
    assert list(posts.table.rows) == [2, 3], "rows keep the number they have in the file"
    assert "1 rows of totals are left out" in taken.notes


@pytest.mark.parametrize(("data", "day", "rate"), [(X, date(2024, 3, 1), 12 / 1234), (TWITTER, date(2016, 3, 5), 0.01)])
def test_x_and_its_older_name(tmp_path: Path, data: str, day: date, rate: float) -> None:
    (post,) = rows(ingest(read(tmp_path, data), metric="click_rate"))
    assert (post["channel"], post["date"], post["text"]) == ("x_post", day, "Rain sells umbrellas")
    assert post["value.click_rate"] == pytest.approx(rate)
    assert (post["value.shares"], post["value.comments"], post["value.likes"]) == (5, 8, 40), "reposts, not the button"


def test_linkedin_finds_its_sheet_and_its_headings(tmp_path: Path) -> None:
    sheet = [LINKEDIN_NOTE, *(left + right for left, right in zip(LINKEDIN, LINKEDIN_MORE, strict=True))]
    metrics = [["Metrics of the page"], ["Date", "Impressions (total)"], ["05/03/2024", 12]]
    path = write_xlsx(tmp_path / "content.xlsx", {"Metrics": metrics, "All posts": sheet})
    posts = read_posts(path)
    assert posts.source is known_sources()["linkedin"]
    first, second = rows(ingest(posts, metric="click_rate"))
    assert (first["id"], first["text"], first["date"]) == (
        "https://example.org/a",
        "We moved the works",
        date(2024, 5, 3),
    )
    assert (first["audience"], first["value.click_rate"], first["value.shares"]) == ("All followers", 0.02, 4)
    assert second["value.click_rate"] == 0.05


def test_mailchimp(tmp_path: Path) -> None:
    taken = ingest(read(tmp_path, MAILCHIMP), metric="open_rate")
    first = rows(taken)[0]
    assert first == {
        "id": "f00d01",
        "text": "A pan for life",
        "channel": "email_subject",
        "date": date(2024, 3, 5),
        "hour": 10,
        "audience": "Customers",
        "exposure": 2000,
        "value.open_rate": 0.25,
        "value.click_rate": 0.03,
    }
    assert taken.frame["exposure.open_rate"].to_list() == [2000, 1000]
    assert taken.frame["hour"].to_list() == [10, 18]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_google_ads_with_title_lines_and_totals(tmp_path: Path, encoding: str) -> None:
    data = GOOGLE_ADS if encoding != "utf-16" else _tabs(GOOGLE_ADS)
    posts = read(tmp_path, data, encoding=encoding)
    taken = ingest(posts, metric="click_rate")
    assert taken.frame["text"].to_list() == ["Copper pans\nMade to last", "Pots and more\nSoup, all day"]
    assert taken.frame["value.click_rate"].to_list() == [0.1, 0.01]
    assert taken.frame["exposure.click_rate"].to_list() == [12345, 2000]
    assert set(taken.frame["channel"]) == {"advert"}
    assert "2 rows of totals are left out" in taken.notes
    assert "2 rows above the headings are left out" in taken.notes


def _tabs(data: str) -> str:
    import csv
    import io

    out = io.StringIO()
    csv.writer(out, delimiter="\t", lineterminator="\n").writerows(csv.reader(io.StringIO(data)))
    return out.getvalue()


def test_every_source_is_told_from_all_others_by_its_own_headings(tmp_path: Path) -> None:
    assert len(known_sources()) >= 8
    for name, source in known_sources().items():
        path = tmp_path / f"{name}.csv"
        headings = ['"' + heading.replace('"', '""') + '"' for heading in source.signature]
        path.write_text(",".join(headings) + "\n" + ",".join("x" for _ in headings) + "\n", encoding="utf-8")
        best, *others = guesses(path)
        assert best.source.name == name
        assert best.confidence == 1
        assert all(other.confidence < best.confidence - 0.2 for other in others), name
        assert {"id", "text"} <= set(source.columns)


def test_our_own_columns_stay_ours_and_a_doubtful_file_is_not_guessed(tmp_path: Path) -> None:
    ours = "text,id,Impressions,Clicks,Post link,Post title,Created date,Reposts,Post type,Posted by,Engagement rate\n"
    assert read(tmp_path, ours + "a,1,100,5,,,,,,,\n").source is None
    doubtful = "Post title,Post link,Impressions,Clicks\nA,https://example.org,100,5\n"
    posts = read(tmp_path, doubtful)
    assert posts.source is None
    with pytest.raises(TableError, match="no column 'text'"):
        ingest(posts)
    assert read(tmp_path, doubtful, source="linkedin").source is known_sources()["linkedin"]
    assert ingest(read(tmp_path, doubtful, source="linkedin")).frame["value.click_rate"].to_list() == [0.05]
    by_hand = read(tmp_path, doubtful, columns={"text": "Post title", "id": "Post link"})
    assert ingest(by_hand).frame["id"].to_list() == ["https://example.org"]


def test_by_hand_wins_and_a_wrong_name_is_told(tmp_path: Path) -> None:
    taken = ingest(read(tmp_path, FACEBOOK, columns={"clicks": "Total clicks", "impressions": "views"}))
    assert taken.frame["value.click_rate"].to_list() == [60 / 1200, 410 / 4800]
    with pytest.raises(SettingsError, match=r"unknown export \(got 'tiktok'\). Use one of: plain, facebook"):
        read(tmp_path, FACEBOOK, source="tiktok")
    with pytest.raises(TableError, match=r"has no heading of YouTube Studio.*map yours by hand"):
        read(tmp_path, "a,b\n1,2\n", source="youtube")
    with pytest.raises(TableError, match="no column 'Mesage'"):
        ingest(read(tmp_path, FACEBOOK, columns={"text": "Mesage"}))


def test_headings_below_a_known_number_of_rows(tmp_path: Path) -> None:
    data = "Report of the team\n\ntext;likes\nHello;3\n"
    assert ingest(read(tmp_path, data, header=2)).frame["value.likes"].to_list() == [3]


def test_an_older_export_with_figures_of_another_language(tmp_path: Path) -> None:
    data = FACEBOOK.replace('"1,200"', "1.200").replace('"4,800"', "4.800").replace('"3,100"', "3.100")
    taken = ingest(read(tmp_path, data))
    assert taken.frame["value.views"].to_list() == [1200, 4800]
    assert any("points are read as thousands separators (1.200 as 1200)" in note for note in taken.notes)


def test_a_preview_says_what_becomes_of_each_column(tmp_path: Path) -> None:
    path = tmp_path / "ads.csv"
    path.write_text(GOOGLE_ADS, encoding="utf-8")
    seen = preview_posts(path, rows=1)
    assert (seen.source, seen.confidence, seen.rows, seen.problem) == ("google-ads", 1, 2, "")
    read_as = {column.heading: column.read_as for column in seen.columns}
    assert read_as["Impr."] == ("impressions",)
    assert read_as["Headline 2"] == ("part of the text",)
    assert read_as["Final URL"] == ()
    assert [post.text for post in seen.posts] == ["Copper pans\nMade to last"]
    assert seen.metrics == ("click_rate", "conversion_rate")
    assert next(c for c in seen.columns if c.heading == "Clicks").samples == ("1,234", "20")


def test_a_preview_of_a_file_that_cannot_be_built_says_why(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text("Message,Reach\nHello,100\n", encoding="utf-8")
    seen = preview_posts(path)
    assert seen.source == "plain"
    assert "has no column 'text'" in seen.problem
    assert [column.heading for column in seen.columns] == ["Message", "Reach"]
    mapped = preview_posts(path, columns={"text": "Message", "views": "Reach"})
    assert (mapped.problem, mapped.metrics) == ("", ("views",))
    assert [c.read_as for c in mapped.columns] == [("text",), ("views",)]
