"""`lcbm library search | evidence`: near past posts, and what they say of a new one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optimizer.cli.output import Json, err, only_results_on_stdout, out, plain, print_json, progress

if TYPE_CHECKING:
    from agents.library import Library
    from agents.library.records import Hit

Opened = Annotated[Path, typer.Argument(metavar="DIR", help="A built library, or a table of posts.")]
Metric = Annotated[str | None, typer.Option("--metric", help="Whose results to show; the main one.")]
Channel = Annotated[str | None, typer.Option("--channel", help="Only this channel.")]
Kind = Annotated[str | None, typer.Option("--format", help="Only this kind of post: photo, link, video, status, ...")]


def search(
    library_dir: Opened,
    query: Annotated[str, typer.Argument(help="What the posts should be about; not needed with --image.")] = "",
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many.")] = 5,
    min_percentile: Annotated[
        float | None, typer.Option("--min-percentile", min=0, max=100, help="Only posts ranked at least this high.")
    ] = None,
    metric: Metric = None,
    channel: Channel = None,
    format_: Kind = None,
    image: Annotated[
        Path | None, typer.Option("--image", help="A picture: posts with pictures like it; with words, both count.")
    ] = None,
    diversity: Annotated[
        float, typer.Option("--diversity", min=0, max=1, help="Above 0: posts unlike each other, not ten of a kind.")
    ] = 0.0,
    contrast: Annotated[
        bool, typer.Option("--contrast", help="Both sides: near posts that did well, and near posts that did badly.")
    ] = False,
    as_json: Json = False,
) -> None:
    """The nearest past posts and how they did."""
    from lcbm_model.errors import SettingsError
    from optimizer.parts import open_library

    if contrast and (image is not None or diversity or min_percentile is not None):
        raise SettingsError(
            "--contrast",
            "goes by words alone and chooses its percentiles itself",
            remedy="Leave out --image, --diversity and --min-percentile",
        )
    with progress("Searching"), only_results_on_stdout():
        library = open_library(library_dir, metric)
        filters = {"format": format_} if format_ is not None else None
        if contrast:
            sides = library.contrast(query, k, metric=metric, channel=channel, filters=filters)
            found = {"well": sides.well, "badly": sides.badly}
        else:
            nearest = library.search(
                query,
                k,
                metric=metric,
                min_percentile=min_percentile,
                channel=channel,
                filters=filters,
                image=image,
                diversity=diversity,
            )
            found = {"": tuple(nearest)}
    if as_json:
        rows = {side: [_row(hit) for hit in hits] for side, hits in found.items()}
        print_json(rows if contrast else rows[""])
        return
    if any(found.values()):
        for side, hits in found.items():
            _show(hits, metric or library.metric, f"did {side}" if side else "")
    else:
        err().print(_why_nothing(library, channel, format_, image if not query.strip() else None), soft_wrap=True)
    _tell_failed_pictures(library, image)


def evidence(
    library_dir: Opened,
    texts: Annotated[list[str], typer.Argument(metavar="TEXT...", help="New texts, in quotes.")],
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="Neighbours.")] = 20,
    metric: Metric = None,
    channel: Channel = None,
    format_: Kind = None,
    as_json: Json = False,
) -> None:
    """Where the past posts most similar to each text landed, with an interval and how much it rests on."""
    from optimizer.parts import open_library

    with progress("Looking for posts like these"), only_results_on_stdout():
        library = open_library(library_dir, metric)
        filters = {"format": format_} if format_ is not None else None
        found = library.evidence_for(texts, k=k, metric=metric, channel=channel, filters=filters)
    if as_json:
        told = zip(texts, found, strict=True)
        print_json([{"text": text, "sentence": e.sentence, **e.model_dump(mode="json")} for text, e in told])
        return
    for text, e in zip(texts, found, strict=True):
        out().print(plain(text), soft_wrap=True)
        out().print(f"  {e.sentence}", soft_wrap=True)
        out().print(f"  {e.strength:.0%} of the estimate rests on them, the rest is the middle (50).", soft_wrap=True)


def _row(hit: Hit) -> dict[str, object]:
    facts: dict[str, object] = {
        "id": hit.post.id,
        "text": hit.post.text,
        "similarity": hit.similarity,
        "value": hit.value,
        "percentile": hit.percentile,
    }
    if hasattr(hit, "picture_similarity"):
        facts["picture_similarity"] = hit.picture_similarity
    return facts


def _show(hits: Sequence[Hit], metric: str, title: str) -> None:
    from rich.table import Table
    from rich.text import Text

    pictures = any(hasattr(hit, "picture_similarity") for hit in hits)
    table = Table("similarity", *(["picture"] if pictures else []), metric, "percentile", "text", title=title or None)
    for hit in hits:
        likeness = getattr(hit, "picture_similarity", None)
        seen = ["" if likeness is None else f"{likeness:.2f}"] if pictures else []
        value = "" if hit.value is None else f"{hit.value:.4g}"
        rank = "" if hit.percentile is None else f"{hit.percentile:.0f}"
        table.add_row(f"{hit.similarity:.2f}", *seen, value, rank, Text(plain(hit.post.text)))
    out().print(table)


def _why_nothing(library: Library, channel: str | None, kind: str | None, image: Path | None) -> str:
    """One line on a search that found no post; `image` is what it went by where it had no words."""
    from agents.library.ingest import channel_key
    from lcbm_model.content import format_key

    if channel is not None and channel_key(channel) not in library.channels:
        known = ", ".join(plain(name) for name in library.channels)
        return f"no post in channel {plain(channel)!r}; channels here: {known}"
    kinds = library.frame["format"].drop_nulls().unique().sort().to_list()
    if kind is not None and format_key(kind) not in kinds:
        known = ", ".join(plain(name) for name in kinds) or "none (give the file a column `format`)"
        return f"no post of the kind {plain(kind)!r}; kinds here: {known}"
    if image is not None and library.frame["image"].drop_nulls().is_empty():
        return "no post of this library has a picture; search it by words"
    return "nothing found: no post passes all that was asked for"


def _tell_failed_pictures(library: Library, image: Path | None) -> None:
    """Pictures of the library that a search by picture could not look at."""
    if image is None:
        return
    failed = library.pictures.failed
    for path, reason in list(failed.items())[:5]:
        err().print(f"picture left out: {plain(str(path))}: {plain(str(reason))}")
    if len(failed) > 5:
        err().print(f"... and {len(failed) - 5} more pictures")
