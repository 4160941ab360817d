"""LAMBDA: video adverts told scene by scene, and how many people remember them days later."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import polars as pl

from lcbm_model.behavior import Observation
from lcbm_model.content import Communicator, Content, Media, Scene
from lcbm_model.corpus.base import Problem
from lcbm_model.corpus.frame_reader import FrameReader
from lcbm_model.corpus.frames import ROW, Check, Kind
from lcbm_model.corpus.record import Record
from lcbm_model.corpus.shrinkage import COUNT_RELIABILITY, percentiles

_BRAND = re.compile(r"advertisement for (.+?)\. The title of the advertisement is \"(.*?)\"\. ", re.S)
_SECONDS = re.compile(r"They watch a (\d+) second")
_SPEECH = re.compile(r"The audio in the ad says (.*?)\s*\. Following are the descriptions", re.S)
_SCENE = re.compile(r"Scene \d+: The scene shows ")
_END = "Return the long term memorability"


class LambdaReader(FrameReader):
    """Adverts with their brand, title, speech and scenes; the text is the speech, where there is any."""

    name = "lambda"
    licence = "MIT"
    metrics = ("memorability",)
    columns: ClassVar[Mapping[str, Kind]] = {"question_id": "int", "question": "text", "memorability": "int"}

    def checks(self) -> Sequence[Check]:
        """A score outside 0..99 or an advert twice."""
        return (
            Check("memorability", pl.col("memorability") > 99, "lies outside 0..99", "Give a score of 0..99"),
            Check("question_id", pl.col("question_id").is_first_distinct().not_(), "is there twice", "Keep one row"),
        )

    def measure(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Ranks over all adverts."""
        scores = frame["memorability"].to_numpy().astype(float)
        return frame.with_columns(pl.Series("percentile", percentiles(scores)))

    def record(self, row: Mapping[str, Any], media: tuple[Media, ...]) -> Record | None:
        """An advert as a record; none where its description cannot be read."""
        content = parse_advert(row["question"])
        if content is None:
            remedy = "Give JSON with a 'question' that tells brand, title and scenes"
            value = row["question"]
            self.problems.add(Problem("lambda", "question", row[ROW], value, "tells no scenes", remedy))
            return None
        seen = Observation(metric="memorability", value=row["memorability"], percentile=row["percentile"])
        return Record(
            id=f"{self.name}-{row['question_id']}",
            source=self.name,
            content=content,
            observations=(seen,),
            context=self.name,
            group=f"{self.name}:{row['question_id']}",
            split=row["split"],
            weight=COUNT_RELIABILITY,
        )


def parse_advert(question: str) -> Content | None:
    """The advert told in one `question` (JSON or its plain inner text); None where it holds no scenes."""
    try:
        told = json.loads(question)
        text = told["question"] if isinstance(told, dict) else str(told)
    except (ValueError, RecursionError, KeyError):
        text = question
    if not isinstance(text, str):
        return None
    text = text.split(_END)[0]
    head, *scenes = _SCENE.split(text)
    if not scenes:
        return None
    brand, speech, seconds = _BRAND.search(head), _SPEECH.search(head), _SECONDS.search(head)
    return Content(
        text=speech[1] if speech else "",
        channel="video",
        title=brand[2] if brand and brand[2] else None,
        communicator=Communicator(name=brand[1]) if brand else None,
        topic=f"{seconds[1]} second advert" if seconds else None,
        scenes=tuple(_scene(s) for s in scenes),
    )


def _scene(text: str) -> Scene:
    colours = re.search(r"The foreground colors of the scene are (.*?), and the background colors are (.*?)\.", text)
    tone = re.search(r"The dominant tone of the scene is (.*?)\.", text)
    feelings = re.search(r"The emotions shown in the scene are (.*?)\.", text)
    tags = re.search(r"categorized by the tags (.*?)\.(?: |$)", text)
    shown = re.search(r"The text shown in the scene is (.*)$", text.strip(), re.S)
    words = ", ".join(re.findall(r"'([^']+)'", shown[1])) if shown else ""
    return Scene(
        caption=text.split(". The foreground")[0].strip().rstrip(".") or None,
        on_screen_text=words or None,
        objects=_listed(tags),
        colours=tuple(dict.fromkeys(c.replace("_", " ") for c in _listed(colours))),
        tones=tuple(dict.fromkeys((*_listed(tone), *_listed(feelings)))),
    )


def _listed(found: re.Match[str] | None) -> tuple[str, ...]:
    if found is None:
        return ()
    return tuple(dict.fromkeys(part.strip() for g in found.groups() for part in g.split(",") if part.strip()))
