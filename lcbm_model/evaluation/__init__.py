"""The bench: suites, baselines, intervals and tables."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "bootstrap": ["Count", "OfSums", "PooledSpearman", "Statistic", "mean_of_groups", "ratio"],
        "metrics": ["accuracy_of_distinct_pairs", "coverage", "expected_calibration_error", "spearman_within"],
        "registry": ["get_suite", "suite_names"],
        "result": ["EvaluationResult"],
        "runner": ["evaluate"],
        "suites.base": ["Answers", "Rows", "Suite"],
    },
)
