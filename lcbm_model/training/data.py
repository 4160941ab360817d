"""Examples as packed arrays on disk: the seam between preparing (records, tokenizer) and fitting (torch alone).

A prepared folder holds `rows.npz` (tokens of all rows end to end, one entry per row for everything else, record ids),
`pictures.npz` (frozen vision-tower features), perhaps `texts.npz` (the words for a text encoder) and `manifest.json`.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lcbm_model.errors import CheckpointError, SettingsError

N_BINS = 10
"""As `behavior.N_BINS`, which needs pydantic to be imported; a test holds them equal."""
SPLITS = ("train", "validation", "test")
TEXT = -1
"""Metric index of a row that is a text example."""


def half_hash(group: str) -> int:
    """A hash that is the same everywhere: its last bit names a group's half, the others its place in a fraction."""
    return zlib.crc32(group.encode())


@dataclass
class Rows:
    """n examples, N tokens. Behaviour rows ask for one digit; text rows carry target tokens.

    tokens (N,): ids of shared + own (+ target) parts, end to end. offsets (n + 1,). Everything else (n,):
    own_start, target_start: positions inside the row (target_start == length: no target). words_start, words_end:
    the candidate's own words. picture: row of `pictures`, -1 for none; picture_at: position of its first token.
    value, noise: outcome and its standard error on a scale that compares inside pair_group. exposure: impressions
    behind a rate, else 0. percentile 0..100 and its reliability 0..1. half_hash: stable hash of the group that no
    split may cut.
    """

    tokens: npt.NDArray[Any]
    offsets: npt.NDArray[np.int64]
    own_start: npt.NDArray[np.int32]
    target_start: npt.NDArray[np.int32]
    words_start: npt.NDArray[np.int32]
    words_end: npt.NDArray[np.int32]
    source: npt.NDArray[np.int16]
    metric: npt.NDArray[np.int16]
    split: npt.NDArray[np.int8]
    pair_group: npt.NDArray[np.int32]
    half_hash: npt.NDArray[np.uint32]
    value: npt.NDArray[np.float32]
    noise: npt.NDArray[np.float32]
    exposure: npt.NDArray[np.float32]
    percentile: npt.NDArray[np.float32]
    reliability: npt.NDArray[np.float32]
    weight: npt.NDArray[np.float32]
    picture: npt.NDArray[np.int32]
    picture_at: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.own_start)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(n,) tokens of each row."""
        return np.diff(self.offsets)

    @cached_property
    def prompt_kinds(self) -> npt.NDArray[np.int64]:
        """(n,) one number a source and metric: rows of one kind begin alike."""
        return self.source.astype(np.int64) * 4096 + self.metric.astype(np.int64) + 1

    @cached_property
    def row_keys(self) -> npt.NDArray[np.uint64]:
        """(n,) hashes of the rows' tokens and pictures: equal for equal prompts."""
        return self._with_picture(self._hashes(self.offsets[:-1], self.offsets[1:]))

    @cached_property
    def prefix_keys(self) -> npt.NDArray[np.uint64]:
        """(n,) hashes of what stands before the candidate: its tokens and its picture."""
        return self._with_picture(self._hashes(self.offsets[:-1], self.offsets[:-1] + self.own_start))

    def _with_picture(self, found: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        return found * np.uint64(1_000_003) + (self.picture.astype(np.int64) + 1).astype(np.uint64)

    def _hashes(self, start: npt.NDArray[np.int64], stop: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
        place = np.arange(len(self.tokens)) - np.repeat(self.offsets[:-1], self.lengths)
        # One fixed random 64-bit number for each place: a sum of products is a hash that depends on the order.
        numbers = np.random.default_rng(20_161).integers(1, 2**63, int(self.lengths.max(initial=1)), dtype=np.uint64)
        terms = (self.tokens.astype(np.uint64) + np.uint64(1)) * numbers[place]
        total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms, dtype=np.uint64)])
        return np.asarray(total[stop] - total[start], dtype=np.uint64)


@dataclass(frozen=True)
class Texts:
    """The candidates' words of n rows as ids of the text encoder, end to end."""

    tokens: npt.NDArray[Any]
    offsets: npt.NDArray[np.int64]  # (n + 1,)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(n,) tokens of each text."""
        return np.diff(self.offsets)

    def __getitem__(self, row: int) -> list[int]:
        found: list[int] = self.tokens[self.offsets[row] : self.offsets[row + 1]].tolist()
        return found


