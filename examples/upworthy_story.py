"""The main job on real input: a held-out Upworthy story, with the archive's training headlines as the library.

    python examples/upworthy_story.py --data ../shared/data
    python examples/upworthy_story.py --data ../shared/data --posts 300 --rounds 1 --candidates 4   # small and quick

FOLDER holds `upworthy.parquet` (see docs/corpus.md). Nobody measured the new headlines: what is printed is a model's
opinion, beside what the archive measured for the story's own headlines.
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

CHANNEL, METRIC = "headline", "click_rate"


def read_arms(folder: Path) -> pl.DataFrame:
    """Every arm of the archive, with its click rate.

    Raises:
        InputError: The file is not there.
    """
    import polars as pl

    path = folder / "upworthy.parquet"
    if not path.exists():
        raise InputError(str(path), "no such file", remedy="Pass its folder by --data or LCBM_DATA")
    return pl.read_parquet(path).filter(pl.col("headline").str.strip_chars() != "")


def library_of(arms: pl.DataFrame, posts: int, seed: int) -> Library:
    """Training headlines with their clicks and impressions, one row for each headline."""
    import polars as pl

    from agents.library import Library

    rows = (
        arms.filter(pl.col("split") == "train")
        .group_by("headline", maintain_order=True)
        .agg(pl.col("clicks").sum(), pl.col("impressions").sum())
        .rename({"headline": "text"})
        .with_columns(channel=pl.lit(CHANNEL))
    )
    if posts and posts < rows.height:
        rows = rows.sample(posts, seed=seed)
    return Library.from_frame(rows, metric=METRIC, name="upworthy.parquet")


def held_out_test(arms: pl.DataFrame, number: int) -> pl.DataFrame:
    """The arms of one held-out test that compared headlines under one picture, lowest click rate first.

    Tests whose randomisation the archive's authors doubt are left out.
    """
    import polars as pl

    together = ["clickability_test_id", "eyecatcher_id"]
    tests = (
        arms.filter((pl.col("split") == "test") & ~pl.col("randomization_imbalance_risk"))
        .group_by(together)
        .agg(pl.col("headline").n_unique().alias("headlines"), pl.col("impressions").sum())
        .filter(pl.col("headlines") >= 3)
        .sort("impressions", *together, descending=[True, False, False])
    )
    if not 0 <= number < tests.height:
        raise InputError("--story", "no such story", value=number, remedy=f"Use 0 to {tests.height - 1}")
    chosen = tests[number].select(together)
    rate = (pl.col("clicks") / pl.col("impressions")).alias("rate")
    return arms.join(chosen, on=together).with_columns(rate).sort("rate", "headline")


def brief_of(story: pl.DataFrame, rounds: int, candidates: int) -> Brief:
    """The job: beat the story's weakest measured headline, say what its lede says."""
    from optimizer import Brief, Budget

    weakest = story.row(0, named=True)
    message = next((t for t in (weakest["lede"], weakest["excerpt"]) if t and t.strip()), weakest["headline"])
    return Brief(
        name="upworthy-story",
        message=message[:4000],
        draft=weakest["headline"],
        metric=METRIC,
        channel=CHANNEL,
        max_length=140,
        budget=Budget(rounds=rounds, candidates=candidates),
    )


def main(arguments: list[str] | None = None) -> OptimizationResult:
    """Run the loop on one story and print what was measured beside what is predicted."""
    from optimizer import optimize

    given = parse(arguments)
    arms = read_arms(given.data)
    story = held_out_test(arms, given.story)
    library = library_of(arms, given.posts, given.seed)
    brief = brief_of(story, given.rounds, given.candidates)
    result = optimize(brief, library=library, simulator=given.model, judge=given.judge, seed=given.seed)
    print("Measured in the archive, lowest first:")
    for row in story.iter_rows(named=True):
        print(f"  {row['rate']:.2%} of {row['impressions']:>6,}  {row['headline']}")
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
    parser.add_argument("--story", type=int, default=0, help="which held-out story, the most shown first")
    parser.add_argument("--posts", type=int, default=0, help="library size; 0: every training headline")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--candidates", type=int, default=8)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--judge", default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/upworthy"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    try:
        main()
    except LcbmError as error:
        raise SystemExit(f"error: {error}") from None
