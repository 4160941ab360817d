"""The main job on real input: a cartoon of the caption contest with its picture; other contests are the library.

    python examples/caption_cartoon.py --data ../shared/data
    python examples/caption_cartoon.py --data ../shared/data --posts 300 --rounds 1 --candidates 4   # small and quick

FOLDER holds `caption_contest.parquet` and `caption_contest_images/<contest>.jpg` (see docs/corpus.md). Nobody rated the
new captions: what is printed is a model's opinion, beside what readers gave the contest's own captions.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from lcbm_model.errors import InputError, LcbmError

if TYPE_CHECKING:
    import polars as pl

    from agents.library import Library
    from optimizer import Brief, OptimizationResult

CHANNEL, METRIC = "caption", "funniness"
MIN_VOTES = 50
"""Captions with fewer votes are left out: their mean rating says little."""


def read_captions(folder: Path) -> pl.DataFrame:
    """Every caption with enough votes, as a library's columns.

    Raises:
        InputError: The file is not there.
    """
    import polars as pl

    path = folder / "caption_contest.parquet"
    if not path.exists():
        raise InputError(str(path), "no such file", remedy="Pass its folder by --data or LCBM_DATA")
    return (
        pl.read_parquet(path)
        .with_columns(text=pl.col("caption").str.strip_chars())
        .filter((pl.col("votes") >= MIN_VOTES) & (pl.col("text") != ""))
        .rename({"mean_rating": METRIC})
    )


def library_of(captions: pl.DataFrame, posts: int, seed: int) -> Library:
    """Captions of the training contests with their mean ratings."""
    import polars as pl

    from agents.library import Library

    rows = (
        captions.filter(pl.col("split") == "train")
        .unique("text", keep="first", maintain_order=True)
        .select("text", METRIC, "votes", channel=pl.lit(CHANNEL))
    )
    if posts and posts < rows.height:
        rows = rows.sample(posts, seed=seed)
    return Library.from_frame(rows, metric=METRIC, name="caption_contest.parquet")


def held_out_contest(captions: pl.DataFrame, folder: Path, number: int) -> tuple[pl.DataFrame, Path]:
    """One held-out contest's captions, lowest rating first, and its cartoon."""
    import polars as pl

    contests = captions.filter(pl.col("split") == "test")["contest"].unique().sort().to_list()
    pictures = {c: folder / "caption_contest_images" / f"{c}.jpg" for c in contests}
    shown = [c for c in contests if pictures[c].exists()]
    if not 0 <= number < len(shown):
        raise InputError("--contest", "no such contest", value=number, remedy=f"Use 0 to {len(shown) - 1}")
    contest = shown[number]
    return captions.filter(pl.col("contest") == contest).sort(METRIC, "text"), pictures[contest]


def brief_of(contest: pl.DataFrame, cartoon: Path, rounds: int, candidates: int) -> Brief:
    """The job: beat the caption in the middle of the contest's ratings."""
    from optimizer import Brief, Budget

    return Brief(
        name="caption-contest",
        message="A funny caption for this cartoon",
        draft=contest["text"][contest.height // 2],
        metric=METRIC,
        channel=CHANNEL,
        picture=cartoon,
        audience="readers of a weekly magazine",
        max_length=160,
        budget=Budget(rounds=rounds, candidates=candidates),
    )


def main(arguments: list[str] | None = None) -> OptimizationResult:
    """Run the loop on one cartoon and print what readers said beside what is predicted."""
    from optimizer import optimize

    given = parse(arguments)
    captions = read_captions(given.data)
    contest, cartoon = held_out_contest(captions, given.data, given.contest)
    library = library_of(captions, given.posts, given.seed)
    brief = brief_of(contest, cartoon, given.rounds, given.candidates)
    result = optimize(brief, library=library, simulator=given.model, judge=given.judge, seed=given.seed)
    print("Readers' mean ratings (1 to 3): lowest, middle, highest")
    for row in (contest.row(i, named=True) for i in (0, contest.height // 2, contest.height - 1)):
        print(f"  {row[METRIC]:.2f} of {row['votes']:>6,} votes  {row['text']}")
    print(f"Predicted by {result.simulator.label}, best first:")
    for candidate in result.ranked:
        print(f"  {candidate.score:5.1f}  {candidate.id:9} {candidate.text}")
    for warning in result.warnings:
        print(f"Note: {warning}")
    print(f"Report: {result.save(given.out / 'report.html')}")
    return result


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("LCBM_DATA", "../shared/data")
    parser.add_argument("--data", type=Path, default=Path(default), metavar="FOLDER", help=f"default: {default}")
    parser.add_argument("--contest", type=int, default=0, help="which held-out contest, by its number's order")
    parser.add_argument("--posts", type=int, default=3000, help="library size; 0: every training caption")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--candidates", type=int, default=8)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--judge", default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/caption"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    try:
        main()
    except LcbmError as error:
        raise SystemExit(f"error: {error}") from None
