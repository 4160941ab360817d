"""Invented posts of a wished size in tokens."""

from __future__ import annotations

import random
from pathlib import Path

from lcbm_model.content import Content, Media
from lcbm_model.metrics import get_metric
from lcbm_model.simulator.base import Context, Known
from lcbm_model.simulator.items import Item
from lcbm_model.simulator.local import LocalSimulator
from lcbm_model.verbalize import behavior_prompt

METRIC = "click_rate"
_TEXT = (
    "bread tea oven queue window street baker morning flour river garden light winter summer market price open close "
    "shop people seven early late warm slow quick new old first last only never again why how what where best small"
)
WORDS = _TEXT.split()


def candidates(simulator: LocalSimulator, n: int, *, tokens: int = 25, seed: int = 0) -> list[Content]:
    """Distinct headlines of about so many tokens (a fifth more or less)."""
    draw = random.Random(seed)
    contents: dict[str, Content] = {}
    while len(contents) < n:
        wanted = draw.randint(int(tokens * 0.8), int(tokens * 1.2))
        text = ""
        while len(simulator.backbone.encoder.plain(text)) < wanted:
            text = f"{text} {draw.choice(WORDS)}".strip()
        contents[text] = Content(text=text.capitalize(), channel="headline")
    return list(contents.values())


def context(simulator: LocalSimulator, prefix_tokens: int, *, seed: int = 1) -> Context:
    """Known results until the shared part has about so many tokens."""
    draw = random.Random(seed)
    known: tuple[Known, ...] = ()
    while len(encoded(simulator, [Content(text="x", channel="headline")], Context(examples=known))[0].shared) < (
        prefix_tokens - 12
    ):
        words = " ".join(draw.choice(WORDS) for _ in range(12))
        known = (*known, Known(text=words, percentile=draw.randint(0, 99)))
    return Context(examples=known)


def encoded(simulator: LocalSimulator, contents: list[Content], around: Context) -> list[Item]:
    """The prompts in tokens (without pictures)."""
    asked = get_metric(METRIC)
    found = [simulator.backbone.encoder.encode(behavior_prompt(content, asked, around)) for content in contents]
    return [Item(e.shared, e.own, e.words) for e in found]


def with_pictures(contents: list[Content], folder: Path, *, distinct: bool) -> list[Content]:
    """The same headlines with one picture for all, or one for each."""
    import numpy as np
    from PIL import Image

    shown = []
    for i, content in enumerate(contents):
        path = folder / f"{i if distinct else 0}.png"
        if not path.exists():
            pixels = np.random.default_rng(i).integers(0, 255, (480, 640, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
        shown.append(content.model_copy(update={"media": (Media(path=path),)}))
    return shown
