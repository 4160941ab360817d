"""Stage one: records become packed arrays (`Prepared`). Needs the tokenizer and the corpus, no GPU."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from lcbm_model.backbone.chat import PromptEncoder
from lcbm_model.corpus.record import Record, Split
from lcbm_model.errors import SettingsError
from lcbm_model.metrics import Metric, get_metric
from lcbm_model.simulator.base import Context, Known
from lcbm_model.tasks.base import TextExample
from lcbm_model.tasks.registry import get_task
from lcbm_model.training.architectures.base import Pictures
from lcbm_model.training.data import SPLITS, TEXT, Prepared, Rows, Texts, half_hash
from lcbm_model.verbalize import Prompt, behavior_prompt, card

if TYPE_CHECKING:
    from lcbm_model.backbone.text_encoder import TextEncoder

LONGEST_TEXT = 900
"""Characters of a text that examples of writing show; what lies beyond costs most of the tokens."""
HELD_TEXTS = 0.05
"""Text examples of the validation split, as a share of those of the train split."""


@dataclass
class PreparedRow:
    """One example before packing; the names are those of `Rows`."""

    ids: np.ndarray[Any, Any]
    own_start: int
    target_start: int
    words_start: int
    words_end: int
    source: str
    metric: str | None
    split: str
    pair_group: str
    half: str
    record: str
    value: float = 0.0
    noise: float = 1.0
    exposure: float = 0.0
    percentile: float = 50.0
    reliability: float = 0.0
    weight: float = 0.0
    picture: str | None = None
    picture_at: int = 0
    card: str = ""
    """As a text encoder may read it (`verbalize.card`)."""


@dataclass(frozen=True)
class Encoded:
    """One prompt (and answer) in tokens, with the positions that training needs."""

    ids: np.ndarray[Any, Any]
    own_start: int
    target_start: int
    words_start: int
    words_end: int
    picture_at: int


class Encoder:
    """Prompts to tokens by the backbone's own encoder, so that training sees what every backend will read.

    Args:
        prompts: The backbone's encoder.
        end_id: Token that ends an answer.
        max_length: Longer examples are left out (counted in `too_long`).
    """

    def __init__(self, prompts: PromptEncoder, *, end_id: int, max_length: int) -> None:
        self.prompts, self._end, self._longest = prompts, end_id, max_length
        self.too_long = 0

    def __call__(self, prompt: Prompt, answer: str | None = None) -> Encoded | None:
        """Tokens of a prompt and, where there is one, its answer; None where they are too many.

        Raises:
            SettingsError: The pictures alone are too many.
        """
        encoded = self.prompts.encode(prompt)
        if encoded.pictures and len(encoded.shared) > self._longest:
            remedy = f"Raise it above {len(encoded.shared)}, or leave pictures out (data.picture_share: 0)"
            raise SettingsError("data.max_length", "picture tokens would be cut", value=self._longest, remedy=remedy)
        target: tuple[int, ...] = ()
        if answer is not None:
            words = self.prompts.tokenizer(answer, add_special_tokens=False, split_special_tokens=True)["input_ids"]
            target = (*words, self._end)
        shared, own = encoded.shared, encoded.own
        if len(shared) + len(own) + len(target) > self._longest:
            self.too_long += 1
            return None
        return Encoded(
            ids=np.asarray(shared + own + target, dtype=np.int32),
            own_start=len(shared),
            target_start=len(shared) + len(own),
            words_start=len(shared) + encoded.words[0],
            words_end=len(shared) + encoded.words[1],
            picture_at=shared.index(self.prompts.image_token) if encoded.pictures else 0,
        )


def behavior_rows(
    records: Iterable[Record],
    encoder: Encoder,
    *,
    metrics: Sequence[str] = (),
    picture_share: float = 1.0,
    known: Callable[[Record, str], Context | None] | None = None,
) -> Iterator[PreparedRow]:
    """Behaviour simulation, one row per record and metric that has a percentile."""
    records = list(records)
    mixed = _without_exposure(records)
    for record in records:
        content = record.content  # whole, as the simulator is asked about it: what is too long is left out, not cut
        images = [media for media in content.media if media.kind == "image"]
        # A row has room for one picture; other media take a masked line each, as the simulator writes them.
        shown = images[:1] if not content.text or _draw(record.context, picture_share) else []
        if images:
            kept = tuple(media for media in content.media if media.kind != "image" or media in shown)
            content = content.model_copy(update={"media": kept})
        for seen in record.observations:
            if seen.percentile is None or (metrics and seen.metric not in metrics):
                continue
            metric = get_metric(seen.metric)
            context = known(record, seen.metric) if known else None
            encoded = encoder(behavior_prompt(content, metric, context))
            if encoded is None:
                continue
            pair_group = _pair_group(record, seen.metric)
            behind = None if pair_group in mixed else seen.exposure
            value, noise, exposure = _outcome(metric, seen.value, behind, seen.percentile, record.weight)
            yield PreparedRow(
                **vars(encoded),
                source=record.source,
                metric=seen.metric,
                split=record.split,
                pair_group=pair_group,
                half=record.group,
                record=record.id,
                value=value,
                noise=noise,
                exposure=exposure,
                percentile=seen.percentile,
                reliability=record.weight,
                weight=1.0,
                picture=str(shown[0].path) if shown else None,
                card=card(content),
            )


def _pair_group(record: Record, metric: str) -> str:
    """What a record's outcome is compared inside."""
    return f"{record.arms or record.context}#{metric}"


