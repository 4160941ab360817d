"""Which writers a run has, and which model each asks: from a name, or from a YAML file of several.

writers:
  - embedded
  - name: openai
    model: small-model
    base_url: http://127.0.0.1:8000/v1
  - name: openai-revision
    model: large-model
    base_url: https://models.example/v1
    api_key_env: LARGE_MODEL_KEY   # the name of the variable that holds the key, never the key
    price_in: 0.5
    price_out: 1.5
    spend_cap: 2.0
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lcbm_model.errors import SettingsError
from lcbm_model.strict_yaml import read_yaml

_NAMED = re.compile(r"(?P<name>[a-z-]+):(?P<model>.+)@(?P<base_url>https?://\S+)")


class ChatSettings(BaseModel):
    """One writer of a run. Endpoint settings count for chat writers only; what is None comes from LCBM_WRITER_*."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    model: str | None = None
    base_url: str | None = None
    api_key_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    timeout: float = Field(default=60.0, gt=0, description="Seconds for one answer.")
    max_retries: int = Field(default=2, ge=0)
    temperature: float = Field(default=0.9, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1)
    price_in: float | None = Field(default=None, ge=0, description="Price of a million prompt tokens.")
    price_out: float | None = Field(default=None, ge=0, description="Price of a million written tokens.")
    spend_cap: float | None = Field(default=None, ge=0, description="Most the model may ever spend, same currency.")

    @classmethod
    def of_name(cls, name: str) -> ChatSettings:
        """'embedded', 'openai', or 'openai:MODEL@BASE_URL'.

        Raises:
            SettingsError: A name with an endpoint that is none.
        """
        if ":" not in name:
            return cls(name=name)
        match = _NAMED.fullmatch(name.strip())
        if match is None:
            raise SettingsError(
                "writers",
                "is no name of a writer",
                value=name,
                remedy="For example openai:MODEL@http://127.0.0.1:8000/v1",
            )
        return cls.model_validate(match.groupdict())

    @property
    def key(self) -> str:
        """What two entries that mean the same writer share."""
        return f"{self.name}:{self.model or ''}@{(self.base_url or '').rstrip('/')}"

    @property
    def asked(self) -> tuple[str, str]:
        """Address and model that a chat writer asks; "" where neither the entry nor the environment says."""
        base_url, model = (os.environ.get(f"LCBM_WRITER_{name}", "").strip() for name in ("BASE_URL", "MODEL"))
        return (self.base_url or base_url).rstrip("/"), self.model or model

    @property
    def endpoint_given(self) -> bool:
        return self.model is not None or self.base_url is not None

    def arguments(self) -> dict[str, Any]:
        """For `OpenAIWriter`. A key goes only to the address it was meant for.

        Raises:
            SettingsError: The variable that should hold the key is not set.
        """
        given = self.model_dump(exclude={"name", "api_key_env"})
        own = os.environ.get("LCBM_WRITER_BASE_URL", "").strip().rstrip("/")
        if self.api_key_env is not None:
            if not (key := os.environ.get(self.api_key_env, "").strip()):
                raise SettingsError(self.api_key_env, "is not set", remedy=f"It should hold the key of {self.base_url}")
            given["api_key"] = key
        elif self.base_url is not None and self.base_url.rstrip("/") != own:
            given["api_key"] = "none"  # else the key of LCBM_WRITER_BASE_URL would go to another server
        return given


def read_file(path: Path) -> list[ChatSettings]:
    """Writers listed in a YAML file.

    Raises:
        SettingsError: No such file, no YAML list of writers, or a field is wrong; the message names it.
    """
    try:
        data = read_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        remedy = "Give the path of a YAML file of writers, see docs/writers.md"
        raise SettingsError(str(path), "no such file", remedy=remedy) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        problem = f"cannot be read as YAML: {' '.join(str(error).split())}"
        raise SettingsError(str(path), problem, remedy="See docs/writers.md") from error
    listed = data.get("writers") if isinstance(data, dict) else None
    if not isinstance(listed, list) or not listed:
        raise SettingsError(str(path), "holds no list `writers`", remedy="See docs/writers.md")
    made = []
    for number, entry in enumerate(listed, start=1):
        try:
            made.append(ChatSettings.of_name(entry) if isinstance(entry, str) else ChatSettings.model_validate(entry))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "entry"
            raise SettingsError(
                f"{path}: writer {number}: {field}", first["msg"], remedy="See docs/writers.md"
            ) from error
    return made
