"""Which rows one step sees, and how they become tensors. Stateless: a step's rows follow from (seed, step) alone,
so that a resumed run sees exactly what an unbroken one would have seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lcbm_model.errors import SettingsError
from lcbm_model.training.data import Prepared

if TYPE_CHECKING:
    import torch

    from lcbm_model.training.frozen_states import FrozenStates
    from lcbm_model.training.processes import Processes
    from lcbm_model.training.state_store import StateStore

Ints = npt.NDArray[np.int64]
BLOCK = 16
"""Chunks that begin alike and are drawn one after the other."""
POSITIONS = ("own_start", "target_start", "words_start", "words_end", "picture_at")
"""Columns that count tokens from the row's beginning."""


class ChunkSampler:
    """Draws chunks (up to `size` rows of one comparison group) of one source, epoch after epoch.

    Args:
        alike: (n,) numbers; up to `BLOCK` chunks whose first rows share one follow each other. None: no such rule.
    """

    def __init__(
        self,
        rows: Ints,
        groups: npt.NDArray[Any],
        lengths: Ints,
        *,
        size: int,
        seed: int,
        alike: npt.NDArray[Any] | None = None,
    ) -> None:
        self._rows, self._groups, self._size, self._seed, self._alike = rows, groups, size, seed, alike
        self.mean_tokens = float(lengths.mean()) * min(size, max(1.0, len(rows) / len(np.unique(groups))))
        self._epoch, self._order = -1, np.zeros(0, np.int64)
        self._starts = np.zeros(1, np.int64)
        self._load(0)
        self.chunks = len(self._chunk_order)

    def _load(self, epoch: int) -> None:
        if epoch == self._epoch:
            return
        rng = np.random.default_rng([self._seed, epoch])
        order = np.lexsort((rng.random(len(self._rows)), self._groups))
        grouped = self._groups[order]
        first = np.flatnonzero(np.r_[True, grouped[1:] != grouped[:-1]])
        within = np.arange(len(order)) - np.repeat(first, np.diff(np.r_[first, len(order)]))
        self._starts = np.flatnonzero(within % self._size == 0)
        self._ends = np.r_[self._starts[1:], len(order)]
        self._order = self._rows[order]
        self._chunk_order = rng.permutation(len(self._starts))
        if self._alike is not None:
            keys = self._alike[order[self._starts[self._chunk_order]]]
            self._chunk_order = np.concatenate([self._chunk_order[block] for block in blocks_of(keys, rng)])
        self._epoch = epoch

    def take(self, start: int, count: int) -> list[Ints]:
        """Chunks number `start` to `start + count` of the endless stream."""
        found = []
        for number in range(start, start + count):
            self._load(number // self.chunks)
            chunk = self._chunk_order[number % self.chunks]
            found.append(self._order[self._starts[chunk] : self._ends[chunk]])
        return found


def blocks_of(keys: npt.NDArray[Any], rng: np.random.Generator) -> list[Ints]:
    """Positions of equal keys in blocks of at most `BLOCK`, the blocks in random order."""
    order = np.argsort(keys, kind="stable")
    runs = np.split(order, np.flatnonzero(keys[order][1:] != keys[order][:-1]) + 1)
    blocks = [run[at : at + BLOCK] for run in runs for at in range(0, len(run), BLOCK)]
    return [blocks[b] for b in rng.permutation(len(blocks))]


class MixSampler:
    """A step's chunks from every source in the stated ratio of tokens.

    Args:
        lengths: (all rows,) tokens of each row; None: the language model's.
        alike: Let chunks that begin alike follow each other, so that a pass shares its beginning.
    """

    def __init__(
        self,
        data: Prepared,
        rows: Ints,
        mix: dict[str, float],
        *,
        tokens: int,
        size: int,
        seed: int,
        lengths: Ints | None = None,
        alike: bool = False,
    ) -> None:
        lengths = data.rows.lengths if lengths is None else lengths
        unknown = sorted(set(mix) - set(data.sources))
        if unknown:
            raise SettingsError(
                "run.mix", "names a source that was not prepared", value=unknown[0], remedy=f"Known: {data.sources}"
            )
        self._parts: list[tuple[ChunkSampler, float]] = []
        total = sum(mix.values())
        for number, (name, share) in enumerate(sorted(mix.items())):
            own = rows[data.rows.source[rows] == data.sources.index(name)]
            if share <= 0 or not len(own):
                continue
            groups = data.rows.pair_group[own]
            sampler = ChunkSampler(
                own, groups, lengths[own],
                size=size, seed=seed * 1000 + number, alike=data.rows.prefix_keys[own] if alike else None,
            )  # fmt: skip
            self._parts.append((sampler, tokens * share / total / sampler.mean_tokens))
        if not self._parts:
            raise SettingsError("run.mix", "no source with a positive share has rows in the train split", value=mix)

    def step(self, number: int) -> list[Ints]:
        """Chunks of step `number` (0-based)."""
        chunks: list[Ints] = []
        for sampler, rate in self._parts:
            start, stop = int(number * rate), int((number + 1) * rate)
            chunks += sampler.take(start, stop - start)
        if not chunks:  # tiny budgets: at least one chunk a step, the sources in turn
            sampler, _ = self._parts[number % len(self._parts)]
            chunks = sampler.take(number // len(self._parts), 1)
        return chunks


def micro_batches(chunks: Sequence[Ints], kinds: Ints, lengths: Ints, budget: int) -> Iterator[tuple[Ints, Ints]]:
    """Cut chunks into forward passes of at most `budget` padded tokens whose rows begin alike, shortest first.

    Args:
        kinds, lengths: Of all rows, chunk after chunk: see `Collator.beginnings`.

    Yields:
        (rows, chunk numbers), both (B,). A chunk is never cut.
    """
    first = np.cumsum([0, *(len(c) for c in chunks)])[:-1]
    kind = kinds[first]
    longest = np.maximum.reduceat(lengths, first)
    held: list[int] = []
    count = 0
    for c in np.lexsort((longest, kind)).tolist():
        size = len(chunks[c])
        if held and ((count + size) * int(longest[c]) > budget or kind[c] != kind[held[-1]]):
            yield _joined(chunks, held)
            held, count = [], 0
        held.append(c)
        count += size
    if held:
        yield _joined(chunks, held)


def _joined(chunks: Sequence[Ints], held: list[int]) -> tuple[Ints, Ints]:
    return (
        np.concatenate([chunks[c] for c in held]),
        np.repeat(np.asarray(held, np.int64), [len(chunks[c]) for c in held]),
    )


@dataclass
class Batch:
    """B rows padded on the right to T tokens (no mask is needed: attention is causal).

    ids (B, T). Everything else (B,), but pictures (B', K, C) of the rows `picture_rows` (B',). `chunk` numbers the
    comparison a row belongs to. With `shared_ids` (1, P) the rows hold what follows these P tokens, and positions
    count from there; else from the row's beginning. With `cached` the states after that block stand in for the tokens:
    `states` (B, T, D), `shared_states` (1, P, D).
    """

    ids: torch.Tensor
    length: torch.Tensor
    own_start: torch.Tensor
    target_start: torch.Tensor
    words_start: torch.Tensor
    words_end: torch.Tensor
    metric: torch.Tensor
    chunk: torch.Tensor
    value: torch.Tensor
    noise: torch.Tensor
    percentile: torch.Tensor
    reliability: torch.Tensor
    weight: torch.Tensor
    pictures: torch.Tensor
    picture_rows: torch.Tensor
    picture_at: torch.Tensor
    has_text: bool
    shared_ids: torch.Tensor | None = None
    cached: int = 0
    states: torch.Tensor | None = None
    shared_states: torch.Tensor | None = None


class Collator:
    """Keeps all arrays on the device and gathers batches there: no Python loop over examples.

    Args:
        share_prefix: Take what the rows of a batch begin with in common out of them. Not done where a model lies in
            pieces: a block would be run once or twice a pass, and processes would wait for each other for ever.
        processes: Those of the run; None: this one alone.
    """

    def __init__(
        self,
        data: Prepared,
        device: torch.device | str,
        *,
        share_prefix: bool = False,
        processes: Processes | None = None,
    ) -> None:
        import torch

        from lcbm_model.training.processes import Processes

        rows = data.rows
        self.processes = processes or Processes()
        self.share_prefix = share_prefix and not self.processes.in_pieces
        self.store: StateStore | None = None
        """Cached states that batches are made of, where there are some."""
        self.frozen: FrozenStates | None = None
        """Pooled states that stand for a forward pass, as long as nothing of the tower is tuned."""
        self.device = torch.device(device)
        self._data = data
        self.lengths = rows.lengths
        self._tokens = torch.from_numpy(rows.tokens.astype(np.int32)).to(self.device)
        self._offsets = torch.from_numpy(rows.offsets).to(self.device)
        self._pictures = torch.from_numpy(data.pictures).to(self.device)
        whole = ("own_start", "target_start", "words_start", "words_end", "metric", "picture", "picture_at")
        real = ("value", "noise", "percentile", "reliability", "weight")
        self._columns = {n: torch.from_numpy(getattr(rows, n).astype(np.int64)).to(self.device) for n in whole}
        self._columns |= {n: torch.from_numpy(getattr(rows, n).astype(np.float32)).to(self.device) for n in real}

    def metric_of(self, rows: Ints) -> torch.Tensor:
        """(n,) metric numbers on the device."""
        import torch

        return self._columns["metric"][torch.from_numpy(rows).to(self.device)]

    def has_text(self, rows: Ints) -> bool:
        """Whether any of the rows (n,) has an answer in words to learn."""
        return bool((self._data.rows.target_start[rows] < self.lengths[rows]).any())

    def beginnings(self, rows: Ints) -> tuple[Ints, Ints]:
        """(n,) numbers of what rows begin with, and (n,) tokens of each behind it; one number where none is shared."""
        from lcbm_model.training.shared_prefix import beginnings

        if not self.share_prefix:
            return np.zeros(len(rows), np.int64), self.lengths[rows]
        return beginnings(self._data.rows, rows)

    def batch(self, rows: Ints, chunks: Ints | None = None, *, cached: bool = True) -> Batch:
        """Gather rows (B,) into one padded batch.

        Args:
            cached: Whether the store's states may be used, where there is one.
        """
        import torch

        from lcbm_model.training.shared_prefix import shared_length

        behind = shared_length(self._data.rows, rows) if self.share_prefix else 0
        longest = int(self.lengths[rows].max()) - behind
        longest += -longest % 8  # lengths in eights keep matrix kernels on their fast path
        index = torch.from_numpy(rows).to(self.device)
        start, stop = self._offsets[index] + behind, self._offsets[index + 1]
        at = start[:, None] + torch.arange(longest, device=self.device)  # (B, T)
        ids = self._tokens[at.clamp(max=len(self._tokens) - 1)].long()
        ids = torch.where(at < stop[:, None], ids, 0)
        columns = {name: column[index] for name, column in self._columns.items()}
        for name in POSITIONS:
            columns[name] = columns[name] - behind
        picture = columns.pop("picture")
        shown = np.flatnonzero(self._data.rows.picture[rows] >= 0)
        shown_index = torch.from_numpy(shown).to(self.device)
        pictures = self._pictures[picture[shown_index]].float() * self._data.picture_step
        chunk = torch.arange(len(rows)) if chunks is None else torch.from_numpy(chunks)
        store = self.store if cached else None
        states, shared_states = store.take(rows, behind, longest, self.device) if store else (None, None)
        return Batch(
            shared_ids=self._tokens[start[0] - behind : start[0]].long()[None] if behind else None,
            cached=store.layer if store else 0,
            states=states,
            shared_states=shared_states,
            ids=ids,
            length=stop - start,
            chunk=chunk.to(self.device),
            pictures=pictures,
            picture_rows=shown_index,
            has_text=self.has_text(rows),
            **columns,
        )
