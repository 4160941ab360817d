"""The brief: what is to be said, to whom, where, with which picture, and how much may be spent."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import shorten
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lcbm_model.content import Communicator, Content
from lcbm_model.errors import BriefError, MetricError
from lcbm_model.metrics import get_metric
from lcbm_model.strict_yaml import read_yaml
from lcbm_model.vision.video import seen_media

NAME = 48
"""Characters of a message that name a campaign which nobody named."""


class Budget(BaseModel):
    """Every limit of a run. Whichever is reached first ends it; the best so far is always returned."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rounds: int = Field(default=3, ge=0, le=100, description="Rounds of drafting.")
    candidates: int = Field(default=8, ge=1, le=1024, description="Drafts asked for in one round.")
    simulator_calls: int = Field(default=400, ge=0, description="Contents scored, over the whole run.")
    writer_tokens: int = Field(default=200_000, ge=0, description="Tokens written and read by writers.")
    money: float | None = Field(default=None, ge=0, description="Spend cap in the writers' currency; None: no cap.")
    seconds: float | None = Field(default=None, gt=0, description="Wall time, checked between steps; None: no limit.")
    patience: int = Field(default=2, ge=1, description="Rounds without a reliable gain before the loop stops.")
    halving: bool = Field(
        default=True,
        description="With an ensemble: its first member scores every draft, all members only the better half.",
    )
    least_call_gain: float = Field(
        default=0.25,
        ge=0,
        le=100,
        description="Percentile points that a simulator call must be expected to gain; 0: call while drafts last. "
        "Only where a first look at drafts can be had.",
    )


def _known_metric(metric: str) -> str:
    """As pydantic wants it: only a ValueError is put beside its field."""
    try:
        get_metric(metric)
    except MetricError as error:
        raise ValueError(f"{error.problem}{f'. {error.remedy}' if error.remedy else ''}") from error
    return metric


def _said(value: Any) -> Any:
    """Words, or a list of them, each with something in it: a required word of nothing would refuse every draft."""
    for text in [value] if isinstance(value, str) else value or ():
        if not text.strip():
            raise ValueError("is blank: fill it in or drop it")
    return value


