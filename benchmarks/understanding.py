"""Does behaviour tuning cost content understanding? Clickbait told from other headlines, before and after tuning.

    python benchmarks/understanding.py --data FOLDER       FOLDER holds clickbait.parquet
    ... --checkpoints lcbm-smol runs/shuffled/adapter      beside a run whose outcomes were shuffled (`run.shuffled`)
    lcbm results tables                                    docs/ablations.md from what was written

A logistic regression learns the label from few or many labelled headlines, on the vectors of each tuned part of the
embedded checkpoint and of the same part before tuning: the text encoder, and the last block of the language model,
above which adapters teach it to write. What value heads read of the language model is frozen, and so are its eyes:
there is nothing to compare. Accuracy on test headlines, averaged over random draws of the labelled ones; the difference
comes with a 95 % interval over resampled headlines.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from measuring import machine, run, versions
from numpy.typing import NDArray

from lcbm_model.backbone.loader import UNTUNED, load_backbone
from lcbm_model.backbone.model import Backbone
from lcbm_model.backbone.text_encoder import TextEncoder, untuned_text_encoder
from lcbm_model.corpus.registry import get_reader
from lcbm_model.errors import CheckpointError, TableError
from lcbm_model.evaluation.benchmark_pages import RECORDED
from lcbm_model.evaluation.benchmark_record import BenchmarkRecord, Table, Value
from lcbm_model.evaluation.bootstrap import Floats, mean_of_groups

Ints = NDArray[np.int64]

DRAWS = {30: 40, 100: 20, 1000: 5}
"""Labelled headlines, and how often they are drawn anew."""
SEED = 20261122
AT_ONCE = 32


def main(arguments: Sequence[str] | None = None) -> None:
    asked = _arguments(arguments)
    headlines = {split: _headlines(asked.data, split, asked.limit) for split in ("train", "test")}
    labels = {split: found for split, (_, found) in headlines.items()}
    tables = []
    for part, readers in _parts(asked.checkpoints).items():
        correct = {
            name: _correct({split: _vectors(read, texts) for split, (texts, _) in headlines.items()}, labels)
            for name, read in readers.items()
        }
        tables.append(_table(part, correct))
    BenchmarkRecord(
        page="ablations",
        title="Understanding kept: clickbait",
        command=" ".join(
            ["python benchmarks/understanding.py --data FOLDER --checkpoints", *map(_name, asked.checkpoints)]
        ),
        machine=machine(torch.device("cpu")),
        versions=versions(),
        told=(
            f"Accuracy of a logistic regression on {len(headlines['test'][0]):,} test headlines, by the number of "
            f"labelled headlines ({', '.join(f'{n:,}: {k} draws' for n, k in DRAWS.items())}). No such label took "
            "part in the tuning. Intervals: 95 %, over resampled headlines.",
        ),
        tables=tuple(tables),
    ).save(asked.out)
    print(f"written: {asked.out}")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with clickbait.parquet")
    parser.add_argument(
        "--checkpoints", nargs="+", default=["lcbm-smol"], help="names or adapter folders, whose names are shown"
    )
    parser.add_argument("--limit", type=int, default=4000, help="most headlines of a split")
    parser.add_argument("--out", type=Path, default=RECORDED / "ablations_understanding.json")
    return parser.parse_args(arguments)


def _headlines(folder: Path, split: str, most: int) -> tuple[list[str], Ints]:
    """Texts and labels (n,), 1 for clickbait."""
    records = [r for r in get_reader("clickbait").read(folder / "clickbait.parquet") if r.split == split]
    order = np.random.default_rng(SEED).permutation(len(records))[:most]
    chosen = [records[place] for place in order.tolist()]
    labels = np.asarray([r.labels["clickbait"] == "yes" for r in chosen], dtype=np.int64)
    if min(labels.sum(), len(labels) - labels.sum()) < 2:
        raise TableError(str(folder / "clickbait.parquet"), f"has too few headlines of each kind in split {split!r}")
    return [r.content.text for r in chosen], labels


Reader = Callable[[list[str]], torch.Tensor]


def _name(checkpoint: str) -> str:
    """What a table calls it: a run's folder, not the `adapter` in it."""
    path = Path(checkpoint)
    return path.parent.name if path.name == "adapter" else path.name


