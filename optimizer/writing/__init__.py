"""Writing: what writers make of real drafts, judged by a model that had no part in it, beside arms that were run."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "drafts": ["Drafted", "drafts_of"],
        "runner": ["writing"],
    },
)
