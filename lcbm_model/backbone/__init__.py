"""The backbone: base weights, adapters, tokens, and where they run."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "adapter": ["Adapter", "AdapterSpec", "ValueHead", "is_adapter", "merge_lora", "read_adapter", "read_spec"],
        "chat": ["EncodedPrompt", "PromptEncoder", "digit_tokens"],
        "loader": ["load_backbone", "release_backbones", "shipped_checkpoints"],
        "model": ["Backbone"],
        "packaged": ["converted_language_model", "language_file", "vision_file"],
        "runtime": ["cache_dir", "choose_device", "choose_dtype"],
    },
)
