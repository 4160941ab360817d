"""The bench: suites, baselines, intervals and tables."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "registry": ["get_suite", "suite_names"],
        "result": ["EvaluationResult"],
        "runner": ["evaluate"],
    },
)
