"""What a built corpus holds: counts, ranges, missing values, exposure quantiles, and plots of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lcbm_model.corpus.store import SourceEntry, read_manifest

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def describe(folder: Path) -> dict[str, Any]:
    """Figures of every source of a built corpus, ready for JSON.

    Raises:
        TableError: No corpus there.
    """
    manifest = read_manifest(folder)
    return {
        "records": manifest.records,
        "sources": {Path(s.file).stem: _source(folder / s.file, s) for s in manifest.sources},
    }


def _source(path: Path, entry: SourceEntry) -> dict[str, Any]:
    rows = pl.scan_parquet(path)
    content = pl.col("content").struct
    length = content.field("text").str.len_chars()
    absent = {n: content.field(n).is_null() for n in ("title", "topic", "format", "communicator", "audience", "date")}
    absent |= {n: content.field(n).list.len() == 0 for n in ("media", "scenes")}
    facts = rows.select(
        groups=pl.col("group").n_unique(),
        contexts=pl.col("context").n_unique(),
        comparisons=pl.col("arms").n_unique() - pl.col("arms").is_null().any(),
        without_words=(length == 0).mean(),
        missing=pl.struct(*(there.mean().alias(n) for n, there in absent.items())),
        weight_mean=pl.col("weight").mean(),
    ).collect()
    found = facts.row(0, named=True)
    return {
        "records": entry.records,
        "splits": entry.splits,
        "licence": entry.licence,
        "groups": found["groups"],
        "contexts": found["contexts"],
        "comparisons": found["comparisons"],
        "missing": {"words": found["without_words"], **found["missing"]},
        "mean_reliability": found["weight_mean"],
        "text_characters": _quantiles(rows.select(length.alias("v")).collect()["v"]),
        "metrics": _metrics(rows, entry.records),
        "problems": entry.problems,
        "leaks_dropped": entry.leaks_dropped,
    }


def _metrics(rows: pl.LazyFrame, records: int) -> dict[str, Any]:
    seen = observations(rows)
    return {
        name: {
            "records": part["id"].n_unique(),
            "missing": 1 - part["id"].n_unique() / records,
            "value": _quantiles(part["value"]),
            "exposure": _quantiles(part["exposure"]),
            "without_percentile": part["percentile"].null_count(),
        }
        for (name,), part in seen.group_by("metric", maintain_order=True)
    }


def observations(rows: pl.LazyFrame) -> pl.DataFrame:
    """One row an observation: `id`, `split`, `metric`, `value`, `count`, `exposure`, `percentile`."""
    listed = rows.select("id", "split", "observations").filter(pl.col("observations").list.len() > 0)
    return listed.explode("observations").unnest("observations").collect()


def _quantiles(values: pl.Series) -> dict[str, float] | None:
    """Quantiles by name ("p0" is the smallest, "p100" the largest); None where there are no values."""
    known = values.drop_nulls()
    if known.is_empty():
        return None
    return {f"p{100 * q:.0f}": float(known.quantile(q, "linear") or 0.0) for q in QUANTILES}


def plot(folder: Path, out: Path) -> list[Path]:
    """Draw values and exposures of every metric of every source as PNG files; returns their paths.

    Raises:
        TableError: No corpus there.
    """
    drawn = []
    out.mkdir(parents=True, exist_ok=True)
    for entry in read_manifest(folder).sources:
        seen = observations(pl.scan_parquet(folder / entry.file))
        if not seen.is_empty():
            path = out / f"{Path(entry.file).stem}.png"
            _draw(seen, f"{Path(entry.file).stem}: {entry.records:,} records", path)
            drawn.append(path)
    return drawn


def _draw(seen: pl.DataFrame, title: str, path: Path) -> None:
    """One line of panels a metric: its values and, where known, its exposures."""
    from matplotlib.figure import Figure

    metrics = seen["metric"].unique(maintain_order=True).to_list()
    figure = Figure(figsize=(8, 2.6 * len(metrics)), layout="constrained")
    panels = figure.subplots(len(metrics), 2, squeeze=False)
    for metric, (left, right) in zip(metrics, panels, strict=True):
        part = seen.filter(pl.col("metric") == metric)
        _histogram(left, part["value"], metric)
        _histogram(right, part["exposure"], f"exposure behind {metric}")
    figure.suptitle(title)
    figure.savefig(path, dpi=100, metadata={"Software": None})


def _histogram(axes: Any, values: pl.Series, name: str) -> None:
    known = values.drop_nulls().to_numpy()
    axes.set_xlabel(name)
    axes.set_ylabel("records")
    if known.size == 0:
        axes.text(0.5, 0.5, "not known", ha="center", va="center", transform=axes.transAxes)
        return
    bins: Any = 40
    if known.max() > 100 and known.max() > 10 * known.mean():
        # Counts span orders of magnitude: a logarithmic axis shows them, with zero kept by the symmetric form.
        axes.set_xscale("symlog")
        bins = np.concatenate([[0.0], np.geomspace(1.0, known.max(), 40)])
    axes.hist(known, bins=bins, color="#35618f")
