"""Invented rows with a planted rule, shared by the bench's tests: texts with 'bright' do better."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

SPLITS = ("train", "validation", "test")
_WORDS = ("lamp", "river", "piano", "garden", "ladder", "window", "pepper", "harbour")


def text(rng: np.random.Generator, bright: bool) -> str:
    words = [str(w) for w in rng.choice(_WORDS, 4)] + (["bright"] if bright else ["dull"])
    return " ".join(str(w) for w in rng.permutation(words)) + f" {rng.integers(1_000_000)}"


class BagEmbedder:
    """A vector of word counts: enough for a linear model to find the planted word."""

    name, hash, dimension = "bag", "0" * 64, 12

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vocabulary = (*_WORDS, "bright", "dull")
        counts = np.array([[t.split().count(w) for w in vocabulary] + [0.1, 0.1] for t in texts], dtype=np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def _split_of(i: int, n: int) -> str:
    return "train" if i < n * 0.6 else "validation" if i < n * 0.7 else "test"


def upworthy(folder: Path, *, tests: int = 60, effect: float = 0.03) -> Path:
    rng, rows = np.random.default_rng(0), []
    for test in range(tests):
        for arm in range(4):
            bright = arm % 2 == 0
            shown = 3000
            rows.append(
                {
                    "clickability_test_id": f"t{test}",
                    "story_id": test // 2,
                    "test_week": 201410,
                    "eyecatcher_id": f"e{test}",
                    "headline": text(rng, bright),
                    "lede": "",
                    "excerpt": "",
                    "impressions": shown,
                    "clicks": int(rng.binomial(shown, 0.02 + effect * bright)),
                    "randomization_imbalance_risk": False,
                    "split": _split_of(test // 2, tests // 2),
                }
            )
    return _write(rows, folder / "upworthy.parquet")


def caption_contest(folder: Path, *, contests: int = 10, captions: int = 30) -> Path:
    rng, rows = np.random.default_rng(1), []
    for contest in range(contests):
        for i in range(captions):
            p = (0.2, 0.3, 0.5) if i % 2 else (0.6, 0.3, 0.1)
            unfunny, somewhat, funny = (int(v) for v in rng.multinomial(400, p))
            rows.append(
                {
                    "contest": contest,
                    "caption": text(rng, bool(i % 2)),
                    "unfunny": unfunny,
                    "somewhat_funny": somewhat,
                    "funny": funny,
                    "votes": 400,
                    "mean_rating": (unfunny + 2 * somewhat + 3 * funny) / 400,
                    "split": _split_of(contest, contests),
                }
            )
    return _write(rows, folder / "caption_contest.parquet")


def facebook(folder: Path, *, pages: int = 10, posts: int = 30, titled: bool = False) -> Path:
    rng, rows = np.random.default_rng(2), []
    for page in range(pages):
        for i in range(posts):
            level = (1 + page) * 100 * (4 if i % 2 else 1)
            rows.append(
                {
                    "page": f"page{page}",
                    "status_type": "link",
                    "status_published": "2016-06-08 17:10:06",
                    "status_message": text(rng, bool(i % 2)),
                    "link_name": text(rng, bool(i % 3)) if titled else "",
                    "num_reactions": int(rng.poisson(level)),
                    "num_comments": 3,
                    "num_shares": int(rng.poisson(level / 10)),
                    "split": _split_of(page, pages),
                }
            )
    return _write(rows, folder / "facebook_posts.parquet")


def reddit(folder: Path, *, communities: int = 10, posts: int = 30) -> Path:
    rng, rows = np.random.default_rng(3), []
    for community in range(communities):
        for i in range(posts):
            rows.append(
                {
                    "subreddit": f"sub{community}",
                    "created_utc": 1366997572.0,
                    "title": text(rng, bool(i % 2)),
                    "domain": "example.org",
                    "is_self": False,
                    "score": int(rng.poisson(200 if i % 2 else 20)),
                    "num_comments": 3,
                    "split": _split_of(community, communities),
                }
            )
    return _write(rows, folder / "reddit_titles.parquet")


def oasis(folder: Path, *, n: int = 40) -> tuple[Path, Path]:
    rng, rows, images = np.random.default_rng(4), [], folder / "oasis_images"
    images.mkdir()
    for i in range(n):
        light = int(rng.integers(0, 255))
        Image.new("RGB", (32, 32), (light, light, light)).save(images / f"Plate {i}.jpg")
        rows.append(
            {
                "Theme": f"Plate {i}",
                "Category": "Object",
                "Valence_mean": 1 + 6 * light / 255,
                "Valence_SD": 1.0,
                "Arousal_mean": 7 - 6 * light / 255,
                "Arousal_SD": 1.0,
                "split": _split_of(i, n),
            }
        )
    return _write(rows, folder / "oasis_affect.parquet"), images


def lambda_(folder: Path, *, n: int = 40) -> Path:
    rng, rows = np.random.default_rng(5), []
    for i in range(n):
        told = (
            f'They watch a 30 second advertisement for Brand{i}. The title of the advertisement is "Title {i}". '
            f"The audio in the ad says {text(rng, bool(i % 2))} . Following are the descriptions of each scene: "
            f"Scene 1: The scene shows {text(rng, bool(i % 2))}. "
        )
        rows.append(
            {
                "question_id": i,
                "question": json.dumps({"video_name": f"{i}.npy", "question": told}),
                "memorability": int(rng.integers(0, 30) + 60 * (i % 2)),
                "split": _split_of(i, n),
            }
        )
    return _write(rows, folder / "lambda_memorability.parquet")


def _write(rows: list[dict[str, object]], path: Path) -> Path:
    pl.DataFrame(rows).write_parquet(path)
    return path
