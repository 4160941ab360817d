"""From a recipe to a prepared folder: reads the sources, refuses leaks, draws, verbalizes, packs."""

from __future__ import annotations

import itertools
import os
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lcbm_model.backbone.text_encoder import text_encoder_hash, untuned_text_encoder
from lcbm_model.corpus.record import Record
from lcbm_model.errors import SettingsError
from lcbm_model.language import languages_of
from lcbm_model.training.architectures.registry import get_architecture
from lcbm_model.training.bases import prompt_encoder, resolve_base
from lcbm_model.training.data import SPLITS, Prepared
from lcbm_model.training.instructions import SOURCE, instruction_rows
from lcbm_model.training.names import check_names
from lcbm_model.training.prepare import (
    Encoder,
    PreparedRow,
    behavior_rows,
    blind,
    encode_texts,
    known_context,
    own_words,
    pack,
    text_rows,
)
from lcbm_model.training.settings import DataSettings, Recipe

if TYPE_CHECKING:
    from lcbm_model.corpus.base import Reader
    from lcbm_model.corpus.build import Source

Told = Callable[[str], None]


def data_folder(settings: DataSettings) -> Path:
    """Where the data lies: `data.folder`, else `LCBM_DATA`, else `../shared/data` beside the checkout.

    Raises:
        SettingsError: Nowhere.
    """
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(settings.folder or os.environ.get("LCBM_DATA") or beside).expanduser()
    if not folder.is_dir():
        remedy = "Name a folder with --data, data.folder or LCBM_DATA"
        raise SettingsError("data.folder", "no such folder", value=str(folder), remedy=remedy)
    return folder


@dataclass
class SourceRows:
    """Records of one source, and the readers that know, once all are read, what they could not use."""

    records: Iterator[Record]
    readers: Sequence[Reader] = ()

    def left_out(self) -> dict[str, int]:
        """Rows by kind of problem ("score: is negative")."""
        return dict(sum((reader.problems.counts for reader in self.readers), Counter()))


def read_sources(settings: DataSettings) -> dict[str, SourceRows]:
    """Records of every source of the recipe, from a corpus that `lcbm corpus build` made or from the sources' files.

    Raises:
        SettingsError: A source that the folder does not hold.
        TableError: A file that cannot serve.
    """
    from lcbm_model.corpus.build import plan
    from lcbm_model.corpus.readers.table import TableReader
    from lcbm_model.corpus.store import read_corpus, read_manifest

    wanted = [name for name in settings.sources if name != "table"]
    found: dict[str, SourceRows] = {}
    if wanted:
        folder = data_folder(settings)
        if is_corpus(folder):
            known: dict[str, list[Source]] = {entry.source: [] for entry in read_manifest(folder).sources}
        else:
            known = {}
            for source in plan([folder]):
                known.setdefault(source.reader, []).append(source)
        for name in wanted:
            if name not in known:
                remedy = f"Found there: {', '.join(sorted(known)) or 'nothing'}"
                raise SettingsError("data.sources", f"{folder.name} holds no such source", value=name, remedy=remedy)
            found[name] = _read(known[name]) if known[name] else SourceRows(read_corpus(folder, sources=[name]))
    if "table" in settings.sources:
        if not settings.table:
            raise SettingsError("data.table", "the source 'table' needs a file", remedy="Set data.table to its path")
        reader = TableReader(metrics=settings.metrics.get("table", ()))
        found["table"] = SourceRows(reader.read(settings.table), [reader])
    if not found:
        raise SettingsError("data.sources", "names no source", value=settings.sources)
    return found


def _read(files: Sequence[Source]) -> SourceRows:
    from lcbm_model.corpus.build import open_source

    opened = [open_source(files, i) for i in range(len(files))]
    return SourceRows(itertools.chain.from_iterable(rows for _, rows in opened), [reader for reader, _ in opened])


def is_corpus(folder: Path) -> bool:
    """Whether a folder is a built corpus."""
    return (folder / "manifest.json").is_file()


def drop_leaks(records: Sequence[Record], *, refuse: bool) -> tuple[list[Record], dict[str, int]]:
    """Records without those that give a held-out one away, and how many of each kind were dropped.

    Args:
        refuse: Drop nothing: any leak is an error (a built corpus has none).

    Raises:
        SettingsError: A group lies in two splits, or there is a leak and `refuse`.
    """
    import polars as pl

    from lcbm_model.corpus.leaks import find_leaks

    columns = {
        "id": [r.id for r in records],
        "source": [r.source for r in records],
        "group": [r.group for r in records],
        "split": [r.split for r in records],
        "text": [f"{r.content.title or ''} {r.content.text}" for r in records],
        # Many captions share one cartoon on purpose: only where the picture is all there is can it leak.
        "picture": [str(r.content.media[0].path) if r.content.media and not r.content.text else None for r in records],
    }
    report = find_leaks(pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)))
    bad = [leak for leak in report.leaks if refuse or leak.kind == "group"]
    if bad:
        first = bad[0]
        raise SettingsError(
            "data: splits",
            f"{len(bad)} records of a lower split give held-out ones away",
            value=f"{first.id} ({first.split}) and {first.other_id} ({first.other_split}): {first.kind}",
            remedy="Split by group, and build the corpus with `lcbm corpus build`, which drops leaks",
        )
    leaking = {name: report.dropped(name) for name in {r.source for r in records}}
    kept = [r for r in records if r.id not in leaking[r.source]]
    return kept, dict(Counter(kind for dropped in leaking.values() for kind in dropped.values()))


