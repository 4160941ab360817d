"""Form values to a `Brief`, and what its lists offer. Mistakes are named by the form's own labels."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from lcbm_model.content import CHANNELS, FORMATS
from lcbm_model.errors import BriefError
from lcbm_model.metrics import get_metric, metric_names
from optimizer.brief import Brief

LABELS = {
    "message": "What has to be said",
    "draft": "Your draft",
    "metric": "Goal",
    "channel": "Where it appears",
    "audience": "Audience",
    "tone": "Tone",
    "must_keep": "Facts that must stay",
    "banned_words": "Words to avoid",
    "rules": "House rules",
    "max_length": "Longest text",
    "communicator.name": "Brand",
    "title": "Title it goes with",
    "format": "Kind of post",
    "picture": "Picture",
}


@dataclass(frozen=True)
class BriefForm:
    """The form's raw values, in the order of its fields on the page."""

    message: str = ""
    draft: str = ""
    metric: str = "click_rate"
    channel: str = "post"
    audience: str = ""
    tone: str = ""
    brand: str = ""
    brand_about: str = ""
    must_keep: str = ""
    banned_words: str = ""
    rules: str = ""
    max_length: float = 280
    title: str = ""
    format: str = ""
    rounds: float = 3
    candidates: float = 8
    approval: bool = False

    def __post_init__(self) -> None:
        """A field that nobody touched, in a fold that nobody opened, arrives as None: it has its default then."""
        for field in fields(self):
            if getattr(self, field.name) is None:
                object.__setattr__(self, field.name, field.default)

    @classmethod
    def names(cls) -> list[str]:
        return [f.name for f in fields(cls)]

    @classmethod
    def from_brief(cls, brief: Brief) -> BriefForm:
        """The form that shows `brief`."""
        who = brief.communicator
        return cls(
            message=brief.message,
            draft=brief.draft or "",
            metric=brief.metric,
            channel=brief.channel,
            audience=brief.audience or "",
            tone=brief.tone or "",
            brand=(who and who.name) or "",
            brand_about=(who and who.description) or "",
            must_keep="\n".join(brief.must_keep),
            banned_words="\n".join(brief.banned_words),
            rules="\n".join(brief.rules),
            max_length=brief.max_length,
            title=brief.title or "",
            format=brief.format or "",
            rounds=brief.budget.rounds,
            candidates=brief.budget.candidates,
            approval=brief.approval,
        )

    def brief(self, picture: Path | None = None) -> Brief:
        """The brief it asks for. An empty message means: say what the draft says.

        Raises:
            BriefError: A field is wrong; named by its label on the page.
        """
        message = self.message.strip() or self.draft.strip()
        if not message:
            raise BriefError(LABELS["message"], "is empty", remedy="Write a sentence or two, or paste your draft")
        data: dict[str, Any] = {
            "message": message,
            "draft": self.draft.strip() or None,
            "metric": self.metric,
            "channel": self.channel.strip() or "post",
            "audience": self.audience.strip() or None,
            "tone": self.tone.strip() or None,
            "picture": picture,
            "must_keep": split_lines(self.must_keep),
            "banned_words": [w for line in split_lines(self.banned_words) for w in split_commas(line)],
            "rules": split_lines(self.rules),
            "max_length": int(self.max_length),
            "title": self.title.strip() or None,
            "format": self.format.strip() or None,
            "approval": bool(self.approval),
            "budget": {"rounds": int(self.rounds), "candidates": int(self.candidates)},
        }
        if self.brand.strip() or self.brand_about.strip():
            data["communicator"] = {
                "name": self.brand.strip() or None,
                "description": self.brand_about.strip() or None,
            }
        try:
            return Brief.parse(data, where="form")
        except BriefError as error:
            name = error.where.removeprefix("form: ")
            label = LABELS.get(name) or LABELS.get(name.split(".")[0], name)
            raise BriefError(label, error.problem, value=error.value, remedy="Change it and try again") from error


def split_lines(text: str) -> tuple[str, ...]:
    """Non-empty lines, trimmed, first of each kept."""
    return tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def split_commas(line: str) -> list[str]:
    """Comma-separated words of one line, trimmed."""
    return [part.strip() for part in line.split(",") if part.strip()]


def metric_choices() -> list[tuple[str, str]]:
    """(what people read, name) of every metric."""
    return [(get_metric(name).title.capitalize(), name) for name in metric_names()]


def channel_choices() -> list[tuple[str, str]]:
    """(what people read, name) of the known channels."""
    return [(noun.capitalize(), name) for name, noun in CHANNELS.items()]


def format_choices() -> list[tuple[str, str]]:
    """(what people read, name) of the known kinds of post, behind the one that is not said."""
    return [("Not said", ""), *((what.capitalize(), name) for name, what in FORMATS.items())]
