"""Tiny random LLaVA and Qwen-VL bases on disk, laid out as their hub folders are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.lcbm_model.tiny_model import _byte_tokenizer

LLAVA_TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() + ': ' }}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' ' }}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
QWEN_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}"
    "{% for content in message['content'] %}{% if content['type'] == 'text' %}{{ content['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NORMAL = {
    "do_normalize": True, "do_rescale": True, "do_resize": True, "resample": 3, "rescale_factor": 1 / 255,
    "do_convert_rgb": True, "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}  # fmt: skip
TEXT: dict[str, Any] = {
    "vocab_size": 384, "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2,
    "max_position_embeddings": 4096, "initializer_range": 0.2, "bos_token_id": None,
}  # fmt: skip


def write_tiny_llava(folder: Path, *, layers: int = 3, seed: int = 0) -> Path:
    """28 pixels in patches of 14: 4 tokens a picture. The template lies in the processor's old file."""
    import torch
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    tokenizer = _tokenizer(folder, None)
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": LLAVA_TEMPLATE}), "utf-8")
    side = {"height": 28, "width": 28}
    kind = {"image_processor_type": "CLIPImageProcessor", "do_center_crop": True, "crop_size": side}
    processor = {**NORMAL, **kind, "size": {"shortest_edge": 28}}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor), "utf-8")
    end = tokenizer.eos_token_id
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=16, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2, image_size=28,
            patch_size=14, projection_dim=16,
        ),
        text_config=LlamaConfig(**TEXT, num_hidden_layers=layers, eos_token_id=end, pad_token_id=end),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"), image_seq_length=4,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        LlavaForConditionalGeneration(config).save_pretrained(folder)
    return folder


def write_tiny_qwen(folder: Path, *, layers: int = 3, seed: int = 0, version: str = "qwen2_5_vl") -> Path:
    """Any resolution in patches of 14, four to a token."""
    import torch
    import transformers

    marks = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    tokenizer = _tokenizer(folder, QWEN_TEMPLATE, marks)
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in marks}
    kind = {"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14, "temporal_patch_size": 2}
    processor = {**NORMAL, **kind, "merge_size": 2, "min_pixels": 3136, "max_pixels": 12845056}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor), "utf-8")
    end = tokenizer.eos_token_id
    text = {
        **TEXT, "num_hidden_layers": layers, "eos_token_id": end, "pad_token_id": end,
        "rope_parameters": {"rope_type": "default", "type": "default", "mrope_section": [2, 1, 1], "rope_theta": 1e4},
    }  # fmt: skip
    title = {"qwen2_vl": "Qwen2VL", "qwen2_5_vl": "Qwen2_5_VL"}[version]
    vision: dict[str, Any] = {"depth": 2, "num_heads": 2, "in_channels": 3, "initializer_range": 0.2}
    if version == "qwen2_vl":
        vision |= {"embed_dim": 16, "hidden_size": 32, "mlp_ratio": 2}
    else:
        vision |= {"hidden_size": 16, "out_hidden_size": 32, "intermediate_size": 32, "fullatt_block_indexes": [1]}
    config = getattr(transformers, f"{title}Config")(
        text_config=text, vision_config=vision, image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"], vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        getattr(transformers, f"{title}ForConditionalGeneration")(config).save_pretrained(folder)
    return folder


def _tokenizer(folder: Path, template: str | None, marks: tuple[str, ...] = ()) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _byte_tokenizer()
    tokenizer.chat_template = template
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<image>", *marks]})
    tokenizer.save_pretrained(folder)
    return tokenizer


def reload(adapter: Path) -> Any:
    """The simulator of an adapter that was trained on a vision-language base."""
    from lcbm_model.simulator import load_simulator

    return load_simulator(adapter, device="cpu", dtype="float32", calibrated=False)
