"""Small invented tables in the form of every source, written where a test wants them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import polars as pl
from PIL import Image

WORDS = ("kettle tram harbour lantern orchard pebble saddle thimble walnut yonder meadow copper violin anchor").split()  # noqa: SIM905

SYLLABLES = ["ba", "de", "fi", "go", "hu", "ja", "ke", "li", "mo", "nu", "pa", "re", "si", "to", "vu", "wa", "ze"]


def sentence(i: int) -> str:
    """A text of eight invented words, the same for the same number and unlike every other one's."""
    draw = random.Random(i)
    return " ".join("".join(draw.choices(SYLLABLES, k=3)) for _ in range(8))


def upworthy(n_tests: int = 6, arms: int = 4) -> pl.DataFrame:
    rows = []
    for t in range(n_tests):
        split = ("train", "train", "train", "validation", "test", "test")[t % 6]
        for a in range(arms):
            shown = 2000 + 100 * a
            rows.append(
                {
                    "clickability_test_id": f"test{t}",
                    "story_id": 100 + t,
                    "test_week": 201434,
                    "eyecatcher_id": f"pic{t}",
                    "headline": sentence(t * arms + a),
                    "lede": f"<p>What the {WORDS[t % len(WORDS)]} saw &amp; heard</p>",
                    "impressions": shown,
                    "clicks": int(shown * 0.01 * (1 + t % 6) * (1 + 0.5 * a)),
                    "randomization_imbalance_risk": t == 2,
                    "split": split,
                }
            )
    return pl.DataFrame(rows)


def captions(contests: int = 3, each: int = 30) -> pl.DataFrame:
    rows = []
    for c in range(contests):
        for i in range(each):
            votes = 60 + 10 * i
            funny, fair = i * votes // (2 * each), votes // 4
            rows.append(
                {
                    "contest": 900 + c,
                    "caption": f"Cartoon {c}: {sentence(i + 100 * c)}",
                    "unfunny": votes - funny - fair,
                    "somewhat_funny": fair,
                    "funny": funny,
                    "votes": votes,
                    "split": ("train", "validation", "test")[c % 3],
                }
            )
    return pl.DataFrame(rows)


def facebook(pages: int = 3, each: int = 20) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "page": f"page{p}",
                "status_message": f"Post {p}: {sentence(500 + i + 50 * p)}",
                "link_name": f"Link {i}",
                "status_type": "photo",
                "status_published": "2016-03-22 08:00:00",
                "num_reactions": 10**p * (i + 1),
                "num_comments": i,
                "num_shares": 10**p * i,
                "split": ("train", "validation", "test")[p % 3],
            }
            for p in range(pages)
            for i in range(each)
        ]
    )


def reddit(communities: int = 3, each: int = 20) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "subreddit": f"sub{s}",
                "created_utc": 1325878398.0,
                "title": f"Title {s}: {sentence(900 + i + 50 * s)}",
                "domain": "example.org",
                "score": 7 * i,
                "num_comments": each - i,
                "split": ("train", "validation", "test")[s % 3],
            }
            for s in range(communities)
            for i in range(each)
        ]
    )


def oasis(n: int = 12) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "Theme": f"Thing {i}",
                "Category": "Object",
                "Valence_mean": 1.5 + 0.4 * i,
                "Valence_SD": 1.2,
                "Arousal_mean": 6.0 - 0.3 * i,
                "Arousal_SD": 1.5,
                "split": ("train", "train", "validation", "test")[i % 4],
            }
            for i in range(n)
        ]
    )


def clickbait(n: int = 12) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"headline": f"News: {sentence(2000 + i)}", "clickbait": i % 2, "split": ("train", "test")[i % 3 == 0]}
            for i in range(n)
        ]
    )


