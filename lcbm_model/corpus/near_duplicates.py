"""Near-duplicate texts found fast: MinHash bands for candidates, rapidfuzz for the verdict.

MinHash over words with 20 bands of 5 hashes finds pairs that share 80 % of their words with probability 0.9996 and
70 % with 0.975, while pairs that share 10 % are looked at once in 5,000. Every candidate is then compared letter by
letter, so there are no false alarms. Deterministic: the hash constants come from a fixed seed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

BANDS, ROWS = 20, 5
LIKENESS = 90.0
"""rapidfuzz `ratio` from which two normalised texts are near-duplicates: one edited letter in ten."""
CHUNK = 1_000_000

UInts = npt.NDArray[np.uint64]


def normalize(texts: pl.Series) -> pl.Series:
    """Lower case, letters and digits only, single spaces: what is equal then says the same."""
    return (
        texts.fill_null("")
        .str.normalize("NFKC")
        .str.to_lowercase()
        .str.replace_all(r"['’]", "")
        .str.replace_all(r"[^\p{L}\p{N}]+", " ")
        .str.strip_chars()
    )


def near_pairs(texts: pl.Series, held_out: npt.NDArray[np.bool_]) -> pl.DataFrame:
    """Pairs of distinct texts that are near-duplicates, at least one of them held out.

    Args:
        texts: (N,) normalised, distinct, none empty.
        held_out: (N,) which of them stand in a split other than train.

    Returns:
        Columns `left` < `right` (indices 0..N-1) and `likeness` (90..100).
    """
    from rapidfuzz import fuzz, process

    candidates = _candidates(_signatures(texts), held_out)
    found = []
    for part in candidates.iter_slices(CHUNK):
        left, right = (texts.gather(part[side]).to_list() for side in ("left", "right"))
        likeness = process.cpdist(left, right, scorer=fuzz.ratio, score_cutoff=LIKENESS, workers=1)
        found.append(
            part.with_columns(pl.Series("likeness", likeness.astype(np.float64))).filter(pl.col("likeness") > 0)
        )
    return pl.concat(found) if found else candidates.with_columns(likeness=pl.lit(0.0))


def _signatures(texts: pl.Series) -> UInts:
    """(N, BANDS) one hash a band of MinHashes over each text's words."""
    words = pl.DataFrame({"word": texts.str.split(" ")}).with_row_index("row").explode("word")
    hashes = words["word"].hash(seed=17).to_numpy()  # (T,)
    # Rows come in order, so each text is one stretch of `hashes`.
    counts = texts.str.count_matches(" ").to_numpy().astype(np.int64) + 1
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    draw = np.random.default_rng(17)
    multipliers = draw.integers(1, 2**63, size=(BANDS, ROWS), dtype=np.uint64) | np.uint64(1)
    bands = np.empty((len(texts), BANDS), dtype=np.uint64)
    for band in range(BANDS):
        mixed = np.zeros(len(texts), dtype=np.uint64)
        for row in range(ROWS):
            product = hashes * multipliers[band, row]
            smallest = np.minimum.reduceat(product ^ (product >> np.uint64(29)), starts)
            mixed = (mixed ^ smallest) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(32)
        bands[:, band] = mixed
    return bands


def _candidates(bands: UInts, held_out: npt.NDArray[np.bool_]) -> pl.DataFrame:
    """Pairs (left < right) that share a band, at least one of them held out."""
    rows = pl.Series("row", np.arange(len(bands), dtype=np.uint32))
    kept = pl.DataFrame(schema={"left": pl.UInt32, "right": pl.UInt32})
    for band in range(BANDS):
        everyone = pl.DataFrame({"key": bands[:, band], "row": rows, "held": held_out})
        pairs = (
            everyone.filter("held")
            .join(everyone, on="key")
            .filter(
                (pl.col("row") != pl.col("row_right")) & (~pl.col("held_right") | (pl.col("row") < pl.col("row_right")))
            )
            .select(left=pl.min_horizontal("row", "row_right"), right=pl.max_horizontal("row", "row_right"))
        )
        kept = pl.concat([kept, pairs]).unique()
    return kept.sort("left", "right")
