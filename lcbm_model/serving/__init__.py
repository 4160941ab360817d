"""Taking a checkpoint to a server: merging an adapter into its base, and the command that serves it with vLLM."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "checkpoint": ["ServedCheckpoint", "find_checkpoint"],
        "command": ["ServeSettings", "serve_command"],
        "merge": ["Merged", "merge_checkpoint"],
        "stamp": ["MergedStamp"],
    },
)
