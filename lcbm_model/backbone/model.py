"""The backbone: language model, tokenizer and eyes, ready to score, to write and to be trained."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lcbm_model.backbone.adapter import Adapter, ValueHead
from lcbm_model.backbone.chat import PromptEncoder
from lcbm_model.backbone.turns import Turns
from lcbm_model.errors import CheckpointError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from lcbm_model.backbone.text_encoder import TextEncoder
    from lcbm_model.vision.eyes import Eyes


class Backbone:
    """A language model that may see. One object per set of weights; share it, do not copy it.

    Attributes:
        name: For people: 'smollm2-135m-untuned', 'lcbm-smol'.
        language_model: The causal language model (transformers), weights merged, in evaluation mode.
        tokenizer: Its tokenizer, with `<image>` where the model sees.
        base_hash: SHA-256 that adapters are tied to.
        adapter: What was merged in, or None.
        lock: Held by whoever runs the model: tokenizers and hooks are not made for two threads at once. Handed on in
            the order it was asked for; long work gives it back between passes. Backbones that share their weights
            share it.
    """

    def __init__(
        self,
        name: str,
        language_model: Any,
        tokenizer: Any,
        *,
        base_hash: str,
        base: str,
        adapter: Adapter | None = None,
        make_eyes: Callable[[Backbone], Eyes] | None = None,
        image_token: int | None = None,
        tokens_per_picture: int = 0,
        lock: Turns | None = None,
    ) -> None:
        self.name, self.language_model, self.tokenizer = name, language_model, tokenizer
        self.base_hash, self.base, self.adapter = base_hash, base, adapter
        self._make_eyes = make_eyes
        self.image_token = image_token if make_eyes else None
        self.tokens_per_picture = tokens_per_picture if make_eyes else 0
        self.lock = lock or Turns()
        self._text_encoders: dict[str, TextEncoder] = {}
        if adapter is not None:
            _check_heads(adapter, layers=len(self.layers), width=language_model.get_input_embeddings().weight.shape[1])

    @property
    def sees(self) -> bool:
        """Whether pictures reach the model. Where they do not, picture slots are masked."""
        return self._make_eyes is not None

    @cached_property
    def eyes(self) -> Eyes:
        """Vision tower and connector, loaded when the first picture comes.

        Raises:
            CheckpointError: This checkpoint does not see, or the vision weights are missing.
        """
        if self._make_eyes is None:
            raise CheckpointError(self.name, "this checkpoint does not see", remedy="Leave the pictures out")
        return self._make_eyes(self)

    def text_encoder(self, head: ValueHead) -> TextEncoder | None:
        """The tuned sentence encoder that a value head reads beside the language model; None: it reads none.

        Made when it is first asked for: a run of one metric needs one of them.

        Raises:
            CheckpointError: Its package is missing, or other weights than those it was tuned from.
        """
        if self.adapter is None or (spec := self.adapter.spec.text_encoder) is None:
            return None
        if not bool(head.weight[-spec.width :].any()):
            return None
        if head.tower not in self._text_encoders:
            from lcbm_model.backbone.text_encoder import tuned_text_encoder

            updates, sight = self.adapter.encoder_updates(head.tower), spec.sight(head.tower)
            self._text_encoders[head.tower] = tuned_text_encoder(spec, updates, sight=sight, device=self.device)
        return self._text_encoders[head.tower]

    @cached_property
    def encoder(self) -> PromptEncoder:
        """Prompts to token ids for this model."""
        return PromptEncoder(
            self.tokenizer,
            image_token=self.image_token,
            tokens_per_picture=self.tokens_per_picture,
            template=self.adapter.spec.template if self.adapter else "chat",
        )

    @property
    def decoder(self) -> nn.Module:
        """The transformer under the language-model head: (B, L) ids or (B, L, D) embeddings -> (B, L, D)."""
        return self.language_model.get_decoder()

    @property
    def head(self) -> nn.Module:
        """The language-model head: (..., D) -> (..., vocabulary)."""
        return self.language_model.get_output_embeddings()

    @property
    def layers(self) -> Sequence[nn.Module]:
        """Transformer blocks, lowest first; empty for architectures that keep them elsewhere."""
        return getattr(self.decoder, "layers", ())

    @property
    def device(self) -> torch.device:
        return self.language_model.device

    @property
    def dtype(self) -> torch.dtype:
        return self.language_model.dtype

    @property
    def tuned(self) -> bool:
        """Whether behaviour was in the training. A bare base never saw any."""
        return self.adapter is not None and self.adapter.spec.tuned

    @property
    def max_length(self) -> int:
        """Tokens the model was built for, prompt and answer together."""
        config = self.language_model.config.get_text_config()
        return int(getattr(config, "max_position_embeddings", None) or 2048)

    @cached_property
    def checkpoint_hash(self) -> str:
        """Hash over base weights, adapter, connector and heads (hex, 64)."""
        if self.adapter is None:
            return self.base_hash
        return hashlib.sha256(f"{self.base_hash}:{self.adapter.digest}".encode()).hexdigest()

    @cached_property
    def vision_hash(self) -> str:
        """SHA-256 of the packaged vision weights, for `AdapterSpec.vision_hash`."""
        from lcbm_model.backbone.packaged import file_hash, vision_file

        return file_hash(vision_file())

    def value_head(self, metric: str) -> ValueHead | None:
        """The value head that serves a metric, where the checkpoint has one and its read-out uses it."""
        if self.adapter is None or self.adapter.spec.readout != "bins+value":
            return None
        return self.adapter.head(metric)

    def embed(self, ids: Sequence[int], pictures: torch.Tensor | None = None) -> torch.Tensor:
        """Input embeddings (1, L, D) of `ids`, with picture tokens put in where `<image>` stands.

        Args:
            pictures: (N, T, D) picture tokens, in order; None without pictures.
        """
        import torch

        table = self.language_model.get_input_embeddings()
        tokens = torch.tensor([list(ids)], device=self.device)
        embeddings = table(tokens)
        if pictures is None:
            return embeddings
        place = tokens.eq(self.image_token).unsqueeze(-1)  # type: ignore[arg-type]
        return embeddings.masked_scatter(place, pictures.to(embeddings.device, embeddings.dtype))

    def llava(self) -> Any:
        """The same weights as one `LlavaForConditionalGeneration`: for training, saving and serving.

        Modules are shared, not copied: what trains there is trained here.

        Raises:
            CheckpointError: The model is not our assembly of language model, tower and connector.
        """
        from lcbm_model.backbone.assembly import assemble_llava
        from lcbm_model.vision.eyes import TowerEyes

        if self.image_token is None or not isinstance(self.eyes, TowerEyes):
            raise CheckpointError(self.name, "is not assembled from tower and connector")
        return assemble_llava(self.language_model, self.eyes.tower, self.eyes.connector, image_token=self.image_token)


def _check_heads(adapter: Adapter, *, layers: int, width: int) -> None:
    """Value heads must fit the model they sit on."""
    spec = adapter.spec
    read = (*spec.value_layers, *spec.value_last)
    if any(not 1 <= layer <= layers for layer in read):
        raise CheckpointError(f"{spec.name}: value_layers", f"the model has {layers} layers", value=read)
    for metric, head in adapter.heads.items():
        states = len(read) * width + (spec.text_encoder.width if spec.text_encoder else 0)
        if (len(head.weight) <= states) if spec.value_picture else (len(head.weight) != states):
            raise CheckpointError(f"{spec.name}: value head {metric!r}", "wrong width", value=len(head.weight))
