"""Outcomes as posts of the team's library: the next brief finds what the last one reached."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcbm_model.errors import InputError, LibraryError
from lcbm_model.metrics import get_metric
from optimizer.outcomes.record import Outcome

if TYPE_CHECKING:
    from agents.embedder import Embedder
    from agents.library import Change


def teach_library(
    folder: str | Path, outcomes: Sequence[Outcome], *, embedder: Embedder | str | Path | None = None
) -> Change:
    """Add outcomes to a built library; what is there already gets its newer figures.

    Raises:
        LibraryError: No outcomes, none that can be a post, no library, or one that cannot be changed.
    """
    from agents.library import add_posts

    if not outcomes:
        raise LibraryError("outcomes", "there are none to add", remedy="Note what came of a published text first")
    with tempfile.TemporaryDirectory(prefix="lcbm-outcomes-") as scratch:
        file = Path(scratch) / "outcomes.jsonl"
        write_posts(file, outcomes, known=_taught(Path(folder)))
        try:
            return add_posts(folder, file, source="plain", embedder=embedder)
        except InputError as error:
            if str(file) not in error.where:
                raise
            # Nobody could look into our own scratch file: it is gone by the time the error is read.
            remedy = "Note it anew with the right figures and day (`lcbm outcomes list` shows what is noted)"
            raise LibraryError("outcomes", error.problem, value=error.value, remedy=remedy) from error


def _taught(folder: Path) -> dict[tuple[str, str], str]:
    """Ids of a library's posts by channel and text: what was taught before is found again, whatever it is called."""
    import polars as pl

    from agents.library.storage import read_manifest

    posts = folder / read_manifest(folder).files["posts"].name
    frame = pl.read_parquet(posts, columns=["id", "channel", "text"], glob=False)
    return {(channel, text): id_ for id_, channel, text in frame.iter_rows()}


def write_posts(file: Path, outcomes: Sequence[Outcome], *, known: Mapping[tuple[str, str], str] | None = None) -> Path:
    """Outcomes as a table of posts in our own columns (JSONL), one line a published text.

    Args:
        known: Ids of texts that have one already, by channel and text.

    Raises:
        OSError: The file cannot be written.
    """
    texts: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda o: o.noted_at):
        texts.setdefault((outcome.channel, outcome.text), []).append(outcome)
    rows = []
    for place, own in texts.items():
        row: dict[str, Any] = {"id": (known or {}).get(place) or _name(own)}
        for outcome in own:
            row |= {**_row(outcome), **_figures(outcome)}
        rows.append(row)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def _name(outcomes: Sequence[Outcome]) -> str:
    """What a published text is known by, whichever outcome was noted first: the run that wrote it, if one did."""
    written = sorted(f"{o.run_id}-{o.candidate_id}" for o in outcomes if o.run_id)
    first = outcomes[0]
    return written[0] if written else "o-" + hashlib.sha256(f"{first.channel}\0{first.text}".encode()).hexdigest()[:16]


def _row(outcome: Outcome) -> dict[str, Any]:
    row = {"text": outcome.text, "channel": outcome.channel}
    return row | ({"date": outcome.published.isoformat()} if outcome.published else {})


def _figures(outcome: Outcome) -> dict[str, Any]:
    metric = get_metric(outcome.metric)
    figures: dict[str, Any] = {metric.name: repr(outcome.value)}
    if outcome.exposure is not None and metric.exposure_column:
        figures[metric.exposure_column] = f"{outcome.exposure:.0f}"
    return figures
