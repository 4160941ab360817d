"""Content: who says what, where, to whom, with which picture or video (the first half of a record)."""

from __future__ import annotations

import hashlib
import json
from datetime import date as Date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

CHANNELS: dict[str, str] = {
    "headline": "headline",
    "caption": "picture caption",
    "post": "social media post",
    "email_subject": "email subject line",
    "advert": "advert",
    "video": "video",
    "title": "link title",
}
"""Known channels and the noun each is spoken of with. Other channels are allowed and keep their own name."""


FORMATS: dict[str, str] = {"link": "a link", "photo": "a photo", "video": "a video", "status": "words alone"}
"""Kinds of post that the shipped models have seen, and what each is. Others are allowed and keep their own name."""
_SPELLINGS = {
    "link": ("links", "shared link", "article", "articles"),
    "photo": ("photos", "image", "images", "picture", "pictures", "ig image", "single image"),
    "video": ("videos", "reel", "reels", "ig reel", "native video", "ig video", "live video"),
    "status": ("statuses", "status update", "text", "text only", "text post"),
}
_FORMAT_OF = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in (name, *spellings)}


def format_key(text: str) -> str:
    """A kind of post by the word that models know it by, whatever a platform calls it: "Reels" is `video`.

    A kind that is none of `FORMATS` keeps its own words.
    """
    tidy = " ".join(text.replace("_", " ").replace("-", " ").split())
    return _FORMAT_OF.get(tidy.casefold(), " ".join(text.split()))


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Communicator(_Frozen):
    """Who speaks: a brand, page or account."""

    name: str | None = None
    description: str | None = None
    followers: int | None = Field(default=None, ge=0, description="Subscribers or followers, a count.")


class Media(_Frozen):
    """One picture or video by path. The bytes stay on disk until a vision encoder asks for them."""

    path: Path
    kind: Literal["image", "video"] = "image"
    alt: str | None = Field(default=None, description="What it shows, in words, where somebody wrote that down.")

    def sha256(self) -> str:
        """Hash of the file's bytes, so that caches follow the picture and not its name.

        Raises:
            OSError: The file cannot be read.
        """
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


class Scene(_Frozen):
    """A stretch of a video and what is seen and heard in it (the papers' verbalization slots)."""

    start: float | None = Field(default=None, ge=0, description="Seconds from the beginning; None where unknown.")
    end: float | None = Field(default=None, gt=0, description="Seconds from the beginning; None where unknown.")
    speech: str | None = None
    on_screen_text: str | None = None
    caption: str | None = None
    objects: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    tones: tuple[str, ...] = ()


class Content(_Frozen):
    """One piece of content. `text` is what a writer may change; all else is its setting.

    A field that is None is unknown: it is left out or masked when verbalized, never invented.
    """

    text: str
    channel: str = "post"
    title: str | None = None
    topic: str | None = None
    format: str | None = Field(default=None, description="Kind of post: one of `FORMATS`, or its own word.")
    communicator: Communicator | None = None
    audience: str | None = None
    date: Date | None = None
    media: tuple[Media, ...] = ()
    scenes: tuple[Scene, ...] = ()

    @field_validator("format")
    @classmethod
    def _one_spelling(cls, value: str | None) -> str | None:
        return value if value is None else format_key(value)

    @property
    def noun(self) -> str:
        """The channel's own word: "headline", "email subject line"."""
        return CHANNELS.get(self.channel, self.channel.replace("_", " "))

    @property
    def says_something(self) -> bool:
        """Whether there are words of any kind: a text, a title or scenes. Pictures speak only to models that see."""
        return bool(self.text.strip() or (self.title and self.title.strip()) or self.scenes)

    def with_text(self, text: str) -> Content:
        """The same setting with other words."""
        return self.model_copy(update={"text": text})

    def content_hash(self) -> str:
        """Stable hash over all fields and the bytes of the media (hex, 64 characters).

        Raises:
            OSError: A media file cannot be read.
        """
        fields = self.model_dump(mode="json", exclude={"media"})
        fields["media"] = [[m.kind, m.alt, m.sha256()] for m in self.media]
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