def _without_exposure(records: Iterable[Record]) -> set[str]:
    """Pair groups in which some ranked outcome has no exposure: a rate and a normal score do not compare."""
    return {
        _pair_group(record, seen.metric)
        for record in records
        for seen in record.observations
        if seen.percentile is not None and not seen.exposure
    }


def _outcome(
    metric: Metric, value: float, exposure: float | None, percentile: float, reliability: float
) -> tuple[float, float, float]:
    """Outcome, its standard error and exposure, on a scale that compares inside a group.

    Rates with an exposure keep their own scale. Everything else, and rates that are better when they are lower, is
    compared as a normal score of its rank (high is good), whose error follows from the reliability; half a unit is
    added, because unlike an experiment's arms such posts differ in more than words.
    """
    if metric.kind == "rate" and exposure and metric.higher_is_better:
        smoothed = (value * exposure + 0.5) / (exposure + 1)
        return value, float(np.sqrt(smoothed * (1 - smoothed) / exposure)), exposure
    score = float(ndtri(np.clip(percentile / 100, 0.005, 0.995)))
    return score, float(np.sqrt(1 - min(reliability, 0.98) + 0.25**2)), 0.0


def text_rows(
    records: Sequence[Record], encoder: Encoder, *, tasks: Sequence[str], limit: int, seed: int
) -> Iterator[PreparedRow]:
    """Text examples of the train split, and `HELD_TEXTS` as many of validation.

    A training example that shows records of both halves is left out: it would give each half away to the other.

    Args:
        tasks: Names of tasks whose answers are words, drawn in equal parts as far as each goes.
        limit: Training examples at most.

    Raises:
        SettingsError: No such task, or one whose answers are no words.
    """
    if limit <= 0:
        return
    shown = [r.model_copy(update={"content": r.content.with_text(r.content.text[:LONGEST_TEXT])}) for r in records]
    rng = np.random.default_rng(seed)
    splits: dict[Split, int] = {"train": limit, "validation": round(HELD_TEXTS * limit)}
    for split, most in splits.items():
        for name in tasks:
            # Writing needs no picture; pictures that are asked about stay.
            kept = shown if name == "understand_affect" else [blind(r) for r in shown]
            examples = [
                e
                for e in get_task(name).examples(kept, split, seed)
                if isinstance(e, TextExample) and (split != "train" or len({_half(g) for g in e.groups}) == 1)
            ]
            for index in rng.permutation(len(examples))[: most // len(tasks)]:
                example = examples[index]
                encoded = encoder(example.prompt, example.answer)
                if encoded is None:
                    continue
                yield PreparedRow(
                    **vars(encoded),
                    source="text",
                    metric=None,
                    split=split,
                    pair_group=f"{split}/{name}#{index}",
                    half=example.groups[0],
                    record=example.record_id,
                    picture=str(example.prompt.pictures[0]) if example.prompt.pictures else None,
                )


def blind(record: Record) -> Record:
    """The record without its pictures."""
    if not record.content.media:
        return record
    return record.model_copy(update={"content": record.content.model_copy(update={"media": ()})})


def _half(group: str) -> int:
    """0 or 1: the half of the train split that `Prepared.select` puts a group into."""
    return half_hash(group) & 1


def _draw(key: str, share: float) -> bool:
    return zlib.crc32(key.encode()) % 10_000 < share * 10_000


def pack(
    found: Iterable[PreparedRow],
    *,
    digit_ids: Sequence[int],
    see: Callable[[Sequence[str]], Pictures],
    vocabulary: int,
    manifest: dict[str, Any],
) -> Prepared:
    """Examples to arrays.

    Args:
        see: Picture files as the base's architecture packs them.
        vocabulary: Token ids lie below it.

    Raises:
        SettingsError: No example at all.
    """
    rows = list(found)
    if not rows:
        raise SettingsError("data", "no record gave an example", remedy="Check data.sources and data.max_length")
    sources = sorted({r.source for r in rows})
    metrics = sorted({r.metric for r in rows if r.metric is not None})
    paths = sorted({r.picture for r in rows if r.picture is not None})
    shown = {path: number for number, path in enumerate(paths)}
    groups = {name: number for number, name in enumerate(dict.fromkeys(r.pair_group for r in rows))}
    pictures = see(paths)
    coded: dict[str, Callable[[PreparedRow], Any]] = {
        "source": lambda r: sources.index(r.source),
        "metric": lambda r: TEXT if r.metric is None else metrics.index(r.metric),
        "split": lambda r: SPLITS.index(r.split),
        "pair_group": lambda r: groups[r.pair_group],
        "half_hash": lambda r: half_hash(r.half),
        "picture": lambda r: -1 if r.picture is None else shown[r.picture],
    }
    kinds: dict[str, Any] = {
        "source": np.int16, "metric": np.int16, "split": np.int8, "pair_group": np.int32, "half_hash": np.uint32,
        "own_start": np.int32, "target_start": np.int32, "words_start": np.int32, "words_end": np.int32,
        "picture": np.int32, "picture_at": np.int32,
    }  # fmt: skip
    columns = {
        f.name: np.array([coded[f.name](r) if f.name in coded else getattr(r, f.name) for r in rows]).astype(
            kinds.get(f.name, np.float32)
        )
        for f in fields(Rows)
        if f.name not in ("tokens", "offsets")
    }
    small = np.uint16 if vocabulary <= 65536 else np.int32
    tokens = np.concatenate([np.asarray(r.ids, dtype=small) for r in rows])
    offsets = np.concatenate([[0], np.cumsum([len(r.ids) for r in rows])]).astype(np.int64)
    return Prepared(
        rows=Rows(tokens=tokens, offsets=offsets, **columns),
        ids=[r.record for r in rows],
        sources=sources,
        metrics=metrics,
        digit_ids=list(digit_ids),
        pictures=pictures.values,
        picture_step=pictures.step,
        manifest={**manifest, "picture_tokens": list(pictures.tokens)},
    )


def own_words(rows: Rows, prompts: PromptEncoder) -> list[str]:
    """The candidate's words of every row (n,), from the row's own tokens."""
    starts, stops = rows.offsets[:-1] + rows.words_start, rows.offsets[:-1] + rows.words_end
    return [prompts.text(rows.tokens[a:b].tolist()) for a, b in zip(starts, stops, strict=True)]


def encode_texts(texts: Sequence[str], encoder: TextEncoder) -> Texts:
    """What a text encoder reads of every row (n,)."""
    found = encoder.tokens(texts)
    offsets = np.concatenate([[0], np.cumsum([len(ids) for ids in found])]).astype(np.int64)
    return Texts(np.concatenate([np.asarray(ids, np.int32) for ids in found]), offsets)


def known_context(records: Sequence[Record], count: int) -> Callable[[Record, str], Context | None]:
    """Known results of the same context, drawn by the record's id, never itself.

    Train records show train results of their own half only, so nothing of another split or half is seen.
    """

    def place(record: Record) -> tuple[str, str, int]:
        return record.context, record.split, _half(record.group) if record.split == "train" else 0

    pools: dict[tuple[str, str, int], list[Record]] = {}
    for record in records:
        if record.split == "train" or not record.arms:
            pools.setdefault(place(record), []).append(record)

    def find(record: Record, metric: str) -> Context | None:
        pool = pools.get(place(record), [])
        rng = np.random.default_rng(zlib.crc32(record.id.encode()))
        picked = [pool[i] for i in rng.permutation(len(pool))[: count + 1] if pool[i].id != record.id][:count]
        seen = [(r.content.text[:160], r.observation(metric)) for r in picked if r.content.text]
        return Context(
            examples=tuple(Known(text=t, percentile=o.percentile) for t, o in seen if o and o.percentile is not None)
        )

    return find
