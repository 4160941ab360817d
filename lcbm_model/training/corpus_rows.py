"""From a recipe to a prepared folder for the embedded backbone: reads the sources, draws, verbalizes, packs."""

from __future__ import annotations

import itertools
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lcbm_model.corpus.record import Record
from lcbm_model.errors import SettingsError
from lcbm_model.training.data import Prepared
from lcbm_model.training.prepare import Encoder, behavior_rows, known_context, pack, text_rows
from lcbm_model.training.settings import DataSettings, Recipe

FILES = {
    "upworthy": ("upworthy.parquet", None),
    "caption_contest": ("caption_contest.parquet", "caption_contest_images"),
    "facebook": ("facebook_posts.parquet", None),
    "reddit": ("reddit_titles.parquet", None),
    "oasis": ("oasis_affect.parquet", "oasis_images"),
    "lambda_memorability": ("lambda_memorability.parquet", None),
    "clickbait": ("clickbait.parquet", None),
}
"""Development data: file and folder of pictures of each source."""


def data_folder(settings: DataSettings) -> Path:
    """Where the development data lies.

    Raises:
        SettingsError: Nowhere.
    """
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(settings.folder or os.environ.get("LCBM_DATA") or beside)
    if not folder.is_dir():
        raise SettingsError("data.folder", "no such folder", value=str(folder), remedy="Set data.folder or LCBM_DATA")
    return folder


def read_source(name: str, settings: DataSettings) -> Iterator[Record]:
    """Records of one source of the recipe."""
    from lcbm_model.corpus.registry import get_reader

    if name == "table":
        if not settings.table:
            raise SettingsError("data.table", "the source 'table' needs a file", remedy="Set data.table to its path")
        return get_reader("table").read(settings.table)
    if name not in FILES:
        raise SettingsError("data.sources", "unknown source", value=name, remedy=f"Known: table, {', '.join(FILES)}")
    folder, (file, pictures) = data_folder(settings), FILES[name]
    images = folder / pictures if pictures and (settings.picture_share > 0 or name == "oasis") else None
    return get_reader(name).read(folder / file, images=images)


def draw(records: Sequence[Record], most_train: int | None, most_held: int) -> list[Record]:
    """At most so many records of the train split and of each other one.

    Groups of an experiment stay whole (whole groups are drawn); of ranked contexts the records are drawn, evenly.
    """
    kept: list[Record] = []
    for split in ("train", "validation", "test"):
        own = [r for r in records if r.split == split]
        most = most_held if split != "train" else len(own) if most_train is None else most_train
        if len(own) <= most:
            kept += own
        elif all(r.arms for r in own):
            by_hash = sorted(own, key=lambda r: (zlib.crc32(r.group.encode()), r.group))
            kept += by_hash[:most]
        else:
            contexts: dict[str, list[Record]] = {}
            for record in sorted(own, key=lambda r: zlib.crc32(r.id.encode())):
                contexts.setdefault(record.context, []).append(record)
            rounds = itertools.zip_longest(*contexts.values())
            kept += list(itertools.islice((r for one in rounds for r in one if r is not None), most))
    return kept


def prepare_embedded(recipe: Recipe) -> Prepared:
    """Prepare a recipe for the embedded backbone (`base.model: embedded`)."""
    from transformers import AutoTokenizer

    from lcbm_model.backbone.chat import PromptEncoder
    from lcbm_model.backbone.packaged import converted_language_model, file_hash, vision_file

    folder, stamp = converted_language_model()
    tokenizer = AutoTokenizer.from_pretrained(folder)

    base = {"name": stamp.name, "hash": stamp.base_hash, "vision_hash": file_hash(vision_file())}
    settings = recipe.data
    prompts = PromptEncoder(tokenizer, image_token=tokenizer.convert_tokens_to_ids("<image>"), tokens_per_picture=64)
    encoder = Encoder(prompts, end_id=tokenizer.convert_tokens_to_ids("<|im_end|>"), max_length=settings.max_length)
    everything = {
        name: draw(list(read_source(name, settings)), settings.max_records.get(name), settings.max_held)
        for name in settings.sources
    }
    rows = itertools.chain.from_iterable(
        behavior_rows(
            records,
            encoder,
            metrics=settings.metrics.get(name, ()),
            picture_share=settings.picture_share,
            known=known_context(records, settings.context_examples) if settings.context_examples else None,
        )
        for name, records in everything.items()
    )
    whole = [r for records in everything.values() for r in records]
    texts = text_rows(whole, encoder, limit=settings.text_examples, seed=recipe.run.seed)
    prepared = pack(
        itertools.chain(rows, texts),
        digit_ids=list(prompts.digits),
        picture_features=tower_features,
        vocabulary=len(tokenizer),
        manifest={"recipe": recipe.to_dict(), "base": base},
    )
    prepared.check()
    return prepared


def tower_features(paths: Sequence[str], batch: int = 16) -> np.ndarray[Any, Any]:
    """Features (P, 64, 1280) of the frozen EfficientNet-Lite0 tower."""
    import torch

    from lcbm_model.backbone.packaged import vision_file
    from lcbm_model.vision.efficientnet import load_tower
    from lcbm_model.vision.images import open_picture, to_pixels

    tower = load_tower(vision_file())
    found = []
    with torch.inference_mode():
        for start in range(0, len(paths), batch):
            pixels = np.stack([to_pixels(open_picture(p)) for p in paths[start : start + batch]])
            found.append(tower(torch.from_numpy(pixels)).last_hidden_state.numpy())
    return np.concatenate(found)
