"""`lcbm library search` and `evidence` as people and scripts call them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import agents.library.library
import agents.library.pictures
import optimizer.parts
from agents.library.pictures import PictureEncoder
from lcbm_model.vision.images import open_picture
from optimizer.cli import run
from tests.agents.hashing_embedder import HashingEmbedder
from tests.fakes import FakeSimulator

ROWS = [
    ("a", "soup of red lentils", 90, "red.png"),
    ("b", "soup of red lentils again", 80, "red.png"),
    ("c", "soup with noodles", 70, "blue.png"),
    ("d", "soup with old bread", 12, ""),
    ("e", "soup from yesterday", 10, ""),
    ("f", "soup nobody wanted", 5, ""),
    ("g", "wooden spoons", 40, ""),
    ("h", "linen towels", 45, ""),
]


def colour(paths: Sequence[Path]) -> np.ndarray:
    """A fake tower: the mean colour of a picture."""
    return np.stack([np.asarray(open_picture(p), dtype=np.float32).mean(axis=(0, 1)) - 100 for p in paths])


@pytest.fixture
def posts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(agents.library.library, "load_embedder", lambda _=None: HashingEmbedder())
    monkeypatch.setattr(agents.library.pictures, "packaged_encoder", lambda: PictureEncoder("colour", colour))
    monkeypatch.setenv("LCBM_CACHE", str(tmp_path / "cache"))
    lines = ["id,text,likes,image", *(",".join(map(str, row)) for row in ROWS)]
    (tmp_path / "posts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name, rgb in (("red", (220, 20, 20)), ("blue", (20, 20, 220))):
        Image.new("RGB", (64, 64), rgb).save(tmp_path / f"{name}.png")
    return tmp_path / "posts.csv"


def lcbm(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Any:
    code = run(["library", *map(str, arguments), "--json"])
    out, err = capsys.readouterr()
    assert code == 0, err
    return json.loads(out)


def test_contrast_shows_both_sides(posts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = lcbm(capsys, "search", posts, "soup", "-k", "2", "--contrast", "--metric", "likes")
    assert set(found) == {"well", "badly"}
    assert {hit["id"] for hit in found["well"]} <= {"a", "b"}
    assert {hit["id"] for hit in found["badly"]} <= {"e", "f"}
    assert found["well"]
    assert found["badly"]
    assert run(["library", "search", str(posts), "soup", "--contrast", "--metric", "likes"]) == 0
    shown = capsys.readouterr().out
    assert shown.index("did well") < shown.index("did badly")


def test_diversity_passes_by_the_twin(posts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    query = ("search", posts, "soup of red lentils", "-k", "2", "--metric", "likes")
    assert [hit["id"] for hit in lcbm(capsys, *query)] == ["a", "b"]
    diverse = [hit["id"] for hit in lcbm(capsys, *query, "--diversity", "0.8")]
    assert diverse[0] == "a"
    assert diverse[1] != "b"


def test_a_picture_finds_posts_with_pictures_like_it(posts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    red = posts.parent / "red.png"
    hits = lcbm(capsys, "search", posts, "--image", red, "-k", "3", "--metric", "likes")
    assert [hit["id"] for hit in hits] == ["a", "b", "c"]
    assert hits[0]["picture_similarity"] == pytest.approx(1, abs=1e-4)
    assert hits[2]["picture_similarity"] < 0.999
    both = lcbm(capsys, "search", posts, "soup with noodles", "--image", red, "-k", "3", "--metric", "likes")
    assert {hit["id"] for hit in both} == {"a", "b", "c"}
    assert run(["library", "search", str(posts), "--image", str(red), "--metric", "likes"]) == 0
    assert "picture" in capsys.readouterr().out


def test_evidence_says_where_posts_like_it_landed(posts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = ("soup of red lentils", "soup nobody wanted")
    good, bad = lcbm(capsys, "evidence", posts, *texts, "-k", "3", "--metric", "likes")
    assert good["estimate"] > 50 > bad["estimate"]
    assert good["low"] <= good["estimate"] <= good["high"]
    assert good["n"] == 3
    assert good["sentence"].startswith("The 3 most similar past posts landed at ")
    assert good["text"] == texts[0]
    assert run(["library", "evidence", str(posts), texts[0], "--metric", "likes"]) == 0
    assert "rests on them" in capsys.readouterr().out


def test_scores_move_towards_where_posts_like_these_landed(
    posts: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimizer.parts, "resolve_simulator", lambda _: FakeSimulator(lambda _: 50.0))
    drafts = posts.parent / "drafts.csv"
    drafts.write_text("text\nsoup of red lentils\nsoup nobody wanted\n", encoding="utf-8")
    scored = ["score", str(drafts), "--metric", "likes", "--json"]
    assert run(scored) == 0
    alone = [row["expected"] for row in json.loads(capsys.readouterr().out)]
    assert run([*scored, "--library", str(posts)]) == 0
    good, bad = (row["expected"] for row in json.loads(capsys.readouterr().out))
    assert alone[0] == alone[1]
    assert good > alone[0] > bad
    assert run([*scored, "--library", str(posts.parent / "no.csv")]) == 2
    assert "no.csv" in capsys.readouterr().err


def test_a_search_that_finds_nothing_says_why(posts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def told(*arguments: str | Path) -> str:
        asked = ["library", "search", *map(str, arguments), "--metric", "likes"]
        assert run(asked) == 0
        said = capsys.readouterr().err
        assert run([*asked, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) in ([], {"well": [], "badly": []})
        return said

    unknown = "no post in channel 'nowhere'; channels here: post"
    assert unknown in told(posts, "soup", "--channel", "nowhere")
    assert unknown in told(posts, "soup", "--channel", "nowhere", "--contrast")
    assert "no post of the kind 'poll'; kinds here: none" in told(posts, "soup", "--format", "poll")
    kinds = posts.parent / "kinds.csv"
    kinds.write_text("text,likes,format\nsoup,3,Photos\ntowels,4,Reels\n", encoding="utf-8")
    assert "kinds here: photo, video" in told(kinds, "soup", "--format", "poll")
    (hit,) = lcbm(capsys, "search", kinds, "soup", "--format", "Reel", "--metric", "likes")
    assert hit["text"] == "towels"
    plain_posts = posts.parent / "plain.csv"
    plain_posts.write_text("text,likes\nsoup,3\ntowels,4\n", encoding="utf-8")
    red = posts.parent / "red.png"
    assert "no post of this library has a picture" in told(plain_posts, "--image", red)
    assert "nothing found" in told(plain_posts, "soup", "--min-percentile", "100")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["search"], "query: is empty"),
        (["search", "soup", "--contrast", "--diversity", "0.5"], "--contrast"),
        (["search", "--image", "no.png"], "no.png"),
        (["evidence", " "], "is empty"),
    ],
)
def test_bad_input_is_one_line(
    posts: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["library", arguments[0], str(posts), *arguments[1:], "--metric", "likes", "--json"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert told in json.loads(said.err)["error"]
