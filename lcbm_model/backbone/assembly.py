"""Putting language model, vision tower and connector together as one LLaVA."""

from __future__ import annotations

from typing import Any


def assemble_llava(language_model: Any, tower: Any, connector: Any, *, image_token: int) -> Any:
    """One `LlavaForConditionalGeneration` over existing modules; nothing is copied.

    Args:
        language_model: A Llama-like causal language model whose embeddings hold a row for `image_token`.
        tower: Vision tower, `last_hidden_state` (B, T, V).
        connector: (B, T, V) -> (B, T, D), with LLaVA's parameter names.
        image_token: Id of `<image>`.
    """
    import torch
    from transformers import LlavaConfig, LlavaForConditionalGeneration

    from lcbm_model.vision.efficientnet import register

    register()
    config = LlavaConfig(
        vision_config=tower.config,
        text_config=language_model.config,
        image_token_index=image_token,
        image_seq_length=tower.config.tokens,
        projector_hidden_act="gelu",
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        tie_word_embeddings=language_model.config.tie_word_embeddings,
    )
    with torch.device("meta"):
        model = LlavaForConditionalGeneration(config)
    model.model.vision_tower = tower
    model.model.multi_modal_projector = connector
    model.model.language_model = language_model.get_decoder()
    model.lm_head = language_model.get_output_embeddings()
    model.generation_config = language_model.generation_config
    return model.eval()