ADVERT = (
    'They watch a 22 second advertisement for Northfold. The title of the advertisement is "Boots that stay". '
    "The ad is shot in landscape orientation, at a low pace. The audio in the ad says Walk on . "
    "Following are the descriptions of each scene: "
    "Scene 1: The scene shows a boot on a rock. The foreground colors of the scene are Light_Blue,White, and the "
    "background colors are Black. The dominant tone of the scene is cool. The emotions shown in the scene are calm. "
    " This scene is categorized by the tags boot, rock. The text shown in the scene is 'NORTHFOLD', 'est. 1910' "
    "Scene 2: The scene shows two people on a path. The foreground colors of the scene are Green, and the background "
    "colors are Green,Brown. The dominant tone of the scene is warm. "
    "This scene is categorized by the tags path, walk. "
    "Return the long term memorability score of the video on a scale of 00 to 99 without any explanation. \n<image>\n"
)


def adverts(n: int = 4) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "question_id": 10 + i,
                "question": json.dumps({"video_name": "x", "question": ADVERT}),
                "memorability": 20 * i + 5,
                "split": "train" if i % 2 else "test",
            }
            for i in range(n)
        ]
    )


def video(i: int = 0, **changes: Any) -> dict[str, Any]:
    """A row in the form of the Content Behavior Corpus."""
    row: dict[str, Any] = {
        "video_id": f"vid{i}",
        "asr_raw": [{"start": 0.0, "end": 2.0, "text": "Hello there", "words": []}, {"text": "and goodbye"}],
        "asr_grouped": [["Hello", "there"], ["and goodbye"], []],
        "ocr": [["NEW"], [], ["SALE", "SALE"]],
        "blip2_annotations": {
            "actions": ["waving", "walking", "sitting"],
            "captions": [f"a {WORDS[i % 14]} by the sea", "two friends", "a red chair"],
            "objects": ["hand, sea", "friends", "chair"],
        },
        "replay_graphs": {
            "markers": [
                {"start": 0.0, "end": 2.0, "replay_score": 0.5},
                {"start": 2.0, "end": 4.0, "replay_score": 1.0},
                {"start": 4.0, "end": 6.0, "replay_score": 0.25},
            ]
        },
        "likes": 10.0 + 10 * i,
        "views": 1000.0,
        "metadata": {"title": f"Film {i}", "description": "A short film", "length": 6.0, "date": "2020-05-01"},
        "channel_data": {"channel_id": f"ch{i % 5}", "company_name": f"Brand {i % 5}", "subscribers": 5000.0},
    }
    return row | changes


def post(i: int = 0, **changes: Any) -> dict[str, Any]:
    """A row in the form of BLIFT."""
    row: dict[str, Any] = {
        "url": f"https://example.org/{i}.jpg",
        "permalink": f"/r/sub{i % 2}/{i}",
        "comments": ["Lovely", {"body": "Too bright"}, "", 7],
        "num_comments": 3 * i,
        "subreddit": f"sub{i % 2}",
        "title": f"Look at this {sentence(i)}",
    }
    return row | changes


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


def write_all(folder: Path) -> Path:
    """One file of every known source, with pictures, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "upworthy": upworthy(),
        "captions": captions(),
        "facebook": facebook(),
        "reddit": reddit(),
        "oasis": oasis(),
        "clickbait": clickbait(),
        "adverts": adverts(),
    }
    for name, frame in tables.items():
        frame.write_parquet(folder / f"{name}.parquet")
    write_jsonl(folder / "videos.jsonl", [video(i) for i in range(12)])
    write_jsonl(folder / "posts.jsonl", [post(i) for i in range(12)])
    pictures(folder / "oasis_images", [f"Thing {i}.jpg" for i in range(12)])
    pictures(folder / "caption_contest_images", [f"{900 + c}.jpg" for c in range(3)])
    return folder


def pictures(folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        Image.new("RGB", (8, 8), (i * 9 % 256, i * 5 % 256, 90 + len(folder.name))).save(folder / name)
    return folder
