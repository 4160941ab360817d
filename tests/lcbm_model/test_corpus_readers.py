"""Every reader: records with percentiles, contexts, groups and evidence; bad rows named, the rest goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lcbm_model.corpus import Reader, get_reader, reader_names
from lcbm_model.corpus.record import Record
from lcbm_model.errors import MetricError, SettingsError, TableError
from tests.lcbm_model import corpus_rows as rows


def save(frame: pl.DataFrame, folder: Path, name: str = "data.parquet") -> Path:
    frame.write_parquet(folder / name)
    return folder / name


def read(name: str, path: Path, **options: object) -> tuple[Reader, list[Record]]:
    reader = get_reader(name)
    return reader, list(reader.read(path, **options))


def refused(name: str, path: Path, **options: object) -> str:
    with pytest.raises(TableError) as caught:
        get_reader(name).read(path, **options)
    return str(caught.value)


def test_every_file_in_the_folder_is_a_registered_reader() -> None:
    files = {p.stem for p in Path(rows.__file__).parents[2].glob("lcbm_model/corpus/readers/*.py")} - {"__init__"}
    assert len(files) == len(reader_names()) == 10
    for name in reader_names():
        reader = get_reader(name)
        assert isinstance(reader, Reader)
        assert reader.licence
        assert reader.required
    assert get_reader("caption-contest").name == "caption_contest"
    with pytest.raises(SettingsError, match=r"Use one of: .*upworthy"):
        get_reader("twitter")


def test_upworthy_ranks_lift_over_the_same_picture(tmp_path: Path) -> None:
    reader, records = read("upworthy", save(rows.upworthy(), tmp_path))
    assert len(records) == 24
    assert not reader.problems
    weak, strong = records[0], records[3]
    assert weak.arms == strong.arms == "test0/pic0"
    assert weak.group == "upworthy:100"
    assert (weak.split, records[16].split) == ("train", "test")
    seen = weak.observation("click_rate")
    assert seen is not None
    assert (seen.count, seen.exposure) == (20, 2000)
    assert seen.value == pytest.approx(0.01)
    ranks = [r.observations[0].percentile for r in records[:4]]
    assert ranks == sorted(ranks)
    # A test with six times the clicks but the same lifts stands no higher.
    assert records[20].observations[0].percentile == pytest.approx(ranks[0], abs=20)
    assert weak.content.date is not None
    assert weak.content.date.isoformat() == "2014-08-18"
    assert weak.labels["lede"] == "What the kettle saw & heard"
    assert 0 < weak.weight < 1


def test_upworthy_arms_at_risk_are_no_truth(tmp_path: Path) -> None:
    _, records = read("upworthy", save(rows.upworthy(), tmp_path))
    risky = [r for r in records if r.labels["randomization_imbalance_risk"] == "yes"]
    assert len(risky) == 4
    assert all(r.arms is None and r.observations[0].percentile is None for r in risky)
    assert all(r.observations[0].count is not None for r in risky)


def test_caption_contest_weighs_by_votes_and_ranks_inside_the_contest(tmp_path: Path) -> None:
    images = rows.pictures(tmp_path / "img", ["900.jpg", "901.jpg"])
    reader, records = read("caption_contest", save(rows.captions(), tmp_path), images=images)
    assert reader.problems.counts == {"picture: picture not found": 30}
    assert "902.jpg" in str(reader.problems[0])
    assert len(records) == 90
    assert records[0].content.media[0].path == images / "900.jpg"
    assert records[-1].content.media == ()
    first = [r for r in records if r.context == "caption_contest:900"]
    assert first[-1].weight > first[0].weight
    assert [r.observations[0].percentile for r in first] == sorted(r.observations[0].percentile for r in first)
    assert all(r.observations[0].exposure for r in records)


def test_a_contest_whose_ratings_differ_by_luck_alone_has_no_ranks(tmp_path: Path) -> None:
    frame = rows.captions()
    lucky = pl.col("contest") == 901
    votes = {"unfunny": 20, "somewhat_funny": 30, "funny": 10, "votes": 60}
    frame = frame.with_columns(pl.when(lucky).then(pl.lit(n)).otherwise(pl.col(c)).alias(c) for c, n in votes.items())
    _, records = read("caption_contest", save(frame, tmp_path))
    by_luck = [r.observations[0] for r in records if r.context == "caption_contest:901"]
    assert len(by_luck) == 30
    assert {seen.percentile for seen in by_luck} == {None}
    assert {round(seen.value, 3) for seen in by_luck} == {1.833}
    assert all(r.observations[0].percentile is not None for r in records if r.context != "caption_contest:901")


def test_facebook_ranks_two_metrics_inside_the_page(tmp_path: Path) -> None:
    _, records = read("facebook", save(rows.facebook(), tmp_path))
    assert [o.metric for o in records[0].observations] == ["shares", "reactions", "comments"]
    for page in range(3):
        inside = [r for r in records if r.context == f"facebook:page{page}"]
        assert [r.observations[0].percentile for r in inside] == pytest.approx([5 * i + 2.5 for i in range(20)])
    content = records[0].content
    assert (content.channel, content.title) == ("post", "Link 0")
    assert content.communicator is not None
    assert content.communicator.name == "page0"


def test_reddit_tells_the_community_as_topic(tmp_path: Path) -> None:
    _, records = read("reddit", save(rows.reddit(), tmp_path))
    assert (records[0].content.channel, records[0].content.topic) == ("title", "sub0")
    score, comments = records[0].observations
    assert (score.value, score.percentile) == (0, 2.5)
    assert (comments.value, comments.percentile) == (20, 97.5)


def test_oasis_is_pictures_without_words(tmp_path: Path) -> None:
    images = rows.pictures(tmp_path / "img", [f"Thing {i}.jpg" for i in range(11)])
    reader, records = read("oasis", save(rows.oasis(), tmp_path), images=images)
    assert len(records) == 11
    assert reader.problems.total == 1
    assert records[0].content.text == ""
    assert "Thing" not in records[0].content.model_dump_json(exclude={"media"})
    assert [o.metric for o in records[0].observations] == ["valence", "arousal"]
    assert records[0].observations[0].percentile < records[-1].observations[0].percentile
    assert records[0].observations[1].percentile > records[-1].observations[1].percentile
    assert "--images" in refused("oasis", tmp_path / "data.parquet")
    assert "no such folder" in refused("oasis", tmp_path / "data.parquet", images=tmp_path / "none")


def test_lambda_scenes_are_parsed(tmp_path: Path) -> None:
    frame = rows.adverts()
    broken = frame.with_columns(question=pl.when(pl.col("question_id") == 11).then(pl.lit("{")).otherwise("question"))
    reader, records = read("lambda", save(broken, tmp_path))
    assert len(records) == 3
    assert "row 2, column 'question': tells no scenes" in str(reader.problems[0])
    content = records[0].content
    assert (content.title, content.text) == ("Boots that stay", "Walk on")
    assert content.communicator is not None
    assert content.communicator.name == "Northfold"
    first, second = content.scenes
    assert first.caption == "a boot on a rock"
    assert first.on_screen_text == "NORTHFOLD, est. 1910"
    assert first.objects == ("boot", "rock")
    assert first.colours == ("Light Blue", "White", "Black")
    assert first.tones == ("cool", "calm")
    assert second.on_screen_text is None
    assert second.start is None


def test_clickbait_has_labels_and_no_behaviour(tmp_path: Path) -> None:
    _, records = read("clickbait", save(rows.clickbait(), tmp_path))
    assert [r.labels["clickbait"] for r in records[:2]] == ["no", "yes"]
    assert all(r.observations == () for r in records)


def test_content_behavior_scenes_carry_their_replay(tmp_path: Path) -> None:
    path = rows.write_jsonl(tmp_path / "v.jsonl", [rows.video(i) for i in range(6)])
    _, records = read("content_behavior", path)
    record = records[3]
    assert record.content.text == "Hello there and goodbye"
    assert [s.speech for s in record.content.scenes] == ["Hello there", "and goodbye", None]
    assert record.content.scenes[2].on_screen_text == "SALE"
    assert record.content.scenes[0].objects == ("hand", "sea")
    assert [o.value for o in record.observations if o.metric == "replay"] == [50.0, 100.0, 25.0]
    assert record.observation("like_rate").value == pytest.approx(0.04)
    ranks = [r.observation("like_rate").percentile for r in records]
    assert ranks == sorted(ranks)
    assert record.group == "content_behavior:ch3"
    assert (record.content.communicator.followers, record.content.date.year) == (5000, 2020)


def test_content_behavior_merges_slices_and_guesses_nothing(tmp_path: Path) -> None:
    from lcbm_model.corpus.readers.content_behavior import merge_slices, scenes_of

    assert merge_slices([(0, 0.5, 1), (0.5, 1.2, 3), (1.2, 3, 2)]) == [(0, 1.2, 3), (1.2, 3, 2)]
    # Three captions beside a graph of seven: the scenes are the captions, without times and without replay.
    markers = [{"start": 2.0 * i, "end": 2.0 * i + 2, "replay_score": 0.1 * i} for i in range(7)]
    scenes, replay = scenes_of(rows.video(replay_graphs={"markers": markers}))
    assert len(scenes) == 3
    assert all(s.start is None for s in scenes)
    assert replay == []
    assert scenes_of({"replay_graphs": None, "ocr": "junk"}) == ((), [])


def test_saved_hugging_face_datasets_are_read(tmp_path: Path) -> None:
    from datasets import Dataset

    Dataset.from_list([rows.video(i) for i in range(4)]).save_to_disk(str(tmp_path / "cbc"))
    Dataset.from_list([rows.video(i) for i in range(4)]).to_parquet(str(tmp_path / "cbc.parquet"))
    _, folder = read("content_behavior", tmp_path / "cbc")
    _, parquet = read("content_behavior", tmp_path / "cbc.parquet")
    assert folder == parquet
    assert len(folder) == 4


def test_blift_keeps_top_comments_as_labels(tmp_path: Path) -> None:
    path = rows.write_jsonl(tmp_path / "b.jsonl", [rows.post(i) for i in range(10)])
    _, records = read("blift", path)
    assert records[0].labels == {
        "comment_1": "Lovely",
        "comment_2": "Too bright",
        "url": "https://example.org/0.jpg",
    }
    assert [r.observations[0].percentile for r in records if r.context == "blift:sub0"] == [10, 30, 50, 70, 90]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"views": 0.0}, "column 'views': is no count above zero"),
        ({"likes": -1.0}, "column 'likes': is no count"),
        ({"likes": 5000.0}, "column 'likes': is above views"),
        ({"video_id": "vid0"}, "column 'video_id': is there twice"),
        ({"video_id": None}, "column 'video_id': is missing"),
    ],
)
def test_bad_videos_are_named_and_left_out(tmp_path: Path, change: dict[str, object], told: str) -> None:
    path = rows.write_jsonl(tmp_path / "v.jsonl", [rows.video(0), rows.video(1, **change), rows.video(2)])
    reader, records = read("content_behavior", path)
    assert [r.id for r in records] == ["content_behavior-vid0", "content_behavior-vid2"]
    assert f"v.jsonl: row 2, {told}" in str(reader.problems[0])


def test_nested_files_that_cannot_serve(tmp_path: Path) -> None:
    path = rows.write_jsonl(tmp_path / "v.jsonl", [{"video_id": "a"}])
    assert "missing 'likes'" in refused("content_behavior", path)
    path = rows.write_jsonl(tmp_path / "b.jsonl", [rows.post(0, split="train"), rows.post(2, split="test")])
    assert "subreddit 'sub0' lies in train and test" in refused("blift", path)
    (tmp_path / "x.parquet").write_bytes(b"PAR1 cut short")
    assert "cannot be read" in refused("blift", tmp_path / "x.parquet")
    assert "no such file" in refused("blift", tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("clicks", 9999, "is above impressions"),
        ("clicks", -3, "is negative"),
        ("clicks", None, "is missing"),
        ("impressions", 0, "is zero"),
        ("headline", "  ", "is empty"),
        ("split", "dev", "is no split"),
    ],
)
def test_impossible_values_cost_one_row(tmp_path: Path, column: str, value: object, told: str) -> None:
    frame = rows.upworthy().with_row_index("i")
    bad = pl.when(pl.col("i") == 5).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)
    reader, records = read("upworthy", save(frame.with_columns(bad).drop("i"), tmp_path))
    assert len(records) == 23
    assert reader.problems.total == 1
    message = str(reader.problems[0])
    assert message.startswith(f"data.parquet: row 6, column {column!r}: {told}")
    assert reader.problems[0].remedy


def test_nan_and_ratings_off_the_scale_are_named(tmp_path: Path) -> None:
    images = rows.pictures(tmp_path / "img", [f"Thing {i}.jpg" for i in range(12)])
    frame = rows.oasis()
    frame[3, "Valence_mean"] = float("nan")
    frame[4, "Arousal_mean"] = 9.0
    frame[5, "Theme"] = "Thing 6"
    reader, records = read("oasis", save(frame, tmp_path), images=images)
    assert len(records) == 9
    assert {(p.row, p.column) for p in reader.problems} == {(4, "Valence_mean"), (5, "Arousal_mean"), (7, "Theme")}


def test_a_group_in_two_splits_is_refused(tmp_path: Path) -> None:
    frame = rows.upworthy()
    frame[1, "split"] = "test"
    message = refused("upworthy", save(frame, tmp_path))
    assert "story_id 100 lies in train and test" in message
    assert "column 'split'" in message
    assert "same split" in message


def test_splits_are_made_by_group_where_the_file_has_none(tmp_path: Path) -> None:
    _, records = read("upworthy", save(rows.upworthy(60).drop("split"), tmp_path))
    splits = {r.group: {x.split for x in records if x.group == r.group} for r in records}
    assert all(len(s) == 1 for s in splits.values())
    assert {s for one in splits.values() for s in one} == {"train", "validation", "test"}


def test_files_that_cannot_serve(tmp_path: Path) -> None:
    assert "has no column 'story_id'" in refused("upworthy", save(rows.upworthy().drop("story_id"), tmp_path))
    assert "has no rows" in refused("upworthy", save(rows.upworthy().head(0), tmp_path))
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "data.parquet").read_bytes()[:200])
    assert "cut.parquet" in refused("upworthy", tmp_path / "cut.parquet")
    assert "no such file" in refused("upworthy", tmp_path / "none.parquet")
    every = rows.upworthy().with_columns(impressions=pl.lit(0))
    assert "no usable row: first, data.parquet: row 1" in refused("upworthy", save(every, tmp_path))


def test_csv_and_parquet_give_the_same_records_in_any_encoding(tmp_path: Path) -> None:
    frame = rows.upworthy()
    frame[0, "headline"] = "Café prices rise again this spring, they say"
    parquet = list(get_reader("upworthy").read(save(frame, tmp_path)))
    frame.write_csv(tmp_path / "data.csv")
    assert list(get_reader("upworthy").read(tmp_path / "data.csv")) == parquet
    (tmp_path / "old.csv").write_bytes((tmp_path / "data.csv").read_text(encoding="utf-8").encode("cp1252"))
    assert list(get_reader("upworthy").read(tmp_path / "old.csv")) == parquet


def test_problems_are_counted_beyond_what_is_kept(tmp_path: Path) -> None:
    frame = pl.concat([rows.clickbait(200), rows.clickbait(120).with_columns(headline=pl.lit(" "))])
    reader, records = read("clickbait", save(frame, tmp_path))
    assert len(records) == 200
    assert len(reader.problems) == 50
    assert reader.problems.total == 120


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