def _parts(checkpoints: Sequence[str]) -> dict[str, dict[str, Reader]]:
    """Each tuned part: how it reads texts to (n, E), before tuning and in each checkpoint that tunes it."""
    base = load_backbone(UNTUNED)
    words: dict[str, Reader] = {}
    blocks: dict[str, Reader] = {"before tuning": partial(_last, base)}
    for checkpoint in checkpoints:
        tuned = load_backbone(checkpoint)
        head = tuned.value_head("click_rate")
        encoder = tuned.text_encoder(head) if head else None
        if encoder is None:
            raise CheckpointError(checkpoint, "has no text encoder for headlines")
        if not words:
            plain = untuned_text_encoder(max_tokens=encoder.max_tokens)
            words["before tuning"] = partial(_whole, plain)
        words[_name(checkpoint)] = partial(_whole, encoder)
        if tuned.decoder is not base.decoder:
            blocks[_name(checkpoint)] = partial(_last, tuned)
    found = {"Text encoder": words, "Last block of the language model": blocks}
    return {part: readers for part, readers in found.items() if len(readers) > 1}


def _whole(encoder: TextEncoder, texts: list[str]) -> torch.Tensor:
    """(n, E) vectors of the text encoder."""
    return encoder.embed(encoder.tokens(texts))


@torch.inference_mode()
def _last(backbone: Backbone, texts: list[str]) -> torch.Tensor:
    """(n, D) mean states of the last block."""
    ids = [backbone.encoder.plain(text) for text in texts]
    longest = max(map(len, ids))
    padded = torch.zeros(len(ids), longest, dtype=torch.long)
    mask = torch.zeros_like(padded)
    for row, found in enumerate(ids):
        padded[row, : len(found)] = torch.as_tensor(found)
        mask[row, : len(found)] = 1
    states = backbone.decoder(input_ids=padded, attention_mask=mask, use_cache=False).last_hidden_state.float()
    return (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


def _vectors(read: Reader, texts: list[str]) -> Floats:
    """(n, E), read in batches of like lengths."""
    order = np.argsort([len(text) for text in texts], kind="stable")
    parts = [order[at : at + AT_ONCE] for at in range(0, len(order), AT_ONCE)]
    found = np.concatenate([read([texts[i] for i in part.tolist()]).double().numpy() for part in parts])
    return np.asarray(found[np.argsort(order, kind="stable")])


def _correct(vectors: Mapping[str, Floats], labels: Mapping[str, Ints]) -> dict[int, Floats]:
    """By the number of labelled headlines: (n,) share of the draws that tell each test headline rightly."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    found = {}
    for count, draws in DRAWS.items():
        right = np.zeros(len(labels["test"]))
        for draw in range(draws):
            chosen = _balanced(labels["train"], count, seed=draw)
            model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
            model.fit(vectors["train"][chosen], labels["train"][chosen])
            right += model.predict(vectors["test"]) == labels["test"]
        found[count] = right / draws
    return found


def _balanced(labels: Ints, count: int, *, seed: int) -> Ints:
    """Places of `count` rows, as many of each label where there are enough."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.permutation(np.flatnonzero(labels == kind))[: count // 2] for kind in (0, 1)])


def _table(part: str, correct: Mapping[str, Mapping[int, Floats]]) -> Table:
    lines: list[tuple[int, tuple[Value, ...]]] = []
    first = next(iter(correct.values()))
    for name, found in correct.items():
        for count, right in found.items():
            apart = mean_of_groups(right - first[count])
            beside = (None, None, None) if found is first else (apart.value(), *(apart.interval() or (None, None)))
            own = mean_of_groups(right)
            lines.append((count, (count, name, own.value(), *(own.interval() or (None, None)), *beside)))
    return Table(
        title=part,
        columns=("labelled", "vectors", "accuracy", "low", "high", "difference", "low", "high"),
        rows=tuple(line for _, line in sorted(lines, key=lambda counted: counted[0])),
    )


if __name__ == "__main__":
    run(main)