def draw(records: Sequence[Record], most_train: int | None, most_held: int) -> list[Record]:
    """At most so many records of the train split and of each other one.

    Groups of an experiment stay whole (whole groups are drawn); of ranked contexts the records are drawn, evenly.
    """
    kept: list[Record] = []
    for split in SPLITS:
        own = [r for r in records if r.split == split]
        most = most_held if split != "train" else len(own) if most_train is None else most_train
        if len(own) <= most:
            kept += own
        elif any(r.arms for r in own):  # others of the source, unfit to compare, lie in groups all the same
            by_hash = sorted(own, key=lambda r: (zlib.crc32(r.group.encode()), r.group))
            cut = most
            while cut and by_hash[cut - 1].group == by_hash[cut].group:
                cut -= 1  # a group is drawn whole or not at all, unless it is the only one
            kept += by_hash[: cut or most]
        else:
            contexts: dict[str, list[Record]] = {}
            for record in sorted(own, key=lambda r: zlib.crc32(r.id.encode())):
                contexts.setdefault(record.context, []).append(record)
            rounds = itertools.zip_longest(*contexts.values())
            kept += list(itertools.islice((r for one in rounds for r in one if r is not None), most))
    return kept


def prepare_recipe(recipe: Recipe, told: Told = lambda step: None) -> Prepared:
    """Prepare a recipe's examples for its base.

    Args:
        told: Called with each step ("reading upworthy").

    Raises:
        SettingsError: A wrong source or metric, a leak, no supervised token, or pictures that would be cut.
        CheckpointError: The base cannot be read.
    """
    check_names(recipe)
    settings = recipe.data
    architecture = get_architecture(recipe.base.architecture)
    if recipe.optim.cache_states and not architecture.caches:
        remedy = "Switch it off, or raise lora.first_layer without it"
        raise SettingsError("optim.cache_states", f"is not made for {architecture.name!r}", value=True, remedy=remedy)
    base = resolve_base(recipe.base)
    prompts = prompt_encoder(base)
    tokenizer = prompts.tokenizer
    encoder = Encoder(prompts, end_id=int(tokenizer.eos_token_id), max_length=settings.max_length)
    drawn: list[Record] = []
    left_out: dict[str, int] = {}
    for name, source in read_sources(settings).items():
        told(f"reading {name}")
        drawn += draw(list(source.records), settings.max_records.get(name), settings.max_held)
        left_out |= {f"{name}: {kind}": n for kind, n in source.left_out().items()}
    for kind, n in left_out.items():
        told(f"{n} rows left out: {kind}")
    told("looking for leaks")
    named = [name for name in settings.sources if name != "table"]
    kept, dropped = drop_leaks(drawn, refuse=bool(named) and is_corpus(data_folder(settings)))
    if not base.tokens_per_picture:
        kept = [blind(r) for r in kept if r.content.text.strip() or r.content.scenes]
    told("writing examples")
    rows = [
        *_behavior(kept, encoder, recipe),
        *text_rows(kept, encoder, tasks=settings.text_tasks, limit=settings.text_examples, seed=recipe.run.seed),
    ]
    if settings.instructions:
        asked = Path(settings.instructions).expanduser()
        rows += instruction_rows(asked, encoder, limit=settings.max_records.get(SOURCE))
    prepared = pack(
        rows,
        digit_ids=list(prompts.digits),
        see=lambda paths: architecture.pictures(base, paths, told),
        vocabulary=len(tokenizer),
        manifest={
            "recipe": recipe.to_dict(),
            "base": base.to_dict(),
            "channels": _channels(kept),
            "languages": languages_of(r.content.text for r in kept if r.split == "train"),
            "rows_left_out": left_out,
            "leaks_dropped": dropped,
            "too_long": encoder.too_long,
        },
    )
    if recipe.text_encoder.rank:
        told("reading words")
        cards = recipe.text_encoder.reads == "card"
        texts = [row.card for row in rows] if cards else own_words(prepared.rows, prompts)
        prepared.texts = encode_texts(texts, untuned_text_encoder(max_tokens=recipe.text_encoder.max_tokens))
        prepared.manifest["text_encoder"] = text_encoder_hash()
    prepared.check()
    return prepared


def _behavior(records: Sequence[Record], encoder: Encoder, recipe: Recipe) -> Iterator[PreparedRow]:
    settings = recipe.data
    by_source: dict[str, list[Record]] = {}
    for record in records:
        by_source.setdefault(record.source, []).append(record)
    for name, own in by_source.items():
        yield from behavior_rows(
            own,
            encoder,
            metrics=settings.metrics.get(name, ()),
            picture_share=settings.picture_share,
            known=known_context(own, settings.context_examples) if settings.context_examples else None,
        )


def _channels(records: Sequence[Record]) -> dict[str, list[str]]:
    """Source to the channels its posts went out on: what a calibration is kept by."""
    found: dict[str, set[str]] = {}
    for record in records:
        found.setdefault(record.source, set()).add(record.content.channel)
    return {source: sorted(channels) for source, channels in sorted(found.items())}
