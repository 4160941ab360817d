"""Posts that say the same: the better measured one stays, in any order, and no chain swallows a library."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import Library
from agents.library.duplicates import repeats
from lcbm_model.errors import SettingsError
from tests.agents.hashing_embedder import HashingEmbedder

LONG = "Every copper pan leaves our works only after a cook has fried one egg in it"


def frame(posts: list[tuple[str, float | None, float | None]], **columns: list[object]) -> pl.DataFrame:
    """Posts as (text, click rate, impressions)."""
    n = len(posts)
    return pl.DataFrame(
        {
            "text": [p[0] for p in posts],
            "channel": columns.get("channel", ["post"] * n),
            "audience": pl.Series(columns.get("audience", [None] * n), dtype=pl.String),
            "image": pl.Series(columns.get("image", [None] * n), dtype=pl.String),
            "date": pl.Series(columns.get("date", [None] * n), dtype=pl.Date),
            "exposure": pl.Series([p[2] for p in posts], dtype=pl.Float64),
            "value.click_rate": pl.Series([p[1] for p in posts], dtype=pl.Float64),
            "exposure.click_rate": pl.Series([p[2] for p in posts], dtype=pl.Float64),
        }
    )


def kept(posts: pl.DataFrame, dedupe: str) -> list[int]:
    gone = repeats(posts, "click_rate", dedupe)  # type: ignore[arg-type]
    assert all(row not in gone for row, _ in gone.values()), "a post falls only to one that stays"
    return [i for i in range(posts.height) if i not in gone]


def test_the_better_measured_stays() -> None:
    posts = frame([("a", 0.5, 10), ("b", 0.1, 5), ("a", 0.2, 900), ("a ", None, 5000), (" b", 0.1, 5)])
    assert kept(posts, "exact") == [1, 2, 3, 4], "texts come stripped; an inner space would count, and so does an outer"
    posts = frame([("a", 0.5, 10), ("b", 0.1, 5), ("a", 0.2, 900), ("a", None, 5000), ("b", 0.1, 5)])
    assert kept(posts, "exact") == [1, 2], "measured first, then by more people, then the first in the file"
    assert kept(posts, "no") == [0, 1, 2, 3, 4]
    days = [date(2024, 1, 1), date(2025, 1, 1)]
    assert kept(frame([("a", 0.1, 5), ("a", 0.1, 5)], date=days), "exact") == [1], "then the later one"


def test_another_channel_audience_or_picture_is_another_lesson() -> None:
    posts = [("same", 0.1, 10.0)] * 5
    told = frame(
        posts,
        channel=["post", "advert", "post", "post", "post"],
        audience=[None, None, "cooks", None, None],
        image=[None, None, None, "a.png", None],
    )
    assert kept(told, "exact") == kept(told, "near") == [0, 1, 2, 3]


def test_near_repeats_only_where_asked() -> None:
    posts = frame(
        [
            (LONG + ".", 0.1, 100),
            (LONG.upper() + "!", 0.1, 300),
            (LONG.replace("egg", "eggs"), 0.1, 200),
            ("Something else altogether, about soup", 0.1, 10),
            ("✨", 0.1, 10),
            ("🔥", 0.1, 10),
        ]
    )
    assert kept(posts, "exact") == [0, 1, 2, 3, 4, 5]
    assert kept(posts, "near") == [1, 3, 4, 5], "texts without a letter are not alike"
    likeness = repeats(posts, "click_rate", "near")[2][1]
    assert 90 <= likeness < 100


@settings(deadline=None, max_examples=30)  # a shared machine is slow now and then
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 3)), min_size=1, max_size=12), st.randoms())
def test_what_is_kept_does_not_depend_on_the_order(posts: list[tuple[str, int]], rng: object) -> None:
    def best(rows: list[tuple[str, int]]) -> set[tuple[str, int]]:
        told = frame([(text, 0.1, float(n)) for text, n in rows])
        return {rows[i] for i in kept(told, "exact")}

    mixed = sorted(posts, key=lambda _: rng.random())  # type: ignore[attr-defined]
    expected = {(text, max(n for t, n in posts if t == text)) for text, _ in posts}
    assert best(posts) == best(mixed) == expected


def test_a_library_says_how_many_and_which(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text(f'text,likes\n"{LONG}",1\nOther,2\n"{LONG}",3\n"{LONG}s",4\n', encoding="utf-8")
    library = Library.from_csv(path, dedupe="near", embedder=HashingEmbedder())
    assert [p.text for p in library.posts] == [LONG, "Other"]
    assert "2 posts repeat another's text, 1 of them nearly: the better measured one of each is kept" in library.notes
    assert [(r.row, r.problem) for r in library.rejected] == [
        (3, "repeats the text of row 1, which is kept: it is measured as well or better"),
        (4, "is nearly (99 %) the text of row 1, which is kept: it is measured as well or better"),
    ]
    assert len(Library.from_csv(path, dedupe="no", embedder=HashingEmbedder())) == 4
    with pytest.raises(SettingsError, match="Use one of: no, exact, near"):
        Library.from_csv(path, dedupe="some", embedder=HashingEmbedder())  # type: ignore[arg-type]