@dataclass
class Prepared:
    """Everything the fitting stage needs but the base weights."""

    rows: Rows
    ids: list[str]
    sources: list[str]
    metrics: list[str]
    digit_ids: list[int]
    pictures: npt.NDArray[np.uint8]  # (P, T, C), in steps of `picture_step`
    picture_step: float
    manifest: dict[str, Any] = field(default_factory=dict)
    texts: Texts | None = None
    """For a text encoder, whose hash the manifest then names."""

    def sight(self) -> str:
        """Hash (hex) of what the pictures were seen as, and by which tower: states read of them depend on it."""
        tower = self.manifest.get("base", {}).get("vision_hash")
        seen = hashlib.sha256(f"{tower} {self.picture_step!r} {self.pictures.shape}".encode())
        seen.update(np.ascontiguousarray(self.pictures).data)
        return seen.hexdigest()

    def save(self, folder: Path) -> None:
        """Write the folder; an existing one is overwritten file by file."""
        folder.mkdir(parents=True, exist_ok=True)
        names = np.frombuffer(json.dumps(self.ids).encode(), dtype=np.uint8)
        arrays = {f.name: getattr(self.rows, f.name) for f in fields(Rows)}
        np.savez_compressed(folder / "rows.npz", ids_json=names, **arrays)
        np.savez_compressed(folder / "pictures.npz", pictures=self.pictures)
        if self.texts is not None:
            np.savez_compressed(folder / "texts.npz", tokens=self.texts.tokens, offsets=self.texts.offsets)
        head: dict[str, Any] = {"sources": self.sources, "metrics": self.metrics, "digit_ids": self.digit_ids}
        head["picture_step"] = self.picture_step
        (folder / "manifest.json").write_text(json.dumps({**self.manifest, **head}, indent=1), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Prepared:
        """Read a prepared folder.

        Raises:
            CheckpointError: A file is missing or damaged.
        """
        try:
            manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
            with np.load(folder / "rows.npz", allow_pickle=False) as arrays:
                rows = Rows(**{f.name: arrays[f.name] for f in fields(Rows)})
                ids = _read_ids(arrays)
            with np.load(folder / "pictures.npz", allow_pickle=False) as arrays:
                pictures = arrays["pictures"]
            texts = None
            if "text_encoder" in manifest:
                with np.load(folder / "texts.npz", allow_pickle=False) as arrays:
                    texts = Texts(arrays["tokens"], arrays["offsets"])
        except (OSError, KeyError, ValueError) as error:
            raise CheckpointError(str(folder), "is no readable prepared folder", value=str(error)) from error
        whole = len(ids) == len(rows) == len(rows.offsets) - 1 and rows.offsets[-1] == len(rows.tokens)
        if not whole or (texts is not None and len(texts.offsets) != len(rows) + 1):
            raise CheckpointError(str(folder), "its arrays do not fit together", remedy="Prepare it again")
        return cls(
            rows=rows,
            ids=ids,
            sources=manifest["sources"],
            metrics=manifest["metrics"],
            digit_ids=manifest["digit_ids"],
            pictures=pictures,
            picture_step=manifest["picture_step"],
            manifest=manifest,
            texts=texts,
        )

    def check(self) -> None:
        """Refuse what would train on nothing or on cut pictures.

        Raises:
            SettingsError: No supervised row in train, or a picture whose tokens lie beyond the end of its row.
        """
        rows = self.rows
        train = rows.split == 0
        supervised = train & ((rows.metric != TEXT) | (rows.target_start < rows.lengths))
        if not supervised.any():
            raise SettingsError("data", "no supervised token in the train split", remedy="Add sources or rows")
        per_picture = self.pictures.shape[1] if self.pictures.size else 0
        # Pictures may differ in how many tokens they take; folders of older versions do not say how many.
        tokens = np.array(self.manifest.get("picture_tokens") or [per_picture] * max(1, len(self.pictures)))
        shown = rows.picture >= 0
        taken = np.where(shown, tokens[np.maximum(rows.picture, 0)], 0)
        cut = shown & (rows.picture_at + taken > np.minimum(rows.own_start, rows.lengths))
        if cut.any():
            row = int(np.flatnonzero(cut)[0])
            raise SettingsError(
                f"data: row {self.ids[row]}",
                f"{taken[row]} picture tokens do not fit before the candidate's text ({int(cut.sum())} such rows)",
                remedy="Raise data.max_length",
            )

    def shuffled(self, *, seed: int) -> Prepared:
        """The same with outcomes that changed places inside their comparison group; test keeps its own.

        A control: what is still learned from it is learned from the texts and not from behaviour.
        """
        rows = self.rows
        place = np.arange(len(rows))
        moved = np.flatnonzero((rows.metric != TEXT) & (rows.split != SPLITS.index("test")))
        order = np.random.default_rng(seed).permutation(len(moved))
        by_group = moved[np.argsort(rows.pair_group[moved], kind="stable")]
        at_random = moved[order][np.argsort(rows.pair_group[moved[order]], kind="stable")]
        place[by_group] = at_random
        outcome = ("value", "noise", "exposure", "percentile", "reliability", "weight")
        return replace(self, rows=replace(rows, **{name: getattr(rows, name)[place] for name in outcome}))

    def select(self, *, split: str, half: str = "all", fraction: float = 1.0) -> npt.NDArray[np.int64]:
        """Rows of a split; in train, of one disjoint half of the groups and of a share of them."""
        rows = self.rows
        keep = rows.split == SPLITS.index(split)
        if split == "train":
            if half != "all":
                keep &= (rows.half_hash & 1) == (0 if half == "a" else 1)
            if fraction < 1:
                keep &= (rows.half_hash >> 1) % 10_000 < fraction * 10_000
        return np.flatnonzero(keep)


def _read_ids(arrays: Mapping[str, npt.NDArray[Any]]) -> list[str]:
    """Record ids of a prepared folder. Older ones hold them as lines, which an id with a line break would cut."""
    if "ids_json" not in arrays:
        return arrays["ids"].tobytes().decode().split("\n")
    found: list[str] = json.loads(arrays["ids_json"].tobytes())
    return found
