"""From prompts in tokens to readings: sorted so that neighbours share much, cut into passes that fit the memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import torch

from lcbm_model.backbone.adapter import ValueHead
from lcbm_model.backbone.model import Backbone
from lcbm_model.backbone.runtime import is_out_of_memory
from lcbm_model.errors import InputError
from lcbm_model.simulator.beginnings import Beginnings
from lcbm_model.simulator.items import Engine, Item, Picture, Reading, Row, Unread
from lcbm_model.simulator.packed import PackedEngine, can_pack
from lcbm_model.simulator.padded import PaddedEngine
from lcbm_model.simulator.pictures import PictureCache
from lcbm_model.simulator.readout import ReadOut
from lcbm_model.simulator.stream import never

PASS_TOKENS, PASS_TOKENS_ON_GPU = 2048, 16384
Readings = dict[Item, Reading | Unread]
"""What a pass brought, item by item."""


class Scorer:
    """Scores prompts on one backbone; many threads may use one scorer, pass by pass.

    Args:
        pass_tokens: Tokens of one forward pass, shared ones counted once: this bounds the memory. A single prompt
            may exceed it. Halved for good when memory runs out. None: 2,048 on a processor, 16,384 on a GPU.
        engine: How passes are run; None packs wherever the architecture allows it.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        pass_tokens: int | None = None,
        engine: Callable[[Backbone], Engine] | None = None,
    ) -> None:
        self.backbone = backbone
        self.pass_tokens = pass_tokens or (PASS_TOKENS if backbone.device.type == "cpu" else PASS_TOKENS_ON_GPU)
        self.pictures = PictureCache(backbone)
        self._readout = ReadOut(backbone)
        self._beginnings = Beginnings()
        packed = partial(PackedEngine, beginnings=self._beginnings)
        self._engine = engine or (packed if can_pack(backbone) else PaddedEngine)

    def forget(self) -> None:
        """Drop what earlier calls left: pictures, and what their prompts began with."""
        with self.backbone.lock:
            self.pictures.clear()
            self._beginnings.clear()

    def read(
        self, items: Sequence[Item], head: ValueHead | None = None, *, cancelled: Callable[[], bool] = never
    ) -> Iterator[Readings]:
        """Readings of all distinct items, pass by pass. Nothing is held while the caller works on a pass.

        Args:
            head: Value head to read as well.
            cancelled: Asked before every pass; the iterator ends where it says so.
        """
        wanted: dict[Item, list[Item]] = defaultdict(list)
        for item in dict.fromkeys(items):
            wanted[self._readout.needed(item, head)].append(item)
        rows = self._rows(wanted)
        engine = self._engine(self.backbone)
        start, kept = 0, False
        while start < len(rows):
            if cancelled():
                return
            stop = self._cut(rows, start, engine, kept)
            try:
                found = self._pass(rows[start:stop], rows[stop] if stop < len(rows) else None, engine, head)
                kept = True
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                engine.forget()
                kept = False
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
                if stop - start > 1:
                    self.pass_tokens = max(1, self._tokens(rows[start:stop], engine) // 2)
                    continue
                reason = "does not fit the memory: shorten the text or show fewer examples"
                found = {rows[start].item: Unread(reason)}
            yield {item: reading for needed, reading in found.items() for item in wanted[needed]}
            start = stop

    def _rows(self, items: Iterable[Item]) -> list[Row]:
        """Items in the order of their tokens; each picture gets numbers of its own in place of its tokens."""
        token, size = self.backbone.image_token, self.backbone.tokens_per_picture
        numbers: dict[str, int] = {}
        rows = []
        for item in items:
            trail = item.shared + item.own
            if item.pictures:
                shown = [numbers.setdefault(key, len(numbers)) for key in item.pictures]
                marks = iter(-(picture * size + place) - 1 for picture in shown for place in range(size))
                trail = tuple(next(marks) if t == token else t for t in trail)
            rows.append(Row(trail, item))
        return sorted(rows, key=lambda row: row.trail)

    def _cut(self, rows: Sequence[Row], start: int, engine: Engine, kept: bool) -> int:
        """End of the pass that begins at `start`: as many rows as fit `pass_tokens`, at least one."""
        total = engine.cost(rows[start - 1] if kept else None, rows[start])
        stop = start + 1
        while stop < len(rows):
            total += engine.cost(rows[stop - 1], rows[stop])
            if total > self.pass_tokens:
                break
            stop += 1
        return stop

    def _tokens(self, rows: Sequence[Row], engine: Engine) -> int:
        """What a pass over rows costs without anything kept."""
        return sum(engine.cost(rows[i - 1] if i else None, row) for i, row in enumerate(rows))

    def _pass(self, rows: Sequence[Row], following: Row | None, engine: Engine, head: ValueHead | None) -> Readings:
        found: Readings = {}
        with self.backbone.lock, torch.inference_mode():
            pictures: dict[str, Picture] = {}
            for row in rows:
                try:
                    for key, path in zip(row.item.pictures, row.item.paths, strict=True):
                        pictures[key] = self.pictures.look(key, path)
                except InputError as error:
                    found[row.item] = Unread(str(error))
            fine = [row for row in rows if row.item not in found]
            if fine:
                blocks, stops = self._readout.blocks(head), self._readout.stops_early(head)
                states = engine.run(fine, following, pictures, blocks, stops)
                items = [row.item for row in fine]
                found.update(zip(items, self._readout.read(items, states, pictures, head), strict=True))
        return found
