"""The seam between training and the kinds of models it can tune.

An `Architecture` answers for one kind: where its files are, how prompts and pictures become tokens (preparing, no
weights), and how to load it, to show it pictures and to number its tokens (fitting; torch and transformers alone).
Legend: P pictures, N pictures of one batch, K tokens of a picture, C channels, D width, B rows, L tokens of a row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor, nn

    from lcbm_model.backbone.chat import PromptEncoder

Told = Callable[[str], None]


@dataclass(frozen=True)
class BaseFiles:
    """A base on disk."""

    folder: Path
    name: str
    """As an adapter names it: a name that `load_simulator` knows, or the folder."""
    hash: str
    """Empty where the folder holds no weights: enough to prepare and to estimate, not to train."""
    vision_hash: str | None
    tokens_per_picture: int
    """Of the largest picture. 0: pictures are not shown."""
    architecture: str = "smol"

    def to_dict(self) -> dict[str, Any]:
        """What the manifest of a prepared folder keeps."""
        return {
            "name": self.name,
            "hash": self.hash,
            "vision_hash": self.vision_hash,
            "architecture": self.architecture,
        }


@dataclass(frozen=True)
class Pictures:
    """Pictures as they are packed: values (P, K, C) in steps of `step`, and how many tokens each takes in a prompt."""

    values: npt.NDArray[np.uint8]
    step: float
    tokens: tuple[int, ...]


@dataclass(frozen=True)
class Seen:
    """N pictures of a batch: tokens (N, K, D), of which the first `counts` (N,) are real; grid (N, 2) rows and columns
    of tokens where positions depend on it; summary (N, F) for value heads."""

    tokens: Tensor
    counts: Tensor
    summary: Tensor
    grid: Tensor | None = None


class Architecture(ABC):
    """One kind of base. Holds no state."""

    name: ClassVar[str]
    """As `base.architecture` of a recipe says it."""
    model_types: ClassVar[tuple[str, ...]] = ()
    """`model_type` of the transformers configurations it loads; empty: any causal language model."""
    recompute: ClassVar[bool] = False
    """Whether blocks run again in the backward pass, to save memory."""
    caches: ClassVar[bool] = True
    """Whether the states of the lower blocks can be kept on disk (`optim.cache_states`)."""
    own_eyes: ClassVar[bool] = False
    """Whether vision tower and connector are parts of the model itself."""

    @abstractmethod
    def resolve(self, model: str) -> BaseFiles:
        """The files of a base by its name, folder or hub name.

        Raises:
            CheckpointError: Nothing there, or its weights cannot be read.
            SettingsError: It is of another architecture.
        """

    @abstractmethod
    def encoder(self, base: BaseFiles, tokenizer: Any) -> PromptEncoder:
        """Its encoder of prompts, the one that the simulator will use."""

    @abstractmethod
    def pictures(self, base: BaseFiles, paths: Sequence[str], told: Told) -> Pictures:
        """Picture files as they are packed.

        Raises:
            PictureError: One of them cannot be used.
        """

    @abstractmethod
    def load(self, folder: Path) -> Any:
        """The model in a folder, in evaluation mode. May raise OSError, ValueError, KeyError or RuntimeError."""

    @abstractmethod
    def tower(self, model: Any) -> Any:
        """Its decoder: `embed_tokens`, `layers`, `norm`, `rotary_emb`."""

    @abstractmethod
    def take_connector(self, model: Any, channels: int) -> nn.Module:
        """What is trained between vision tower and decoder; taken out of the model where it was part of it.

        Args:
            channels: C of the packed pictures.
        """

    @abstractmethod
    def summary_width(self, model: Any, channels: int) -> int:
        """F of `Seen.summary`."""

    @abstractmethod
    def look(self, model: Any, connector: nn.Module, pictures: Tensor) -> Seen:
        """See packed pictures (N, K, C). Gradients reach the connector only."""

    @abstractmethod
    def positions(self, rows: int, length: int, at: Tensor, shown: Tensor, seen: Seen | None) -> Tensor:
        """Position ids for the rotary embedding: (1, L), or (3, B, L) where pictures are numbered in two dimensions.

        Args:
            at: (N,) place of each picture's first token.
            shown: (N,) row of each picture.
        """
