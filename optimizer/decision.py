"""A person's word between rounds: go on or end, own wordings, vetoes and comments."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lcbm_model.errors import SettingsError
from lcbm_model.strict_yaml import read_yaml

HUMAN = "human"
"""Writer of every text that a person wrote: the original and the edits."""

LONGEST = 4000
"""Characters of one edit or comment."""


class Decision(BaseModel):
    """The answer to a run that waits for approval. It is kept in the result, word for word."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["continue", "finish"] = Field(
        default="continue",
        description="Another round, or the end; edits given with 'finish' are scored before the judge is asked.",
    )
    edits: dict[str, str] = Field(
        default={}, description="Candidate id to the person's own wording: a candidate of its own in the next round."
    )
    vetoed: tuple[str, ...] = Field(
        default=(), description="Ids never to be chosen; nothing nearly the same is let through later."
    )
    comments: dict[str, str] = Field(
        default={}, description="Candidate id ('' for the whole round) to words that writers get as critique."
    )
    round: int = Field(default=0, ge=0, description="The round it answered; filled in by the run.")

    @property
    def empty(self) -> bool:
        """Whether it says nothing beyond its action."""
        return not (self.edits or self.vetoed or self.comments)

    def same_as(self, other: Decision) -> bool:
        """Whether both say the same, whichever round they answer."""
        return self.model_copy(update={"round": 0}) == other.model_copy(update={"round": 0})

    def check(self, known: Collection[str]) -> Decision:
        """The decision itself where it can be followed.

        Args:
            known: Ids of the run's candidates.

        Raises:
            SettingsError: It names a candidate that does not exist, or an edit or comment is empty or too long.
        """
        named = [*((id_, "edits") for id_ in self.edits), *((id_, "vetoed") for id_ in self.vetoed)]
        named += [(id_, "comments") for id_ in self.comments if id_]
        for id_, field in named:
            if id_ not in known:
                remedy = f"Use one of: {', '.join(sorted(known))}" if known else "The run has no candidates yet"
                raise SettingsError(f"decision: {field}", "no such candidate", value=id_, remedy=remedy)
        for field, texts in (("edits", self.edits), ("comments", self.comments)):
            for text in texts.values():
                if text != text.encode("utf-8", "replace").decode("utf-8"):
                    raise SettingsError(f"decision: {field}", "holds half a character", value=text, remedy="Retype it")
                if not text.strip() or len(text) > LONGEST:
                    remedy = f"Write 1 to {LONGEST} characters"
                    raise SettingsError(f"decision: {field}", "is empty or too long", value=text, remedy=remedy)
        return self

    @classmethod
    def of(cls, said: Decision | str | dict[str, Any]) -> Decision:
        """From what a caller hands in: a decision, "continue", "finish", or its fields.

        Raises:
            SettingsError: Neither; the message names the field.
        """
        if isinstance(said, Decision):
            return said
        try:
            return cls.model_validate({"action": said} if isinstance(said, str) else said)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "decision"
            remedy = f"Known fields: {', '.join(f for f in cls.model_fields if f != 'round')}"
            raise SettingsError(f"decision: {where}", first["msg"], value=first["input"], remedy=remedy) from error

    @classmethod
    def load(cls, path: str | Path) -> Decision:
        """Read a YAML or JSON file with the fields of a decision.

        Raises:
            SettingsError: The file is missing, unreadable, no mapping, or a field is wrong.
        """
        path = Path(path)
        try:
            data = read_yaml(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SettingsError(str(path), "no such file", remedy="Pass a YAML or JSON file") from None
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise SettingsError(str(path), f"cannot be read: {' '.join(str(error).split())}") from error
        if not isinstance(data, dict):
            raise SettingsError(
                str(path), "must hold `field: value` lines", value=data, remedy="See docs/optimizing.md"
            )
        return cls.of(data)
