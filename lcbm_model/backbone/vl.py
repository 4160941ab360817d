"""Vision-language bases with eyes of their own (LLaVA, Qwen-VL): how prompts and pictures become tokens for them.

What training and the simulator must do alike stands here, so that a score is read from what the model was tuned on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcbm_model.backbone.chat import EncodedPrompt, PromptEncoder
from lcbm_model.errors import CheckpointError
from lcbm_model.verbalize import IMAGE, Prompt

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST = 256
"""Tokens of the largest picture where a model takes any resolution: 448 x 448 pixels or as many in another shape."""
_MARK = "LCBM-CONTENT-HERE"


class PicturePromptEncoder(PromptEncoder):
    """Prompts for a model whose pictures stand between marks and may take different numbers of tokens.

    Args:
        tokenizer: Its tokenizer, with the chat template of its processor (`adopt_template`).
        image_token: Id that stands for one picture token.
        count: How many of them a picture file takes; may raise PictureError.
        around: Ids in front of and behind a picture's tokens.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        image_token: int,
        tokens_per_picture: int,
        count: Callable[[Path], int],
        around: tuple[tuple[int, ...], tuple[int, ...]] = ((), ()),
    ) -> None:
        super().__init__(tokenizer, image_token=image_token, tokens_per_picture=tokens_per_picture, template="plain")
        before, after = chat_frame(tokenizer)
        framed = bool(before or after)
        self._before = self._special(before) if framed else self._begin()
        self._after = self._special(after) if framed else self.plain("\n")
        self._count, self._around = count, around
        self._with_counts = lru_cache(maxsize=64)(self._encode_counted)

    def encode(self, prompt: Prompt) -> EncodedPrompt:
        """Token ids of one prompt.

        Raises:
            ValueError: The number of picture marks is not the number of pictures.
            PictureError: A picture cannot be used.
        """
        if prompt.shared.count(IMAGE) != len(prompt.pictures) or IMAGE in prompt.own:
            raise ValueError(f"{len(prompt.pictures)} pictures for {prompt.text.count(IMAGE)} picture marks")
        own, words = self._encode_own(prompt.own)
        shared = self._with_counts(prompt.shared, tuple(self._count(path) for path in prompt.pictures))
        return EncodedPrompt(shared=shared, own=own + self._after, pictures=prompt.pictures, words=words)

    def _encode_counted(self, shared: str, counts: tuple[int, ...]) -> tuple[int, ...]:
        assert self.image_token is not None
        first, *pieces = shared.split(IMAGE)
        ids = self._before + self.plain(first)
        for count, piece in zip(counts, pieces, strict=True):
            ids += (*self._around[0], *(self.image_token,) * count, *self._around[1], *self.plain(piece))
        return ids


def chat_frame(tokenizer: Any) -> tuple[str, str]:
    """What the chat template writes before and after one user message, up to the answer's first token.

    Templates of vision-language models want the message in parts; others take it as text.

    Raises:
        CheckpointError: The template does not show the message exactly once.
    """
    if not getattr(tokenizer, "chat_template", None):
        return "", ""
    for content in ([{"type": "text", "text": _MARK}], _MARK):
        rendered = tokenizer.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        before, mark, after = rendered.partition(_MARK)
        # A template for text prints parts as they are written down: then the mark stands inside brackets.
        if mark and _MARK not in after and not before.endswith("'"):
            return before, after
    raise CheckpointError("chat template", "does not show the user's message exactly once")


def adopt_template(tokenizer: Any, folder: Path) -> Any:
    """Give the tokenizer the template that older checkpoints keep in a file of their processor.

    Raises:
        CheckpointError: The file cannot be read.
    """
    path = folder / "chat_template.json"
    if not getattr(tokenizer, "chat_template", None) and path.is_file():
        try:
            tokenizer.chat_template = str(json.loads(path.read_text("utf-8"))["chat_template"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(str(path), f"cannot be read: {error}", remedy="Copy the whole folder") from error
    return tokenizer


def image_processor(folder: Path | str, *, largest: int | None = None) -> Any:
    """The model's own image processor, with at most `largest` tokens a picture where any resolution is taken.

    Raises:
        CheckpointError: There is none.
    """
    from transformers import AutoImageProcessor

    from lcbm_model.backbone.runtime import quiet

    try:
        with quiet():
            processor: Any = AutoImageProcessor.from_pretrained(str(folder), backend="pil")
    except (OSError, ValueError, KeyError) as error:
        remedy = "Copy the whole folder, with preprocessor_config.json"
        raise CheckpointError(str(folder), f"its image processor cannot be read: {error}", remedy=remedy) from error
    if largest is not None:
        side = processor.patch_size * processor.merge_size  # pixels of one token's side
        size = dict(processor.size)
        most = min(size["longest_edge"], largest * side * side)
        processor.size = type(processor.size)(shortest_edge=min(size["shortest_edge"], most), longest_edge=most)
    return processor


def grid_of(processor: Any, picture: Image) -> tuple[int, int]:
    """Rows and columns of patches that a processor of any resolution cuts a picture into."""
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    height, width = smart_resize(
        picture.height, picture.width, processor.patch_size * processor.merge_size,
        min_pixels=processor.size["shortest_edge"], max_pixels=processor.size["longest_edge"],
    )  # fmt: skip
    return height // processor.patch_size, width // processor.patch_size