class Objective(BaseModel):
    """A further aim beside the brief's own metric: another metric, or the same one elsewhere or for other people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    channel: str | None = Field(default=None, min_length=1, max_length=60, description="None: the brief's own.")
    audience: str | None = Field(default=None, min_length=1, max_length=400, description="None: the brief's own.")
    weight: float = Field(default=1.0, ge=0, le=100, description="Beside 1 for the brief's own metric; 0: only shown.")

    _known_metric = field_validator("metric")(_known_metric)

    @property
    def label(self) -> str:
        """Its name in results: 'shares', 'shares in post', 'click_rate for young parents'."""
        where = f" in {self.channel}" if self.channel else ""
        return f"{self.metric}{where}{f' for {self.audience}' if self.audience else ''}"


class Brief(BaseModel):
    """One job for the optimiser. `Brief.load` reads it from YAML and names the field of every mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        default="brief", min_length=1, max_length=120, description="Of the campaign; the first words where not given."
    )
    note: str | None = Field(default=None, description="Shown on the report, never to a model: 'invented sample'.")
    message: str = Field(min_length=1, max_length=4000, description="What has to be said.")
    metric: str = Field(default="click_rate", description="The behaviour to raise.")
    channel: str = Field(default="post", min_length=1, max_length=60)
    draft: str | None = Field(default=None, min_length=1, max_length=4000, description="The text to beat, if any.")
    title: str | None = Field(default=None, description="Title of the video or page the text goes with.")
    format: str | None = Field(default=None, min_length=1, max_length=60, description="Kind of post: photo, link, ...")
    audience: str | None = None
    communicator: Communicator | None = None
    tone: str | None = None
    picture: Path | None = Field(
        default=None,
        description="A picture, or a video seen through a few frames. Relative paths: from the brief's folder.",
    )
    must_keep: tuple[str, ...] = Field(default=(), description="Facts that must survive to the letter.")
    keep_figures: bool = Field(
        default=True,
        description="Numbers, prices, dates, times and links of the draft must survive too; without a draft those of a "
        "message of one sentence.",
    )
    required_words: tuple[str, ...] = ()
    banned_words: tuple[str, ...] = ()
    rules: tuple[str, ...] = Field(default=(), description="Brand rules in plain words, handed to the writers.")
    min_length: int = Field(default=1, ge=0, description="Characters.")
    max_length: int = Field(default=280, ge=1, le=5000, description="Characters.")
    budget: Budget = Budget()
    approval: bool = Field(default=False, description="Stop after each round until a person approves.")
    objectives: tuple[Objective, ...] = Field(
        default=(), max_length=8, description="Further aims: drafts are weighed on all of them, the front is shown."
    )
    reliable_gain: float = Field(
        default=0.55,
        ge=0.5,
        lt=1,
        description="Least chance to beat the original with which a draft takes its place; 0.5: any gain counts.",
    )
    least_meaning: float = Field(
        default=0.4, ge=0, le=1, description="Least likeness in meaning to what must be said; 0 switches that off."
    )
    slate: int = Field(default=5, ge=1, le=50, description="Good and different drafts named in the result.")
    debias: bool = Field(
        default=True, description="Rank without what scores owe to length and format alone (from 8 scored drafts on)."
    )

    _known_metric = field_validator("metric")(_known_metric)
    _said = field_validator(
        "name", "message", "channel", "draft", "must_keep", "required_words", "banned_words", "rules"
    )(_said)

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        """Runs are found again by their names, and a list of nothing but "brief" helps nobody."""
        said = data.get("message") or data.get("draft") if isinstance(data, dict) else None
        if not isinstance(said, str) or "name" in data:
            return data
        return {**data, "name": shorten(" ".join(said.split()), NAME, placeholder=" …")} if said.strip() else data

    @model_validator(mode="after")
    def _no_contradiction(self) -> Brief:
        """Constraints that cannot all hold are said before any call is spent."""
        from agents.screener.words import banned_reasons

        if self.min_length > self.max_length:
            raise BriefError(
                "min_length", f"is above max_length {self.max_length}", value=self.min_length, remedy="Lower it"
            )
        for banned in self.banned_words:
            for kept in (*self.must_keep, *self.required_words):
                if banned_reasons(kept, (banned,)):
                    raise BriefError(
                        "banned_words", f"also stands in the required text {kept!r}", value=banned, remedy="Drop one"
                    )
        parts = [" ".join(part.casefold().split()) for part in (*self.must_keep, *self.required_words)]
        apart = [one for one in dict.fromkeys(parts) if not any(one != other and one in other for other in parts)]
        needed = sum(map(len, apart))  # what stands in another of them takes no room of its own
        if needed > self.max_length:
            raise BriefError(
                "max_length",
                f"cannot hold must_keep and required_words, which take {needed} characters",
                value=self.max_length,
                remedy="Raise it or keep less",
            )
        return self

    @model_validator(mode="after")
    def _no_objective_twice(self) -> Brief:
        """The brief's own metric, channel and audience are an aim already."""
        seen = {(self.metric, self.channel, self.audience)}
        for objective in self.objectives:
            aim = (objective.metric, objective.channel or self.channel, objective.audience or self.audience)
            if aim in seen:
                remedy = "Drop it, or name another metric, channel or audience"
                raise BriefError("objectives", "is asked for twice", value=objective.label, remedy=remedy)
            seen.add(aim)
        return self

    @property
    def kept(self) -> tuple[str, ...]:
        """Facts that must survive to the letter: `must_keep`, and the figures of the text to beat where they fit."""
        from agents.screener.figures import figures
        from agents.screener.words import banned_reasons

        kept = list(self.must_keep)
        room = self.max_length - sum(len(part) + 1 for part in (*self.must_keep, *self.required_words))
        for figure in figures(self._measure) if self.keep_figures else ():
            room -= len(figure) + 1
            if room < 0:
                break
            if not any(figure in fact for fact in self.must_keep) and not banned_reasons(figure, self.banned_words):
                kept.append(figure)
        return tuple(kept)

    @property
    def _measure(self) -> str:
        """The text whose figures a draft has to keep: a headline need not hold all of a message of many sentences."""
        alone = len(re.findall(r"[.!?…](?=\s+\S)|\n", self.message.strip())) == 0
        return self.draft or (self.message if alone and len(self.message) <= self.max_length else "")

    @classmethod
    def load(cls, path: str | Path) -> Brief:
        """Read a YAML brief.

        Raises:
            BriefError: The file is missing, unreadable, no YAML mapping, or a field is wrong; the message names it.
        """
        path = Path(path)
        try:
            data = read_yaml(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise BriefError(str(path), "no such brief", remedy="Pass the path of a YAML file") from None
        except (OSError, UnicodeDecodeError) as error:
            raise BriefError(str(path), f"cannot be read: {error}", remedy="Save it as a UTF-8 text file") from error
        except yaml.YAMLError as error:
            problem = f"is not valid YAML: {' '.join(str(error).split())}"
            raise BriefError(str(path), problem, remedy="See examples/ for briefs that are") from error
        except RecursionError:
            raise BriefError(str(path), "holds lists within lists without end", remedy="See examples/") from None
        if not isinstance(data, dict):
            raise BriefError(str(path), "must hold `field: value` lines", value=data, remedy="See examples/")
        return cls.parse(data, where=str(path), folder=path.parent)

    @classmethod
    def parse(cls, data: dict[str, Any], *, where: str = "brief", folder: Path | None = None) -> Brief:
        """Validate fields; relative pictures are taken from `folder`.

        Raises:
            BriefError: The first wrong field, its value and the remedy.
        """
        data = dict(data)
        if folder is not None and data.get("picture") and isinstance(data["picture"], str):
            data["picture"] = folder / data["picture"]
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            found = error.errors()
            # A misspelt field explains the one that is missing.
            first = next((e for e in found if e["type"] == "extra_forbidden"), found[0])
            field = ".".join(str(part) for part in first["loc"]) or "brief"
            known = ", ".join(cls.model_fields)
            remedy = {
                "extra_forbidden": f"Known fields: {known}",
                "tuple_type": "Write one entry a line, each behind `- `; or [one, another]",
                "missing": "Give it",
            }.get(first["type"], "Mend the field")
            problem = {"tuple_type": "must be a list", "extra_forbidden": "is no field of a brief"}.get(
                first["type"], first["msg"].removeprefix("Value error, ")
            )
            raise BriefError(f"{where}: {field}", problem, value=first["input"], remedy=remedy) from error
        except BriefError as error:
            raise BriefError(f"{where}: {error.where}", error.problem, value=error.value, remedy="Mend it") from error

    def with_budget(self, **limits: Any) -> Brief:
        """The same brief with some limits of its budget changed: `brief.with_budget(rounds=1, candidates=4)`.

        Raises:
            BriefError: An unknown limit, or a value out of range.
        """
        return self.parse({**self.model_dump(), "budget": {**self.budget.model_dump(), **limits}})

    def content(self, text: str | None = None, objective: Objective | None = None) -> Content:
        """The content a simulator scores: this brief's setting with `text` (default: the draft).

        Args:
            objective: Whose channel and audience stand in for the brief's own, where it names them.

        Raises:
            PictureError: The brief's picture is a video that cannot be used.
        """
        return Content(
            text=text if text is not None else (self.draft or ""),
            channel=(objective and objective.channel) or self.channel,
            title=self.title,
            format=self.format,
            communicator=self.communicator,
            audience=(objective and objective.audience) or self.audience,
            media=seen_media(self.picture),
        )
