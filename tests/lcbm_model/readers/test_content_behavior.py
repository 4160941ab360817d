"""The Content Behavior Corpus: scenes, replay and likes of videos."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lcbm_model import corpus_rows as rows
from tests.lcbm_model.readers.reading import read


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


def test_more_subscribers_than_people_are_not_known(tmp_path: Path) -> None:
    told = {"channel_id": "c", "company_name": "Northfold", "subscribers": 1e30}
    path = rows.write_jsonl(tmp_path / "v.jsonl", [rows.video(channel_data=told)])
    _, (record,) = read("content_behavior", path)
    assert record.content.communicator.followers is None
